"""What masks and contexts that move with the picture bring between keyframes.

.venv/bin/python -m tests.benchmarks.motion STUDY:TRIAL:DATA_ROOT ... [--intervals 2 4 8 12]

Frames between keyframes show the keyframe's mask as it is (reuse) or moved from frame to frame by
`video.motion` (move), or are propagated, with the keyframe's context as it is or warped by the same
motion (warp). The int8 graphs of the trials run over whole validation clips; each mask is compared
with its own frame. A second table has the streaming mIoU at the study's target with masks as they
are and moved on (ahead). reports/motion.md has the figures. A trial takes 4 minutes on one core.
"""

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.files import write_text_whole
from jejunet_nas.records import Clip, DataSplit
from jejunet_nas.records.words import markdown_table, network_words, per_cent, points, policy_words
from jejunet_nas.resize import resize_frame
from jejunet_nas.scoring.score import clip_score, combine, frame_counts
from jejunet_nas.space.architecture import FOLLOWING, Policy
from jejunet_nas.study.opened import Trial, open_study
from jejunet_nas.video.graphs import NetworkGraphs
from jejunet_nas.video.motion import Index, grey_of, joined, motion, moved, warped
from tests.benchmarks.search_runs import machine

OUT = Path(__file__).parents[2] / "reports" / "motion.md"


class Walk:
    """One clip at the network's size: what its keyframes leave, and what is made of that."""

    def __init__(self, clip: Clip, graphs: NetworkGraphs) -> None:
        self.clip, self._graphs = clip, graphs
        self._frames = [resize_frame(each, graphs.height, graphs.width) for each in clip.frames]
        self._keys = [graphs.key(each) for each in self._frames]
        self._steps: dict[int, Index] = {}
        self.motion_s: list[float] = []

    def __len__(self) -> int:
        return len(self._frames)

    def key(self, t: int, _: int) -> Any:
        """Return the mask of the frame as a keyframe."""
        return self._keys[t][0]

    def reuse(self, _: int, before: int) -> Any:
        """Return the mask of the keyframe."""
        return self._keys[before][0]

    def move(self, t: int, before: int) -> Any:
        """Return the mask of the keyframe, moved."""
        return moved(self._keys[before][0], self._since(t, before))

    def propagate(self, t: int, before: int) -> Any:
        """Return what the propagate graph makes of the frame and the context of the keyframe."""
        return self._graphs.propagate(self._frames[t], self._keys[before][1])

    def warp(self, t: int, before: int) -> Any:
        """Return the same with the context warped by the motion since the keyframe."""
        context = warped(self._keys[before][1], self._since(t, before))
        return self._graphs.propagate(self._frames[t], context)

    def _since(self, t: int, before: int) -> Index:
        return functools.reduce(joined, (self._step(each) for each in range(before + 1, t + 1)))

    def _step(self, t: int) -> Index:
        if t not in self._steps:
            began_s = time.perf_counter()
            self._steps[t] = motion(grey_of(self._frames[t]), grey_of(self._frames[t - 1]))
            self.motion_s.append(time.perf_counter() - began_s)
        return self._steps[t]


def miou(walks: Sequence[Walk], classes: int, interval: int, between: Callable[..., Any]) -> float:
    """Return the mIoU of all clips with a keyframe every `interval` frames, the first included."""
    scores = []
    for walk in walks:
        counts = []
        for t in np.flatnonzero(walk.clip.annotated):
            before = int(t) // interval * interval
            mask = walk.key(t, t) if before == t else between(walk, int(t), before)
            counts.append(frame_counts(walk.clip, int(t), mask, classes))
        scores.append(clip_score(walk.clip, counts, classes))
    return combine(scores).miou


def table(trial: Trial, val: DataSplit, intervals: Sequence[int]) -> str:
    """Return the figures of one trial."""
    classes, graphs = len(val.class_names), NetworkGraphs(trial.graphs)
    walks = [Walk(clip, graphs) for clip in val.clips]
    network, latencies = trial.result.architecture.network, trial.result.network.latencies
    rows = [["every frame a keyframe", per_cent(miou(walks, classes, 1, Walk.key))]]
    rows[0] += [""] * len(intervals)
    methods = [("reuse", Walk.reuse), ("move", Walk.move)]
    if network.propagates:
        methods += [("propagate", Walk.propagate), ("warp", Walk.warp)]
    for words, method in methods:
        found = [miou(walks, classes, interval, method) for interval in intervals]
        rows.append([words, "", *map(per_cent, found)])
        print(rows[-1], file=sys.stderr, flush=True)
    columns = ["between keyframes", "every frame", *(f"every {n}" for n in intervals)]
    seconds = statistics.median(each for walk in walks for each in walk.motion_s)
    return (
        f"{network_words(network)}; key {latencies.key.median_ms:.1f} ms, propagate "
        f"{latencies.propagate.median_ms:.1f} ms, move {latencies.move.median_ms:.1f} ms "
        f"(predicted). A motion takes {1000 * seconds:.1f} ms in NumPy here.\n\n"
        + markdown_table(columns, rows, text=columns[:1])
    )


def ahead_table(trial: Trial, val: DataSplit, intervals: Sequence[int]) -> str:
    """Return the streaming mIoU of one trial's network under policies that follow motion."""
    network, target_fps = trial.result.network, trial.study.settings.target_fps
    followed = FOLLOWING if network.network.propagates else ("move",)
    pairs = [
        [
            Policy(keyframe_interval=n, between_keyframes=between, asynchronous=n == 1, ahead=ahead)
            for ahead in (False, True)
        ]
        for between in followed
        for n in (1, *intervals)
    ]
    evaluation = Evaluation(val, trial.graphs, keep=False)
    policies = [policy for pair in pairs for policy in pair]
    found = iter(evaluation.streams(policies, network.latencies, target_fps=target_fps))
    rows = []
    for plain, _ in pairs:
        as_is, moved_on = next(found), next(found)
        gained = points(moved_on.score.miou - as_is.score.miou)
        latency = as_is.latency
        figures = per_cent(as_is.score.miou), per_cent(moved_on.score.miou), gained
        dropped = per_cent(latency.dropped_frames)
        rows.append([policy_words(plain), *figures, f"{latency.mean_ms:.1f}", dropped])
    columns = ["policy", "as they are", "ahead", "gained", "ms a frame", "dropped %"]
    shown = markdown_table(columns, rows, text=columns[:1])
    return f"Streaming mIoU at {target_fps:g} fps:\n\n{shown}"


def main() -> None:
    """Write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trials", nargs="+", metavar="STUDY:TRIAL:DATA_ROOT")
    parser.add_argument("--intervals", nargs="+", type=int, default=[2, 4, 8, 12])
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    text = (
        "# Motion between keyframes\n\n"
        f"`python -m tests.benchmarks.motion` on {machine()}, {time.strftime('%Y-%m-%d')}: mIoU % "
        "of the int8 graphs over whole validation clips; in the first table of each mask against "
        "its own frame.\n"
    )
    for each in asked.trials:
        study, number, root = each.split(":")
        trial = open_study(study, overrides={"data.root": Path(root)}).trial(int(number))
        val = trial.study.settings.data.open_split("val", lambda *_: None)
        tables = [each(trial, val, asked.intervals) for each in (table, ahead_table)]
        text += f"\n## {study}, trial {number}\n\n" + "\n\n".join(tables) + "\n"
        write_text_whole(asked.out, text)
    print(text)


if __name__ == "__main__":
    main()
