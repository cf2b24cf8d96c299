"""Facts: the part of a bundle's manifest that comes from the trial's record.

Nothing is measured here: every figure is in the record, with its source.
"""

import dataclasses
import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from jejunet_nas.compression.chain import chain_in_words, chain_of
from jejunet_nas.drawing.overlay import class_colours
from jejunet_nas.files import read_mapping
from jejunet_nas.latency.stream import keyframe_lag
from jejunet_nas.records import PATHS, DataFacts, StudyHistory, TrialResult, graphs_run_by
from jejunet_nas.records.words import one_line
from jejunet_nas.resize import THUMBNAIL_STRIDE
from jejunet_nas.scoring.origins import scores_by_origin
from jejunet_nas.space.architecture import Policy
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.version import __version__
from jejunet_nas.video.manifest import (
    FORMAT,
    Accuracy,
    Input,
    LatencyFigures,
    Metrics,
    OriginAccuracy,
    Source,
)

_PACKAGES = ("tensorflow", "ai-edge-litert", "numpy", "pillow")


def facts_of(
    trial: TrialResult,
    history: StudyHistory,
    settings: StudySettings,
    *,
    fingerprints: Mapping[str, str],
    searched_steps: int | None = None,
    trained_on: Literal["train", "all"] = "train",
    trial_policy: Policy | None = None,
) -> dict[str, Any]:
    """Return the manifest as plain JSON values, without the hashes of files.

    Of the graphs, those that the policy runs, there is only the hash: `write_bundle` adds the rest.

    fingerprints: of the data's files, by split. searched_steps: of the search's training, if the
    network was trained anew for the export. trained_on: the splits that it had. trial_policy: the
    trial's in the study, if `trial` has another.
    """
    network, steps = trial.architecture.network, trial.network.training.steps
    colours = class_colours(trial.network.class_names)
    size = Input(
        height=network.input_height, width=network.input_width, thumbnail_stride=THUMBNAIL_STRIDE
    )
    metrics = Metrics(accuracy=_accuracy(trial, history.data), latency=_latency(trial, history))
    source = Source(
        study=history.study,
        trial=trial.number,
        network_id=trial.network_id,
        network=dataclasses.asdict(network),
        trial_policy=trial_policy,
        dataset=history.dataset,
        data_options=settings.data.options,
        fingerprints=dict(fingerprints),
        training_steps=steps if searched_steps is None else searched_steps,
        export_steps=0 if searched_steps is None else steps,
        trained_on=trained_on,
        compression=chain_in_words(chain_of(network, settings.compression)),
        seeds={"training": settings.training.seed, "sampler": settings.sampler.seed},
    )
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "format": FORMAT,
        "class_names": list(map(one_line, trial.network.class_names)),
        "palette": [list(colour or (0, 0, 0)) for colour in colours],
        "policy": dataclasses.asdict(trial.architecture.policy),
        "keyframe_lag": keyframe_lag(trial, target_fps=history.target_fps),
        "target_fps": history.target_fps,
        "input": size.model_dump(mode="json"),
        "graphs": {
            name: {"sha256": trial.network.graphs[name].sha256}
            for name in graphs_run_by(trial.architecture.policy)
        },
        "metrics": metrics.model_dump(mode="json"),
        "source": source.model_dump(mode="json"),
        "versions": {"jejunet-nas": __version__, "python": platform.python_version(), **packages},
    }


def known_fingerprints(state: Path) -> dict[str, str]:
    """Return the fingerprints of the data that the search noted in `state`; empty if missing."""
    file = state / "study.yaml"
    made_from = read_mapping(file).get("made_from") if file.is_file() else None
    if not isinstance(made_from, dict):
        return {}
    kept = {split: made_from.get(f"{split}_fingerprint") for split in ("train", "val")}
    return {split: f"{digest}" for split, digest in kept.items() if digest}


def _accuracy(trial: TrialResult, data: DataFacts) -> Accuracy:
    score = trial.score
    kinds = {
        each.origin: OriginAccuracy(clips=each.clips, miou=each.miou)
        for each in scores_by_origin(trial, data)
    }
    return Accuracy(
        clips=len(trial.walks),
        frames=sum(len(walk.letters) for walk in trial.walks),
        annotated_frames=sum(clip.frames for clip in score.clips),
        miou=score.miou,
        own_frame_miou=trial.own_frame_score.miou,
        class_iou=score.class_iou,
        consistency=trial.temporal.consistency,
        paths={path: trial.paths.get(path, 0.0) for path in PATHS},
        video=kinds.get("video"),
        pans=kinds.get("photo"),
    )


def _latency(trial: TrialResult, history: StudyHistory) -> LatencyFigures:
    stream, graphs = trial.latency, trial.graph_latencies
    phone = history.phone if trial.measured is not None else None
    return LatencyFigures(
        source=stream.source,
        device=phone or history.device,
        threads=history.threads,
        graphs_source=graphs.source,
        key_ms=graphs.key.median_ms,
        propagate_ms=graphs.propagate.median_ms,
        gate_ms=graphs.gate.median_ms,
        move_ms=graphs.move.median_ms if graphs.move else None,
        mean_ms=stream.mean_ms,
        worst_ms=stream.worst_ms,
        sustained_fps=stream.sustained_fps if stream.mean_ms else None,
        dropped_frames=stream.dropped_frames,
    )
