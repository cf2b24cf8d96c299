"""Cost of scoring a hundred policies of one trained network, compared with plain passes.

.venv/bin/python -m tests.benchmarks.policies --study studies/davis_pixel2.yaml --trial 0 \
    --data-root ../shared/data/DAVIS > reports/policies.txt

Five minutes for a network of 224 px on 2 cores. A plain pass is the policy with a keyframe on every
frame, scored with an empty cache; the hundred policies are scored with another empty cache. They
should cost less than three plain passes. That limit, and reports/policies.txt, are of mIoU alone;
both passes now compute the temporal scores too, whose cost grows with the masks shown, so the ratio
is larger: 4.1 for the quickstart study (128 px, procedural clips).

The graphs are copied to a temporary folder first, so cached results of the study are not used.
"""

import argparse
import itertools
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.evaluation import network
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.files import state_folder, study_file
from jejunet_nas.records import DataSplit, GraphName, PathLatencies, TrialResult
from jejunet_nas.space.architecture import BetweenKeyframes, Policy
from jejunet_nas.study.kept_measurements import NETWORKS
from jejunet_nas.study.ledger import Ledger, storage_url
from jejunet_nas.study.settings import read_study
from jejunet_nas.video.graphs import Context, Frame, Mask, NetworkGraphs, Thumbnail, graph_files

PLAIN = Policy(keyframe_interval=1)
INTERVALS = range(1, 13)
GATED = tuple(
    itertools.product((4, 6, 8, 10, 12), (None, 0.02, 0.05, 0.1), (None, 0.15, 0.25, 0.4))
)
COUNT, AT_MOST = 100, 3.0  # policies; plain passes that they may cost


class _Counted(NetworkGraphs):
    """Graphs that count their runs in one pass."""

    runs: Counter[str] = Counter()  # noqa: RUF012 - emptied before each pass

    def key(self, frame: Frame) -> tuple[Mask, Context]:
        self.runs["key"] += 1
        return super().key(frame)

    def propagate(self, frame: Frame, context: Context) -> Mask:
        self.runs["propagate"] += 1
        return super().propagate(frame, context)

    def gate(self, now: Thumbnail, keyframe: Thumbnail) -> float:
        self.runs["gate"] += 1
        return super().gate(now, keyframe)


def main() -> None:
    """Time both, and print seconds and runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--study", required=True)
    parser.add_argument("--trial", type=int, required=True)
    parser.add_argument("--data-root", type=Path)
    asked = parser.parse_args()
    trial, files, val = _open(asked.study, asked.trial, asked.data_root)
    latencies = trial.network.latencies
    policies = a_hundred_policies()
    size = trial.architecture.network
    print(f"trial {trial.number} of {asked.study}, {size.input_width}x{size.input_height} px")
    print(f"{val.dataset} val, {len(val.clips)} clips, {val.frame_count} frames")
    print(f"{'':16}{'s':>9}{'key':>9}{'propagate':>11}{'gate':>9}")
    network.NetworkGraphs = _Counted  # type: ignore[misc]
    _pass_s(files, val, (PLAIN,), latencies)  # warms the cache of pages
    plain_s = _row("plain pass", files, val, (PLAIN,), latencies)
    many_s = _row(f"{len(policies)} policies", files, val, policies, latencies)
    ratio = many_s / plain_s
    verdict = "less" if ratio < AT_MOST else "not less"
    print(f"{len(policies)} policies take {ratio:.2f} plain passes, {verdict} than {AT_MOST:g}")


def a_hundred_policies() -> tuple[Policy, ...]:
    """Return distinct policies: every interval, gates, some with keyframes in the background."""
    kinds: tuple[BetweenKeyframes, ...] = ("propagate", "reuse")
    fixed = [Policy(keyframe_interval=1)]
    fixed += [
        Policy(keyframe_interval=interval, between_keyframes=between)
        for interval, between in itertools.product(INTERVALS[1:], kinds)
    ]
    background = [
        Policy(keyframe_interval=interval, asynchronous=True) for interval in (1, 2, 4, 8)
    ]
    gated = [
        Policy(keyframe_interval=interval, reuse_below=below, refresh_above=above)
        for interval, below, above in GATED
        if (below, above) != (None, None)
    ]
    policies = (*fixed, *background, *gated)[:COUNT]
    assert len(set(policies)) == COUNT, len(set(policies))
    return policies


def _open(
    study: str, number: int, root: Path | None
) -> tuple[TrialResult, dict[GraphName, Path], DataSplit]:
    """Return a trial of a searched study, its graphs, and the clips of its score."""
    file = study_file(study)
    settings = read_study(file, {"data.root": str(root)} if root else {})
    folder = state_folder(file, settings.name)
    history = Ledger(settings, storage_url(folder)).history()
    known = {trial.number: trial for trial in history.complete}
    if number not in known:
        raise SystemExit(f"--trial is {number}; allowed: {', '.join(map(str, known))}.")
    val = open_split(settings.data.dataset, "val", root=root, options=settings.data.options)
    return known[number], graph_files(known[number].network, folder / NETWORKS), val


def _row(
    name: str,
    files: Mapping[GraphName, Path],
    val: DataSplit,
    policies: Sequence[Policy],
    latencies: PathLatencies,
) -> float:
    """Print the seconds and runs of a pass, and return the seconds."""
    _Counted.runs.clear()
    seconds = _pass_s(files, val, policies, latencies)
    key, propagate, gate = (_Counted.runs[graph] for graph in ("key", "propagate", "gate"))
    print(f"{name:16}{seconds:>9.1f}{key:>9}{propagate:>11}{gate:>9}", flush=True)
    return seconds


def _pass_s(
    files: Mapping[GraphName, Path],
    val: DataSplit,
    policies: Sequence[Policy],
    latencies: PathLatencies,
) -> float:
    """Return the seconds of scoring `policies` with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        copies = {
            graph: Path(shutil.copy(file, Path(folder) / file.name))
            for graph, file in files.items()
        }
        began = time.perf_counter()
        Evaluation(val, copies).score(policies, latencies, target_fps=val.clips[0].fps)
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
