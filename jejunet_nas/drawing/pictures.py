"""Pictures of a trial's validation clips, small enough to be embedded in a page.

Three frames of the clip with the median mIoU (early, midway, late), and one frame each of the worst
and the best clip, as the int8 graphs segment them under the trial's policy, and as they are
annotated. They are cached in a folder of the study, as JPEGs and `<trial>/pictures.json`, and read
from there without the data set or the graphs.

Units: pixels; mIoU of a clip in [0, 1]; frames are counted from 0.
"""

import dataclasses
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image

from jejunet_nas.drawing.overlay import Colour, Picture, class_colours, overlay
from jejunet_nas.errors import SettingError
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.files import beside_of
from jejunet_nas.records import Clip, DataSplit, FramePath, TrialResult, from_json, to_json
from jejunet_nas.scoring.score import combine
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.video.graphs import graphs_of

Role = Literal["early", "midway", "late", "worst", "best"]
_Choice = tuple[Role, Clip, int, float]  # the frame of a clip, and the clip's mIoU

WIDTH_PX = 240
LARGEST_BYTES = 12_000  # of one JPEG; five masks of each of eight trials are 0.6 MB as base64
_QUALITIES = range(84, 20, -8)
_RECORD = "pictures.json"
_PLACES: dict[Role, float] = {"early": 1 / 6, "midway": 1 / 2, "late": 5 / 6}  # in the clip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipFrame:
    """One picture: the frame, its path, and the mIoU of its clip."""

    role: Role
    clip: str
    frame: int
    path: FramePath
    clip_miou: float
    width_px: int
    height_px: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialPictures:
    """The pictures of one trial: `jpegs[i]` shows `frames[i]`, `annotations[i]` its annotation.

    A single annotated clip has no worst and best. Clips without annotation are not shown.
    """

    frames: tuple[ClipFrame, ...]
    jpegs: tuple[bytes, ...]
    annotations: tuple[bytes, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """The record beside the JPEGs. made_of: the network id, the architecture, and the mIoU."""

    made_of: str
    frames: tuple[ClipFrame, ...]


def kept_pictures(trial: TrialResult, cache: Path) -> TrialPictures | None:
    """Return the pictures of `trial` in the folder `cache`.

    None where they are missing, unreadable, of another architecture, or scored otherwise since.
    """
    folder = cache / str(trial.number)
    try:
        kept = from_json(_Kept, (folder / _RECORD).read_bytes())
        files = [(folder / name).read_bytes() for f in kept.frames for name in _files(f)]
    except (OSError, ValueError):
        return None
    if kept.made_of != _made_of(trial):
        return None
    return TrialPictures(
        frames=kept.frames, jpegs=tuple(files[::2]), annotations=tuple(files[1::2])
    )


def trial_pictures(
    trial: TrialResult, networks: Path, val: DataSplit, cache: Path
) -> TrialPictures:
    """Return the pictures of `trial`, from the folder `cache` if they are there.

    networks: the folder of the study's networks. val: the split that the trial was scored on.
    Raises `SettingError` where the split has none of the scored clips, or a graph is missing or
    was changed.
    """
    kept = kept_pictures(trial, cache)
    if kept:
        return kept
    chosen = _choose(trial, val)
    evaluation = Evaluation(val, graphs_of(trial.network, networks))
    colours = class_colours(val.class_names)
    made = (_draw(each, trial, evaluation, colours) for each in chosen)
    frames, jpegs, annotations = zip(*made, strict=True)
    pictures = TrialPictures(frames=frames, jpegs=jpegs, annotations=annotations)
    _keep(pictures, trial, cache)
    return pictures


def _draw(
    choice: _Choice, trial: TrialResult, evaluation: Evaluation, colours: Sequence[Colour | None]
) -> tuple[ClipFrame, bytes, bytes]:
    role, clip, time, clip_miou = choice
    lag = trial.walks[0].lag or 1  # unused without keyframes in the background
    ((mask, path),) = evaluation.masks(clip.name, [time], trial.architecture.policy, lag=lag)
    height, width = clip.frames.shape[1:3]
    height_px = max(1, round(WIDTH_PX * height / width))
    frame = ClipFrame(
        role=role,
        clip=clip.name,
        frame=time,
        path=path,
        clip_miou=clip_miou,
        width_px=WIDTH_PX,
        height_px=height_px,
    )
    shown, annotated = (
        _jpeg(overlay(clip.frames[time], each, colours, height_px, WIDTH_PX))
        for each in (mask, clip.masks[time])
    )
    return frame, shown, annotated


def _choose(trial: TrialResult, val: DataSplit) -> list[_Choice]:
    """Return the frames to be shown, in the order of the page."""
    ranked = _ranked(trial, val)
    if not ranked:
        raise SettingError(
            f"{val.dataset}'s {val.split} split has none of the clips that trial {trial.number} "
            "was scored on. Use the study's data root."
        )
    middle = ranked[(len(ranked) - 1) // 2]
    times = {_annotated(middle[1], place): role for role, place in reversed(_PLACES.items())}
    chosen = [(role, middle, time) for time, role in sorted(times.items())]
    if len(ranked) > 1:
        ends: tuple[tuple[Role, tuple[float, Clip]], ...] = (
            ("worst", ranked[0]),
            ("best", ranked[-1]),
        )
        chosen += [(role, found, _annotated(found[1], 0.5)) for role, found in ends]
    return [(role, clip, time, miou) for role, (miou, clip), time in chosen]


def _annotated(clip: Clip, place: float) -> int:
    """Return the annotated frame that is nearest to a place in the clip, from 0 to 1."""
    wanted = int(place * len(clip))
    known = [time for time in range(len(clip)) if clip.annotated[time]]
    return min(known, key=lambda time: abs(time - wanted), default=wanted)


def _ranked(trial: TrialResult, val: DataSplit) -> list[tuple[float, Clip]]:
    """Return the scored clips of `val` with their mIoU, the worst first."""
    clips = {clip.name: clip for clip in val.clips}
    found = (
        (combine([score]).miou, clips[score.name])
        for score in trial.score.clips
        if score.name in clips and any(score.annotated)
    )
    return sorted(found, key=lambda each: (each[0], each[1].name))


def _jpeg(picture: Picture) -> bytes:
    """Return the JPEG of the best quality within `LARGEST_BYTES`."""
    for quality in _QUALITIES:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= LARGEST_BYTES:
            break
    return file.getvalue()


def _keep(pictures: TrialPictures, trial: TrialResult, cache: Path) -> None:
    """Write the pictures to a new folder, then rename it to replace the old one."""
    folder = cache / str(trial.number)
    part = beside_of(folder)
    try:
        part.mkdir(parents=True, exist_ok=True)
        shown = zip(pictures.frames, pictures.jpegs, pictures.annotations, strict=True)
        for frame, *jpegs in shown:
            for name, jpeg in zip(_files(frame), jpegs, strict=True):
                (part / name).write_bytes(jpeg)
        record = _Kept(made_of=_made_of(trial), frames=pictures.frames)
        (part / _RECORD).write_text(to_json(record, indent=2), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            part.replace(folder)
        except OSError:
            if not (folder / _RECORD).is_file():  # else another report put the same there
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _files(frame: ClipFrame) -> tuple[str, str]:
    return f"{frame.role}.jpg", f"{frame.role}-annotated.jpg"


def _made_of(trial: TrialResult) -> str:
    return f"{trial.network_id} {canonical_json(trial.architecture)} {trial.score.miou}"
