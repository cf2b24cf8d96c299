"""From a study's settings to what its trials need: clips, backbone weights, a latency meter."""

import hashlib
import shutil
from pathlib import Path

from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.sampling import calibration_frames
from jejunet_nas.errors import SettingError
from jejunet_nas.latency.predicted import PredictedMeter, load_profile
from jejunet_nas.records import DataSplit
from jejunet_nas.search.measurements import NETWORKS
from jejunet_nas.search.settings import StudySettings, init_file
from jejunet_nas.training.inherit import (
    SOURCE_DEPTH_MULTIPLIER,
    Source,
    load_source,
    measure_source,
    save_source,
)
from jejunet_nas.training.settings import SCRATCH
from jejunet_nas.trial import Tell, TrialSetup

SOURCE_FRAMES = 16  # on which the statistics of the source's channels are taken
SOURCE_PX = 224  # the input size that the weights were trained at


def prepare(settings: StudySettings, folder: Path, tell: Tell) -> TrialSetup:
    """Return the setup of the study's trials; `folder` is the study's own."""
    # What is quick to check comes first: decoding a data set takes longer than to mend a path.
    profile = load_profile(settings.latency.device)
    weights = init_file(settings)
    digest = _sha256(weights) if weights else None
    _check_widths(settings)
    root = Path(settings.data.root) if settings.data.root else None
    train, val = (
        open_split(
            settings.data.dataset,
            split,
            root=root,
            options=settings.data.options,
            progress=tell,
        )
        for split in ("train", "val")
    )
    _check_calibration(settings, train)
    networks = folder / NETWORKS
    _remove_unfinished(networks)
    return TrialSetup(
        train=train,
        val=val,
        training=settings.training,
        compression=settings.compression,
        meter=PredictedMeter(profile=profile, threads=settings.latency.threads),
        target_fps=settings.target_fps,
        longest_age=settings.longest_age,
        recipe={
            **{part: settings.identity()[part] for part in ("data", "training", "compression")},
            "longest_age": settings.longest_age,
            "train_fingerprint": train.fingerprint,
            "init_sha256": digest,
        },
        source=_source(weights, f"{digest}", train, folder, tell) if weights else None,
        folder=networks,
    )


def made_from(setup: TrialSetup, settings: StudySettings) -> dict[str, str | None]:
    """Return what the trials are made from beside the settings: data, weights, device profile."""
    profile = load_profile(settings.latency.device)
    costs = f"{profile.costs} {sorted(profile.thread_factors.items(), key=lambda item: item[0])}"
    return {
        "train_fingerprint": setup.train.fingerprint,
        "val_fingerprint": setup.val.fingerprint,
        "init_sha256": setup.recipe["init_sha256"],
        "profile": hashlib.sha256(costs.encode()).hexdigest()[:16],
    }


def _source(weights: Path, digest: str, train: DataSplit, folder: Path, tell: Tell) -> Source:
    """Return the source's weights and statistics, measured once for a study."""
    both = hashlib.sha256(f"{digest} {train.fingerprint}".encode()).hexdigest()[:12]
    kept = folder / f"init-{both}.npz"
    if kept.is_file():
        return load_source(kept)
    tell(f"measure {weights.name}", 0, 1)
    count = min(SOURCE_FRAMES, train.frame_count)
    frames = calibration_frames(train, height=SOURCE_PX, width=SOURCE_PX, count=count, seed=0)
    source = measure_source(weights, frames)
    save_source(source, kept)
    return source


def _check_calibration(settings: StudySettings, train: DataSplit) -> None:
    wanted = settings.compression.calibration_frames
    if wanted > train.frame_count:
        raise SettingError(
            f"compression.calibration_frames is {wanted}; allowed: at most {train.frame_count}, "
            f"the frames that {train.dataset} has to train on. The nearest is {train.frame_count}."
        )


def _check_widths(settings: StudySettings) -> None:
    widest = max(settings.search_space.depth_multiplier)
    if settings.training.init != SCRATCH and widest > SOURCE_DEPTH_MULTIPLIER:
        raise SettingError(
            f"search_space.depth_multiplier holds {widest} with init weights; allowed: at most "
            f"{SOURCE_DEPTH_MULTIPLIER}, their own. Remove it, or use init: scratch."
        )


def _remove_unfinished(networks: Path) -> None:
    """Remove what a process that was killed left half made."""
    for part in networks.glob("*.part"):
        shutil.rmtree(part, ignore_errors=True)


def _sha256(file: Path) -> str:
    if not file.is_file():
        raise SettingError(
            f"training.init is {file}, which is no file; allowed: scratch, or an .npz of "
            "MobileNetV2 weights. Give --init FILE, or --init scratch."
        )
    return hashlib.sha256(file.read_bytes()).hexdigest()
