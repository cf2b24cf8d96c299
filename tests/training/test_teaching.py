"""A teacher is asked about each frame once."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.records import IGNORE, Clip, DataSplit
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.training.teacher import Answer, Teacher
from jejunet_nas.training.teaching import Teaching, teach
from tests.training.teachers import write_classes, write_logits

TAUGHT = TrainingSettings(teacher="t.tflite", teacher_classes=(0, "object"))


def split_of(*lengths: int, annotated: int = 1) -> DataSplit:
    """Return clips whose frame t is of the pure colour t % 3, the first ones annotated."""
    clips = []
    for number, length in enumerate(lengths):
        frames = np.zeros((length, 8, 12 - 4 * number, 3), np.uint8)
        for t in range(length):
            frames[t, :, :, t % 3] = 255
        known = np.arange(length) < annotated
        masks = np.where(known[:, None, None], 1, IGNORE) * np.ones((length, 4, 4))
        clips.append(
            Clip(
                name=f"{number}",
                frames=frames,
                masks=masks.astype(np.uint8),
                annotated=known,
                fps=24.0,
            )
        )
    return DataSplit(
        dataset="test",
        split="train",
        class_names=("background", "object"),
        clips=tuple(clips),
        fingerprint="0",
    )


class Asked:
    """Counts what the teacher is asked, and can die at a question."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dies_at: int | None = None) -> None:
        self.times = 0
        ask = Teacher.ask

        def counting(teacher: Teacher, *question: object) -> Answer:
            if self.times == dies_at:
                raise KeyboardInterrupt
            self.times += 1
            return ask(teacher, *question)  # type: ignore[arg-type]

        monkeypatch.setattr(Teacher, "ask", counting)


def silence(what: str, done: int, total: int) -> None:
    pass


def taught(
    folder: Path, split: DataSplit, settings: TrainingSettings = TAUGHT, *, scores: bool = False
) -> Teaching:
    write = write_logits if scores else write_classes
    teacher = Teacher(write(folder / "t.tflite"))
    return teach(teacher, "digest", split, settings, folder, silence)


def test_only_frames_without_annotation_get_labels(tmp_path: Path) -> None:
    teaching = taught(tmp_path, split_of(4, 3))

    assert teaching.times(0).tolist() == [False, True, True, True]
    assert teaching.times(1).tolist() == [False, True, True]
    for clip, t in ((0, 1), (0, 3), (1, 2)):
        mask, sureness = teaching.at(clip, t)
        assert mask.shape == (8, 12 - 4 * clip)  # no larger than the frame
        assert (np.unique(mask).tolist(), sureness) == ([min(t % 3, 1)], None)
    assert np.unique(teaching.at(0, 0)[0]).tolist() == [IGNORE]


def test_all_frames_get_labels_with_teacher_on_all(tmp_path: Path) -> None:
    teaching = taught(tmp_path, split_of(3), dataclasses.replace(TAUGHT, teacher_on="all"))

    assert teaching.times(0).all()
    assert [int(teaching.at(0, t)[0][0, 0]) for t in range(3)] == [0, 1, 1]


def test_a_second_trial_reads_the_labels_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = split_of(4)
    taught(tmp_path, split)
    asked = Asked(monkeypatch)

    taught(tmp_path, split)

    assert asked.times == 0
    other = dataclasses.replace(TAUGHT, teacher_classes=("object", "background"))
    assert int(taught(tmp_path, split, other).at(0, 1)[0][0, 0]) == 0
    assert asked.times == 3


def test_an_interrupted_teacher_resumes_after_its_last_whole_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = split_of(4, 3)
    with monkeypatch.context() as dying:
        Asked(dying, dies_at=2)
        with pytest.raises(KeyboardInterrupt):
            taught(tmp_path, split)
    (part,) = tmp_path.glob("teacher-*.part")
    with part.open("ab") as torn:
        torn.write(b"half a frame")
    asked = Asked(monkeypatch)

    teaching = taught(tmp_path, split)

    assert asked.times == 3  # of five
    told = [int(teaching.at(c, t)[0][0, 0]) for c, t in ((0, 1), (0, 2), (0, 3), (1, 1), (1, 2))]
    assert told == [1, 1, 0, 1, 1]
    assert not list(tmp_path.glob("teacher-*.part"))


def test_pixels_below_the_threshold_are_ignored(tmp_path: Path) -> None:
    split = split_of(3)
    split.clips[0].frames[2] = 90  # grey: the object's two colours of three, sure by two thirds

    sure, unsure = (
        taught(
            tmp_path,
            split,
            dataclasses.replace(TAUGHT, teacher_threshold=least, teacher_targets="soft"),
            scores=True,
        )
        for least in (0.6, 0.7)
    )

    for teaching, wanted in ((sure, 1), (unsure, IGNORE)):
        mask, sureness = teaching.at(0, 2)
        assert sureness is not None
        assert (np.unique(mask).tolist(), np.unique(sureness).tolist()) == ([wanted], [170])
    assert len(list(tmp_path.glob("teacher-*.u8"))) == 1  # another threshold asks nothing again


@pytest.mark.parametrize(
    ("name", "value"), [("teacher_targets", "soft"), ("teacher_threshold", 0.5)]
)
def test_a_teacher_without_scores_has_no_soft_targets_and_no_threshold(
    name: str, value: object, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=rf"^{name} is {value}, .*gives only classes; allowed:"):
        taught(tmp_path, split_of(3), dataclasses.replace(TAUGHT, **{name: value}))


def test_a_fully_annotated_data_set_needs_teacher_on_all(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"teacher_on is unannotated, .* allowed: all\."):
        taught(tmp_path, split_of(3, annotated=3))


def test_a_full_disk_names_the_room_that_labels_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    words = r"has 0\.0 GB free, but the teacher's labels need 0\.0 GB\. Free some space"
    with pytest.raises(SettingError, match=words):
        taught(tmp_path, split_of(3))
