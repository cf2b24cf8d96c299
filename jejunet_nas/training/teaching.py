"""A teacher's pseudo-labels of a split: computed once, kept in one file, memory-mapped.

The file contains frame after frame, in the order of the clips: the mask, and the sureness if the
teacher gives scores. An interrupted run leaves a `.part` file; the next one resumes it after its
last complete frame.
"""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import SettingError
from jejunet_nas.progress import Tell
from jejunet_nas.records import IGNORE, DataSplit, Masks
from jejunet_nas.resize import resize_mask
from jejunet_nas.training.settings import TeacherOn, TrainingSettings
from jejunet_nas.training.teacher import Answer, Teacher, class_table

_VERSION = 1  # of the file's content: to be raised when the same teacher gives other labels
_SPARE_BYTES = 2**28  # of the disk that are left free for other programs


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """The place of one clip in the file: from byte `start` on, `layers` pictures per frame."""

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
    """The pseudo-labels of a whole split; implements `datasets.sampling.Taught`."""

    def __init__(self, file: Path, places: list[_Place], *, threshold: float, soft: bool) -> None:
        self._bytes = np.memmap(file, np.uint8, "r")
        self._places = places
        self._least, self._soft = round(255 * threshold), soft

    def times(self, clip: int) -> npt.NDArray[np.bool_]:
        """Return for each frame of a clip whether it has pseudo-labels, bool [time]."""
        return self._places[clip].asked

    def at(self, clip: int, t: int) -> tuple[Masks, Masks | None]:
        """Return the mask of a frame and, for soft targets, its sureness; both uint8 [h, w]."""
        place = self._places[clip]
        if not place.asked[t]:
            mask, sureness = np.full((1, 1), IGNORE, np.uint8), np.zeros((1, 1), np.uint8)
            return mask, sureness if self._soft else None
        first = place.start + int(place.asked[:t].sum()) * place.frame_bytes
        stored = self._bytes[first : first + place.frame_bytes]
        layers = np.asarray(stored).reshape(place.layers, place.height, place.width)
        if place.layers == 1:
            return layers[0], None
        mask, sureness = layers
        if self._least:
            mask = np.where(sureness < self._least, np.uint8(IGNORE), mask)
        return mask, sureness if self._soft else None


def teach(
    teacher: Teacher,
    digest: str,
    split: DataSplit,
    settings: TrainingSettings,
    folder: Path,
    tell: Tell,
) -> Teaching:
    """Return the pseudo-labels of `teacher` for the frames of `split`, kept in `folder`.

    digest: the SHA-256 of the teacher's file. Raises `SettingError` if its classes do not match
    those of the split, or if it has no probabilities but the settings need them.
    """
    table = class_table(teacher, settings.teacher_classes, split.class_names, split.dataset)
    _check_scores(teacher, settings)
    places = _lay_out(teacher, split, settings.teacher_on)
    size = places[-1].stop
    if size == 0:
        raise SettingError(
            f"teacher_on is {settings.teacher_on}, but every frame of {split.dataset} is "
            "annotated; allowed: all. Use all, or remove the teacher."
        )
    classes = len(split.class_names)
    made_from = [_VERSION, digest, split.fingerprint, classes, table.tolist(), settings.teacher_on]
    key = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:12]
    file = folder / f"teacher-{key}.u8"
    if not (file.is_file() and file.stat().st_size == size):
        _write(file, places, split, tell, lambda frame: teacher.ask(frame, table, classes))
    soft = settings.teacher_targets == "soft"
    return Teaching(file, places, threshold=settings.teacher_threshold, soft=soft)


def _check_scores(teacher: Teacher, settings: TrainingSettings) -> None:
    if teacher.kind != "classes":
        return
    for name, only in (("teacher_targets", "hard"), ("teacher_threshold", 0.0)):
        value = getattr(settings, name)
        if value != only:
            raise SettingError(
                f"{name} is {value}, but the teacher gives only classes; allowed: {only}. Use "
                f"{only}, or a teacher that gives scores."
            )


def _lay_out(teacher: Teacher, split: DataSplit, on: TeacherOn) -> list[_Place]:
    """Return the place of each clip in the file; masks are not larger than the frames."""
    places: list[_Place] = []
    for clip in split.clips:
        height, width = clip.frames.shape[1:3]
        places.append(
            _Place(
                start=places[-1].stop if places else 0,
                layers=1 if teacher.kind == "classes" else 2,
                height=min(teacher.rows, height),
                width=min(teacher.columns, width),
                asked=np.ones(len(clip), np.bool_) if on == "all" else ~clip.annotated,
            )
        )
    return places


def _write(
    file: Path,
    places: list[_Place],
    split: DataSplit,
    tell: Tell,
    ask: Callable[[npt.NDArray[np.uint8]], Answer],
) -> None:
    """Write `file`, or resume its `.part` after the last complete frame."""
    part = file.with_suffix(".part")
    part.touch()
    written = part.stat().st_size
    _check_disk(file.parent, places[-1].stop - written)
    frames = [
        (place, clip, int(t))
        for place, clip in zip(places, split.clips, strict=True)
        for t in np.flatnonzero(place.asked)
    ]
    ends = np.cumsum([place.frame_bytes for place, _, _ in frames])
    done = int(np.searchsorted(ends, written, side="right"))
    with part.open("r+b") as opened:
        opened.truncate(int(ends[done - 1]) if done else 0)
        opened.seek(0, os.SEEK_END)
        for number, (place, clip, t) in enumerate(frames[done:], start=done + 1):
            for picture in ask(clip.frames[t])[: place.layers]:
                assert picture is not None
                opened.write(resize_mask(picture, place.height, place.width).tobytes())
            tell("ask the teacher", number, len(frames))
    part.replace(file)


def _check_disk(folder: Path, needed: int) -> None:
    free = max(0, shutil.disk_usage(folder).free - _SPARE_BYTES)
    if needed > free:
        raise SettingError(
            f"{folder} has {free / 1e9:.1f} GB free, but the teacher's labels need "
            f"{needed / 1e9:.1f} GB. Free some space, or use fewer clips."
        )
