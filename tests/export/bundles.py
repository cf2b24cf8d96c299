"""Bundles of the tiny network, written as `export` writes them; nothing here is a test."""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.export.facts import facts_of
from jejunet_nas.export.write import write_bundle
from jejunet_nas.records import FramePaths, StudyHistory, TrialResult
from jejunet_nas.records.scores import ClipScore, Score
from jejunet_nas.space.architecture import Architecture, Policy
from tests.builders import tiny_network, tiny_run
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
    return dataclasses.replace(
        made,
        network=dataclasses.replace(made.network, class_names=names),
        score=Score(miou=0.5, class_iou=(*(0.5 for _ in names[1:]), None), clips=(clip,)),
        walks=(FramePaths(clip="bear", letters="kpR", lag=lag),),
    )


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
        settings = tiny_study(Path(folder))
    history = history_of(trial, study)
    return facts_of(trial, history, settings, fingerprints=FINGERPRINTS, export_steps=0)


def write_tiny(out: Path, policy: Policy = EVERY_THIRD, **changes: Any) -> Path:
    """Write a bundle of the tiny network as `out`, and return that."""
    write_bundle(tiny_run().graphs, tiny_facts(policy, **changes), out)
    return out
