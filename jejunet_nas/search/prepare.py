"""From a study's settings to the setup of its trials: clips, weights, latency meter."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jejunet_nas.datasets.calibration import calibration_frames
from jejunet_nas.datasets.learnable import label_warnings, labels_of
from jejunet_nas.datasets.shared import shared_frames, shared_warning
from jejunet_nas.errors import SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.networks.paths import NARROW_DEPTH_MULTIPLIER
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataFacts, DataSplit, VideoFacts
from jejunet_nas.scoring.halves import require_two
from jejunet_nas.study.kept_measurements import NETWORKS
from jejunet_nas.study.named import BESIDE
from jejunet_nas.study.settings import StudySettings, init_file
from jejunet_nas.training.imagenet import imagenet_file, imagenet_width, read_imagenet
from jejunet_nas.training.settings import IMAGENET
from jejunet_nas.training.source import (
    Source,
    load_source,
    measure_source,
    save_source,
    source_of,
)
from jejunet_nas.training.weights_file import Weights, read_weights
from jejunet_nas.trial.setup import TrialSetup

SOURCE_FRAMES = 16  # from which the statistics of the source's channels are taken
SOURCE_PX = 224  # the input size that the weights were trained at


def prepare(
    settings: StudySettings,
    folder: Path,
    tell: Tell,
    before_decoding: Callable[[], None] = lambda: None,
) -> TrialSetup:
    """Return the setup of the study's trials; `folder` is the study's own.

    before_decoding: is called once the settings are checked.
    """
    # Quick checks come first: decoding a data set takes long.
    profile = load_profile(settings.latency.device)
    backbones, init_sha256 = _backbones(settings, tell)
    settings.data.check_root()
    before_decoding()
    train, val = (settings.data.open_split(split, tell) for split in ("train", "val"))
    _check_calibration(settings, train)
    if settings.validation.pick_on == "half":
        require_two([int(clip.annotated.sum()) for clip in val.clips])
    source = [_measured(each, f"{init_sha256}", train, folder, tell) for each in backbones]
    identity = settings.identity()
    return TrialSetup(
        train=train,
        val=val,
        training=dataclasses.replace(settings.training, rungs=()),
        rungs=settings.training.rungs,
        compression=settings.compression,
        meter=PredictedMeter(profile=profile, threads=settings.latency.threads),
        space=settings.search_space,
        target_fps=settings.target_fps,
        feasible=settings.feasible,
        longest_age=settings.longest_age,
        recipe={
            **{part: identity[part] for part in ("data", "training")},
            "post_training": identity["compression"]["post_training"],
            "longest_age": settings.longest_age,
            "train_fingerprint": train.fingerprint,
            "init_sha256": init_sha256,
        },
        source=source or None,
        folder=folder / NETWORKS,
    )


def data_facts(train: DataSplit, val: DataSplit) -> DataFacts:
    """Return what is worth knowing about the data before the first trial, and in the report."""
    learnt, scored = labels_of(train), labels_of(val)
    said = label_warnings(learnt, scored) if learnt and scored else []
    said += shared_warning(shared_frames(train, val))
    said += dict.fromkeys(note.rstrip(".") for split in (train, val) for note in split.notes)
    pans = [clip for clip in val.clips if clip.origin == "photo"]
    return DataFacts(
        videos=tuple(
            VideoFacts(
                name=clip.name,
                frames=len(clip),
                annotated_frames=int(clip.annotated.sum()),
                fps=clip.fps,
            )
            for clip in val.clips
            if clip.origin == "video"
        ),
        photos=len(pans),
        photo_frames=sum(map(len, pans)),
        photo_fps=pans[0].fps if pans else None,
        warnings=tuple(said),
    )


def made_from(setup: TrialSetup, settings: StudySettings) -> dict[str, Any]:
    """Return the fingerprints of data, weights and device profile, which all trials share."""
    profile = load_profile(settings.latency.device)
    costs = f"{profile.costs} {sorted(profile.thread_factors.items(), key=lambda item: item[0])}"
    return {
        "train_fingerprint": setup.train.fingerprint,
        "val_fingerprint": setup.val.fingerprint,
        "init_sha256": setup.recipe["init_sha256"],
        "profile": hashlib.sha256(costs.encode()).hexdigest()[:16],
    }


def _backbones(settings: StudySettings, tell: Tell) -> tuple[list[Source | Weights], Any]:
    """Return the sources of backbone weights, and the SHA-256 of the file, or of each width's file.

    Folded weights are returned as `Weights`; their statistics must be measured on the data.
    """
    if settings.training.init == IMAGENET:
        widths = sorted({imagenet_width(each) for each in _widths(settings)})
        root = settings.data.root
        beside = Path(root).expanduser() / BESIDE if root else None
        files = {width: imagenet_file(width, tell, beside=beside) for width in widths}
        hashes = {str(width): _sha256(file) for width, file in files.items()}
        return [read_imagenet(file, width) for width, file in files.items()], hashes
    file = init_file(settings)
    if file is None:
        return [], None
    digest = _sha256(file)
    weights = read_weights(file)
    _check_widths(settings, weights.depth_multiplier)
    return [weights if weights.folded else source_of(weights)], digest


def _widths(settings: StudySettings) -> set[float]:
    """Return the depth multipliers of all backbones of the space."""
    space = settings.search_space
    narrow = {NARROW_DEPTH_MULTIPLIER} if "narrow" in space.detail else set()
    return {*space.depth_multiplier, *narrow}


def _measured(
    weights: Source | Weights, digest: str, train: DataSplit, folder: Path, tell: Tell
) -> Source:
    """Return weights with their statistics; those of folded ones are measured once per study."""
    if isinstance(weights, Source):
        return weights
    both = hashlib.sha256(f"{digest} {train.fingerprint}".encode()).hexdigest()[:12]
    kept = folder / f"source-{both}.npz"
    if kept.is_file():
        with contextlib.suppress(ValueError):  # a damaged one is measured again
            return load_source(kept)
    tell("measure the backbone's weights", 0, 1)
    count = min(SOURCE_FRAMES, train.frame_count)
    frames = calibration_frames(train, height=SOURCE_PX, width=SOURCE_PX, count=count, seed=0)
    source = measure_source(weights, frames)
    save_source(source, kept)
    return source


def _check_calibration(settings: StudySettings, train: DataSplit) -> None:
    wanted = settings.compression.post_training.calibration_frames
    if wanted > train.frame_count:
        raise SettingError(
            f"compression.post_training.calibration_frames is {wanted}; allowed: at most "
            f"{train.frame_count}, the number of training frames of {train.dataset}."
        )


def _check_widths(settings: StudySettings, source: float) -> None:
    widest = max(settings.search_space.depth_multiplier)
    if widest > source:
        raise SettingError(
            f"search_space.depth_multiplier has {widest}, but the init weights are {source} wide; "
            f"allowed: at most {source}. Remove it, or use init: imagenet or init: scratch."
        )
    if max(_widths(settings)) > source:
        raise SettingError(
            f"search_space.detail has narrow, {NARROW_DEPTH_MULTIPLIER} wide, but the init weights "
            f"are {source} wide. Remove narrow, or use init: imagenet."
        )


def _sha256(file: Path) -> str:
    if not file.is_file():
        raise SettingError(
            f"training.init is {file}, which does not exist; allowed: scratch, imagenet, or an "
            ".npz or .h5 file of MobileNetV2 weights. Give --init FILE, or --init scratch."
        )
    return sha256_of(file)
