"""Bundles of the tiny network, written as `export` writes them; nothing here is a test."""

import atexit
import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.compression.metadata import write_metadata
from jejunet_nas.export.facts import facts_of
from jejunet_nas.export.write import write_bundle
from jejunet_nas.records import FramePaths, GraphName, StudyHistory, TrialResult
from jejunet_nas.records.scores import ClipScore, Score
from jejunet_nas.space.architecture import Architecture, Policy
from tests.builders import PROCEDURAL, tiny_network, tiny_run
from tests.made_up import as_in, on_screen, scored
from tests.search.build import result, tiny_study

LAG, PREDICTED_MS = 2, 20.0
EVERY_THIRD = Policy(keyframe_interval=3)
FINGERPRINTS = {"train": "0123", "val": "4567"}


def tiny_trial(policy: Policy, class_names: Sequence[str] | None = None) -> TrialResult:
    """Return a trial of the tiny network whose figures are made up."""
    names = tuple(class_names or tiny_run().train.class_names)
    made = result(3, Architecture(network=tiny_network(), policy=policy), mean_ms=PREDICTED_MS)
    lag = LAG if policy.asynchronous else None
    none = tuple(0 for _ in names)
    clip = ClipScore(name="bear", frames=2, annotated=none, intersection=none, union=none)
    described = dataclasses.replace(made.network, class_names=names)
    folder = described_graphs(class_names and names)["key"].parent
    made = dataclasses.replace(made, network=as_in(folder, described))
    score = Score(miou=0.5, class_iou=(*(0.5 for _ in names[1:]), None), clips=(clip,))
    return on_screen(scored(made, score), walks=(FramePaths(clip="bear", letters="kpR", lag=lag),))


def history_of(trial: TrialResult, study: str = "tiny") -> StudyHistory:
    """Return the history of a study of one trial."""
    return StudyHistory(
        study=study,
        dataset="procedural",
        class_names=trial.network.class_names,
        target_fps=24.0,
        device="Pixel 2",
        latency_source="predicted",
        threads=1,
        complete=(trial,),
        refused=(),
        failed=(),
        duplicates=0,
    )


def tiny_facts(
    policy: Policy = EVERY_THIRD,
    *,
    study: str = "tiny",
    class_names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return what a bundle of the tiny network is told."""
    trial = tiny_trial(policy, class_names)
    with tempfile.TemporaryDirectory() as folder:
        settings = tiny_study(Path(folder), f"data: {{options: {PROCEDURAL}}}\n")
    history = history_of(trial, study)
    return facts_of(trial, history, settings, fingerprints=FINGERPRINTS)


@functools.cache
def described_graphs(class_names: tuple[str, ...] | None = None) -> Mapping[GraphName, Path]:
    """Return the tiny network's graphs with metadata, as a study has them."""
    folder = Path(tempfile.mkdtemp(prefix="jejunet-described-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    graphs: dict[GraphName, Path] = {
        name: Path(shutil.copy(file, folder)) for name, file in tiny_run().graphs.items()
    }
    write_metadata(graphs, class_names or tiny_run().train.class_names)
    return graphs


def write_tiny(
    out: Path,
    policy: Policy = EVERY_THIRD,
    *,
    study: str = "tiny",
    class_names: tuple[str, ...] | None = None,
) -> Path:
    """Write a bundle of the tiny network as `out`, and return that."""
    facts = tiny_facts(policy, study=study, class_names=class_names)
    write_bundle(described_graphs(class_names), facts, out)
    return out
