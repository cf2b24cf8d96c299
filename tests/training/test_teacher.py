"""Any graph with a picture in and classes out can teach."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from jejunet_nas.errors import SettingError
from jejunet_nas.records import IGNORE
from jejunet_nas.training.teacher import Teacher, class_table
from tests.training.teachers import (
    write_classes,
    write_float,
    write_logits,
    write_probabilities,
)

NAMES = ("background", "object")
ANY_BUT_0 = [0, "object"]
SAME = np.arange(256, dtype=np.uint8)


def colours(*classes: int) -> npt.NDArray[np.uint8]:
    """Return a picture, uint8 [16, 24, 3], of vertical stripes in pure colours."""
    frame = np.zeros((16, 24, 3), np.uint8)
    for number, colour in enumerate(classes):
        stripe = 24 // len(classes)
        frame[:, number * stripe : (number + 1) * stripe, colour] = 255
    return frame


def stripes(*values: int) -> npt.NDArray[np.uint8]:
    return np.repeat(np.array(values, np.uint8), 12 // len(values))[None].repeat(8, axis=0)


def test_a_class_map_is_mapped_to_the_data_sets_classes(tmp_path: Path) -> None:
    teacher = Teacher(write_classes(tmp_path / "t.tflite"))
    table = class_table(teacher, ANY_BUT_0, NAMES, "davis")

    answer = teacher.ask(colours(0, 1, 2), table, 2)

    assert (teacher.kind, teacher.classes, teacher.rows, teacher.columns) == ("classes", 3, 8, 12)
    np.testing.assert_array_equal(answer.mask, stripes(0, 1, 1))
    assert answer.sureness is None


def test_quantised_logits_become_probabilities_that_are_summed_by_class(tmp_path: Path) -> None:
    teacher = Teacher(write_logits(tmp_path / "t.tflite"))
    table = class_table(teacher, ANY_BUT_0, NAMES, "davis")

    pure, grey = teacher.ask(colours(0, 2), table, 2), teacher.ask(0 * colours(0), table, 2)

    assert (teacher.kind, teacher.classes) == ("logits", 3)
    np.testing.assert_array_equal(pure.mask, stripes(0, 1))
    assert pure.sureness is not None
    assert grey.sureness is not None
    assert pure.sureness.min() == 255
    # Three equal logits, two of which are the object.
    np.testing.assert_array_equal(grey.mask, 1)
    np.testing.assert_array_equal(grey.sureness, 170)


def test_probabilities_of_a_float_teacher_are_taken_as_they_are(tmp_path: Path) -> None:
    teacher = Teacher(write_probabilities(tmp_path / "t.tflite"))

    answer = teacher.ask(colours(1) // 255 * 178, SAME, 3)

    # Colours of -1, 0.396 and -1, five-fold, through the softmax.
    wanted = 1 / (1 + 2 * np.exp(5 * (-1 - (178 / 127.5 - 1))))
    assert teacher.kind == "probabilities"
    assert answer.sureness is not None
    np.testing.assert_array_equal(answer.mask, 1)
    np.testing.assert_allclose(answer.sureness, 255 * wanted, atol=0.51)  # rounded


def test_ignored_classes_give_no_labels(tmp_path: Path) -> None:
    teacher = Teacher(write_logits(tmp_path / "t.tflite"))
    table = class_table(teacher, ["background", "ignore", "object"], NAMES, "davis")

    answer = teacher.ask(colours(0, 1, 2), table, 2)

    np.testing.assert_array_equal(answer.mask, stripes(0, IGNORE, 1))
    assert answer.sureness is not None
    np.testing.assert_array_equal(answer.sureness, stripes(255, 0, 255))


@pytest.mark.parametrize("wanted", [None, "same"])
def test_equally_many_classes_are_taken_as_the_same(wanted: str | None, tmp_path: Path) -> None:
    teacher = Teacher(write_classes(tmp_path / "t.tflite"))

    table = class_table(teacher, wanted, ("a", "b", "c"), "made up")

    np.testing.assert_array_equal(teacher.ask(colours(2, 1), table, 3).mask, stripes(2, 1))


def test_other_numbers_of_classes_are_named_with_the_fix(tmp_path: Path) -> None:
    teacher = Teacher(write_classes(tmp_path / "t.tflite"))

    with pytest.raises(
        SettingError,
        match=r"^teacher_classes is not given, but the teacher has 3 classes and davis has 2\. .*"
        r"teacher_classes: \[background, object\]\.$",
    ):
        class_table(teacher, None, NAMES, "davis")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["background", "objekt"], "holds objekt, .*Did you mean object\\?"),
        ([0, 2], "holds 2, which is not a class of davis; .* or 0 to 1"),
        ([], "has 0 entries; allowed: 1 to 3"),
        ([0, 1, 1, 1], "has 4 entries; allowed: 1 to 3"),
    ],
)
def test_a_wrong_list_of_classes_is_named(
    wanted: list[int | str], words: str, tmp_path: Path
) -> None:
    teacher = Teacher(write_classes(tmp_path / "t.tflite"))

    with pytest.raises(SettingError, match=rf"^teacher_classes {words}"):
        class_table(teacher, wanted, NAMES, "davis")


def test_a_missing_teacher_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        SettingError, match=r"^training\.teacher is .*t\.tflite, which does not exist"
    ):
        Teacher(tmp_path / "t.tflite")


def test_a_file_that_is_not_a_graph_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.tflite").write_bytes(b"hello")

    with pytest.raises(SettingError, match=r"t\.tflite is not a \.tflite graph"):
        Teacher(tmp_path / "t.tflite")


def test_a_graph_without_an_image_input_is_named(tmp_path: Path) -> None:
    file = write_float(tmp_path / "t.tflite", lambda image: {"y": image + 1.0}, (1, 8, 8, 4))

    with pytest.raises(
        SettingError, match=r"takes \[1, 8, 8, 4\] of float32; allowed: one image, [^\n]*\Z"
    ):
        Teacher(file)


def test_a_graph_without_a_class_for_each_pixel_is_named(tmp_path: Path) -> None:
    file = write_float(tmp_path / "t.tflite", lambda image: {"y": tf.reduce_mean(image, (1, 2))})

    with pytest.raises(SettingError, match=r"gives \[1, 3\] of float32; allowed: a class map, "):
        Teacher(file)


def test_a_graph_with_two_outputs_names_them(tmp_path: Path) -> None:
    file = write_float(tmp_path / "t.tflite", lambda image: {"a": image + 1.0, "b": image - 1.0})

    with pytest.raises(SettingError, match=r"has 2 outputs \(.*\); allowed: 1"):
        Teacher(file)
