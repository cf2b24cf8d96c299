import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE
from jejunet_nas.scoring.miou import (
    ClassMap,
    class_iou,
    confusion_matrix,
    intersection_and_union,
    mean_iou,
)


def picture(*rows: list[int]) -> ClassMap:
    return np.array(rows, dtype=np.uint8)


def ious(annotation: ClassMap, mask: ClassMap, classes: int) -> tuple[float | None, ...]:
    matrix = confusion_matrix(annotation, mask, classes)
    intersection, union = intersection_and_union(matrix)
    return class_iou(intersection.tolist(), union.tolist())


def test_rows_of_the_confusion_matrix_are_annotated_classes() -> None:
    annotation = picture([0, 0, 1], [0, 1, IGNORE])
    mask = picture([0, 1, 1], [0, 0, 1])

    matrix = confusion_matrix(annotation, mask, 2)

    assert matrix.tolist() == [[2, 1], [1, 1]]
    assert matrix.dtype == np.int64


def test_two_of_four_pixels_shared_is_an_iou_of_a_half() -> None:
    annotation = picture([1, 1, 1, 0], [0, 0, 0, 0])
    mask = picture([0, 1, 1, 1], [0, 0, 0, 0])

    assert ious(annotation, mask, 2) == (4 / 6, 2 / 4)


def test_a_class_that_occurs_nowhere_has_no_iou_and_is_left_out_of_the_mean() -> None:
    found = ious(picture([0, 0, 2, 2]), picture([0, 0, 2, 0]), 3)

    assert found == (2 / 3, None, 1 / 2)
    assert mean_iou(found) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_class_that_is_only_predicted_scores_nothing_and_counts_in_the_mean() -> None:
    found = ious(picture([0, 0]), picture([0, 1]), 2)

    assert found == (1 / 2, 0.0)
    assert mean_iou(found) == 0.25


def test_an_annotated_value_that_is_no_class_is_named_with_what_is_allowed() -> None:
    with pytest.raises(DataError, match=r"the value 7; allowed: 0 to 2, and 255"):
        confusion_matrix(picture([0, 7]), picture([0, 0]), 3)


def test_a_predicted_value_that_is_no_class_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError, match="3"):
        confusion_matrix(picture([0, 1]), picture([0, 3]), 3)


def test_nothing_annotated_at_all_is_told_and_not_scored() -> None:
    with pytest.raises(DataError, match=r"no pixel .* is annotated\. Add a mask"):
        mean_iou(ious(picture([IGNORE]), picture([0]), 2))


def test_as_many_classes_as_a_byte_can_hold_are_counted() -> None:
    annotation = np.arange(256, dtype=np.uint8).reshape(16, 16)
    mask = np.minimum(annotation, 254)

    assert np.array_equal(confusion_matrix(annotation, mask, 255), np.eye(255, dtype=np.int64))


def class_maps(values: st.SearchStrategy[int]) -> st.SearchStrategy[ClassMap]:
    return hnp.arrays(np.uint8, (4, 6), elements=values)


@given(
    annotation=class_maps(st.sampled_from([0, 1, 2, 3, IGNORE])), mask=class_maps(st.integers(0, 3))
)
def test_class_ious_are_those_of_sets_of_pixels(annotation: ClassMap, mask: ClassMap) -> None:
    known = {(y, x) for y, x in np.ndindex(4, 6) if annotation[y, x] != IGNORE}

    found = ious(annotation, mask, 4)

    for index, iou in enumerate(found):
        drawn = {place for place in known if annotation[place] == index}
        shown = {place for place in known if mask[place] == index}
        # Both divide the same two whole numbers.
        assert iou == (len(drawn & shown) / len(drawn | shown) if drawn | shown else None)


@given(annotation=class_maps(st.sampled_from([0, 1, 2, IGNORE])).filter(lambda a: (a < 3).any()))
def test_a_perfect_prediction_scores_1(annotation: ClassMap) -> None:
    mask = np.where(annotation == IGNORE, 0, annotation).astype(np.uint8)

    assert mean_iou(ious(annotation, mask, 3)) == 1.0
