"""What a teacher says of a split's frames: asked once, kept in one file, mapped into memory.

The file holds frame after frame, in the order of the clips: the mask, and where the teacher gives
scores, how sure it is of each pixel. It is written under another name and renamed when whole; a
process that was killed is gone on with from the last whole frame.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import SettingError
from jejunet_nas.progress import Tell
from jejunet_nas.records import IGNORE, Clip, DataSplit, Masks
from jejunet_nas.resize import resize_mask
from jejunet_nas.training.settings import TeacherOn, TrainingSettings
from jejunet_nas.training.teacher import Answer, Teacher, class_table

_VERSION = 1  # of what is kept: raise it when the same teacher begins to say something else
_SPARE_BYTES = 2**28  # of a disk that stay free: other programs write too


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the frames of one clip lie: from byte `start` on, `layers` pictures each."""

    start: int
    layers: int
    height: int
    width: int
    asked: npt.NDArray[np.bool_]  # [time]

    @property
    def frame_bytes(self) -> int:
        return self.layers * self.height * self.width

    @property
    def stop(self) -> int:
        return self.start + int(self.asked.sum()) * self.frame_bytes


class Teaching:
    """The masks of a whole split, as `datasets.sampling.Taught` asks for them."""

    def __init__(self, file: Path, places: list[_Place], *, threshold: float, soft: bool) -> None:
        self._bytes = np.memmap(file, np.uint8, "r")
        self._places = places
        self._least, self._soft = round(255 * threshold), soft

    def times(self, clip: int) -> npt.NDArray[np.bool_]:
        """Return which frames of a clip were asked about."""
        return self._places[clip].asked

    def at(self, clip: int, t: int) -> tuple[Masks, Masks | None]:
        """Return the mask of a frame, and for soft targets how sure it is."""
        place = self._places[clip]
        if not place.asked[t]:
            return np.full((1, 1), IGNORE, np.uint8), self._kept(np.zeros((1, 1), np.uint8))
        first = place.start + int(place.asked[:t].sum()) * place.frame_bytes
        stored = self._bytes[first : first + place.frame_bytes]
        layers = np.asarray(stored).reshape(place.layers, place.height, place.width)
        if place.layers == 1:
            return layers[0], None
        mask, sureness = layers
        if self._least:
            mask = np.where(sureness < self._least, np.uint8(IGNORE), mask)
        return mask, self._kept(sureness)

    def _kept(self, sureness: Masks) -> Masks | None:
        return sureness if self._soft else None


def teach(
    teacher: Teacher,
    digest: str,
    split: DataSplit,
    settings: TrainingSettings,
    folder: Path,
    tell: Tell,
) -> Teaching:
    """Return what `teacher` says of the frames of `split`, asked once and kept in `folder`.

    digest: the SHA-256 of the teacher's file. Raises `SettingError` where its classes are not the
    split's, or it cannot say what the settings ask for.
    """
    table = class_table(teacher, settings.teacher_classes, split.class_names, split.dataset)
    _check_scores(teacher, settings)
    places = _lay_out(teacher, split, settings.teacher_on)
    whole = places[-1].stop
    if whole == 0:
        raise SettingError(
            f"teacher_on is {settings.teacher_on}, and every frame of {split.dataset} is "
            "annotated; allowed: all. Use all, or leave the teacher out."
        )
    classes = len(split.class_names)
    told = [_VERSION, digest, split.fingerprint, classes, table.tolist(), settings.teacher_on]
    key = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
    file = folder / f"teacher-{key}.u8"
    if not (file.is_file() and file.stat().st_size == whole):
        _write(file, places, split, tell, lambda frame: teacher.ask(frame, table, classes))
    return Teaching(
        file,
        places,
        threshold=settings.teacher_threshold,
        soft=settings.teacher_targets == "soft",
    )


def _check_scores(teacher: Teacher, settings: TrainingSettings) -> None:
    if teacher.kind != "classes":
        return
    asked = {"teacher_targets": "hard", "teacher_threshold": 0.0}
    for name, fix in asked.items():
        value = getattr(settings, name)
        if value != fix:
            raise SettingError(
                f"{name} is {value}, and the teacher gives classes alone; allowed: {fix}. Use "
                f"{fix}, or a teacher that gives scores."
            )


def _lay_out(teacher: Teacher, split: DataSplit, on: TeacherOn) -> list[_Place]:
    """Return where each clip's frames lie; masks are no larger than the frames."""
    places: list[_Place] = []
    start = 0
    for clip in split.clips:
        asked = np.ones(len(clip), np.bool_) if on == "all" else ~clip.annotated
        height, width = clip.frames.shape[1:3]
        places.append(
            _Place(
                start=start,
                layers=1 if teacher.kind == "classes" else 2,
                height=min(teacher.rows, height),
                width=min(teacher.columns, width),
                asked=asked,
            )
        )
        start = places[-1].stop
    return places


def _write(
    file: Path,
    places: list[_Place],
    split: DataSplit,
    tell: Tell,
    ask: Callable[[npt.NDArray[np.uint8]], Answer],
) -> None:
    part = file.with_suffix(".part")
    part.touch()
    there = part.stat().st_size
    _check_room(file.parent, places[-1].stop - there)
    frames = [(place, clip, t) for place, clip, t in _frames(places, split)]
    with part.open("r+b") as opened:
        done = offset = 0
        for place, _, _ in frames:
            if offset + place.frame_bytes > there:
                break
            offset, done = offset + place.frame_bytes, done + 1
        opened.truncate(offset)
        opened.seek(offset)
        for place, clip, t in frames[done:]:
            answer = ask(clip.frames[t])
            for picture in (answer.mask, answer.sureness)[: place.layers]:
                assert picture is not None
                opened.write(resize_mask(picture, place.height, place.width).tobytes())
            done += 1
            tell("ask the teacher", done, len(frames))
    part.rename(file)


def _frames(places: list[_Place], split: DataSplit) -> Iterator[tuple[_Place, Clip, int]]:
    for place, clip in zip(places, split.clips, strict=True):
        for t in np.flatnonzero(place.asked):
            yield place, clip, int(t)


def _check_room(folder: Path, needed: int) -> None:
    free = max(0, shutil.disk_usage(folder).free - _SPARE_BYTES)
    if needed > free:
        raise SettingError(
            f"{folder} has {free / 1e9:.1f} GB free; allowed: {needed / 1e9:.1f} GB, for what the "
            "teacher says. Free some room, or take a part of the data."
        )
