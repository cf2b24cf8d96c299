"""Pictures: what a trial makes of the validation clips, small enough to stand inside a page.

Three frames of the clip in the middle of the ranking by mIoU, early, midway and late, and a frame
each of the worst and of the best clip, as the int8 graphs segment them under the trial's policy.
They are kept in a folder of the study, as `<trial>/pictures.json` beside JPEGs, and found there
again without the data set or a graph being opened.

Units: pixels; mIoU of a clip in [0, 1]; frames are counted from 0.
"""

import dataclasses
import io
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image
from pydantic import ValidationError

from jejunet_nas.drawing.overlay import Colour, Picture, class_colours, overlay
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.records import Clip, DataSplit, FramePath, TrialResult, from_json, to_json
from jejunet_nas.scoring.score import combine
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.video.graphs import graph_files

Role = Literal["early", "midway", "late", "worst", "best"]

WIDTH_PX = 240
LARGEST_BYTES = 15_000  # of one JPEG; five of each of eight trials are then below 1 MB as base64
_QUALITIES = range(84, 20, -8)
_RECORD = "pictures.json"
_PLACES: dict[Role, float] = {"early": 1 / 6, "midway": 1 / 2, "late": 5 / 6}  # of the clip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipFrame:
    """One picture: which frame of which clip, what path it took, and what the clip's mIoU is."""

    role: Role
    clip: str
    frame: int
    path: FramePath
    clip_miou: float
    width_px: int
    height_px: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialPictures:
    """The pictures of one trial: `jpegs[i]` is the file of `frames[i]`.

    Of one annotated clip there are no worst and best. A clip without annotation is not shown.
    """

    trial: int
    frames: tuple[ClipFrame, ...]
    jpegs: tuple[bytes, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What lies beside the JPEGs. made_of: names the network and the policy."""

    made_of: str
    frames: tuple[ClipFrame, ...]


def kept_pictures(trial: TrialResult, cache: Path) -> TrialPictures | None:
    """Return the pictures of `trial` that lie in the folder `cache`, None where none or others do.

    A file that cannot be read is as good as none: it can be made again.
    """
    folder = cache / str(trial.number)
    try:
        kept = from_json(_Kept, (folder / _RECORD).read_bytes())
        jpegs = tuple((folder / _file(frame)).read_bytes() for frame in kept.frames)
    except (OSError, ValidationError):
        return None
    if kept.made_of != _made_of(trial):
        return None
    return TrialPictures(trial=trial.number, frames=kept.frames, jpegs=jpegs)


def trial_pictures(
    trial: TrialResult, networks: Path, val: DataSplit, cache: Path
) -> TrialPictures:
    """Return the pictures of `trial`, from the folder `cache` where they lie there already.

    networks: the folder of the study's networks. val: the split that the trial was scored on.
    Raises `SettingError` where the split has none of the clips that were scored, or a graph is
    gone.
    """
    kept = kept_pictures(trial, cache)
    if kept:
        return kept
    chosen = _choose(trial, val)
    evaluation = Evaluation(val, graph_files(trial.network, networks))
    colours = class_colours(val.class_names)
    made = [_draw(each, trial, evaluation, colours) for each in chosen]
    pictures = TrialPictures(
        trial=trial.number,
        frames=tuple(frame for frame, _ in made),
        jpegs=tuple(jpeg for _, jpeg in made),
    )
    _keep(pictures, trial, cache)
    return pictures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Choice:
    """A frame that is to be shown."""

    role: Role
    clip: Clip
    time: int
    clip_miou: float


def _draw(
    choice: _Choice, trial: TrialResult, evaluation: Evaluation, colours: Sequence[Colour | None]
) -> tuple[ClipFrame, bytes]:
    """Return a frame with the trial's mask laid over, and its description."""
    policy, clip = trial.architecture.policy, choice.clip
    lag = trial.walks[0].lag or 1  # of no account where keyframes are waited for
    ((mask, path),) = evaluation.masks(clip.name, [choice.time], policy, lag=lag)
    height, width = clip.frames.shape[1:3]
    height_px = max(1, round(WIDTH_PX * height / width))
    frame = ClipFrame(
        role=choice.role,
        clip=clip.name,
        frame=choice.time,
        path=path,
        clip_miou=choice.clip_miou,
        width_px=WIDTH_PX,
        height_px=height_px,
    )
    return frame, _jpeg(overlay(clip.frames[choice.time], mask, colours, height_px, WIDTH_PX))


def _choose(trial: TrialResult, val: DataSplit) -> list[_Choice]:
    """Return what is to be shown, in the order of the page."""
    ranked = _ranked(trial, val)
    if not ranked:
        raise SettingError(
            f"none of the clips that trial {trial.number} was scored on is in {val.dataset}'s "
            f"{val.split} split; allowed: the split of its study. Give the study's data root."
        )
    middle = ranked[(len(ranked) - 1) // 2]
    chosen = [_choice(role, middle, place) for role, place in _PLACES.items()]
    if len(ranked) > 1:
        chosen += [_choice("worst", ranked[0], 0.5), _choice("best", ranked[-1], 0.5)]
    return chosen


def _choice(role: Role, ranked: tuple[float, Clip], place: float) -> _Choice:
    miou, clip = ranked
    return _Choice(role=role, clip=clip, time=int(place * len(clip)), clip_miou=miou)


def _ranked(trial: TrialResult, val: DataSplit) -> list[tuple[float, Clip]]:
    """Return the clips of `val` that were scored with their mIoU, the worst first."""
    clips = {clip.name: clip for clip in val.clips}
    found = []
    for score in trial.score.clips:
        if score.name in clips:
            try:
                found.append((combine([score]).miou, clips[score.name]))
            except DataError:  # not annotated
                continue
    return sorted(found, key=lambda each: (each[0], each[1].name))


def _jpeg(picture: Picture) -> bytes:
    """Return the picture in the best quality that stays within `LARGEST_BYTES`."""
    data = b""
    for quality in _QUALITIES:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality, optimize=True)
        data = file.getvalue()
        if len(data) <= LARGEST_BYTES:
            break
    return data


def _keep(pictures: TrialPictures, trial: TrialResult, cache: Path) -> None:
    """Write pictures and their record beside their folder, and then in its place."""
    folder = cache / str(trial.number)
    part = cache / f"{trial.number}.{os.getpid()}.part"
    part.mkdir(parents=True, exist_ok=True)
    for frame, jpeg in zip(pictures.frames, pictures.jpegs, strict=True):
        (part / _file(frame)).write_bytes(jpeg)
    record = _Kept(made_of=_made_of(trial), frames=pictures.frames)
    (part / _RECORD).write_text(to_json(record, indent=2), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)


def _file(frame: ClipFrame) -> str:
    return f"{frame.role}.jpg"


def _made_of(trial: TrialResult) -> str:
    return f"{trial.network_id} {canonical_json(trial.architecture)}"
