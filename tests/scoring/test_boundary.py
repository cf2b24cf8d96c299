import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jejunet_nas.records import IGNORE
from jejunet_nas.scoring.boundary import (
    FrameAccuracy,
    dilate,
    f_measure,
    near_distance_px,
    outline,
    region_and_boundary,
)
from jejunet_nas.scoring.miou import ClassMap

THREE = (0, 1, 2)


def picture(*rows: list[int]) -> ClassMap:
    return np.array(rows, dtype=np.uint8)


def square(top: int, left: int, side: int = 20) -> ClassMap:
    """A frame of 120 x 250 with a square of class 1; outlines match within 3 pixels."""
    frame = np.zeros((120, 250), np.uint8)
    frame[top : top + side, left : left + side] = 1
    return frame


def class_maps(
    values: st.SearchStrategy[int], sides: tuple[int, int] = (9, 130)
) -> st.SearchStrategy[ClassMap]:
    return hnp.arrays(np.uint8, sides, elements=values)


def noisy_pair(seed: int, height: int, width: int, classes: int) -> tuple[ClassMap, ClassMap]:
    """Two blocky maps that agree in about two pixels of three, with unknown pixels in the first."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, classes, (height // 4 + 1, width // 4 + 1), dtype=np.uint8)
    annotation = blocks.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
    noise = random.integers(0, classes, (height, width), dtype=np.uint8)
    mask = np.where(random.random((height, width)) < 0.4, noise, annotation)
    return np.where(random.random((height, width)) < 0.05, IGNORE, annotation), mask


def slow_outline(region: set[tuple[int, int]], height: int, width: int) -> set[tuple[int, int]]:
    return {
        (y, x)
        for y, x in product(range(height), range(width))
        for below, right in ((y, x + 1), (y + 1, x), (y + 1, x + 1))
        if below < height and right < width and ((below, right) in region) != ((y, x) in region)
    }


def slow_f(annotation: ClassMap, mask: ClassMap, index: int) -> float:
    """F as the paper defines it, pixel by pixel."""
    height, width = annotation.shape
    near = math.ceil(0.008 * math.sqrt(height**2 + width**2))
    pixels = [p for p in product(range(height), range(width)) if annotation[p] != IGNORE]
    drawn = slow_outline({p for p in pixels if annotation[p] == index}, height, width)
    shown = slow_outline({p for p in pixels if mask[p] == index}, height, width)
    if not drawn or not shown:
        return 1.0 if not drawn and not shown else 0.0

    def share_near(some: set[tuple[int, int]], others: set[tuple[int, int]]) -> float:
        return sum(min(math.dist(p, q) for q in others) <= near for p in some) / len(some)

    precision, recall = share_near(shown, drawn), share_near(drawn, shown)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_j_is_the_iou_of_a_class_within_the_frame() -> None:
    annotation = picture([1, 1, 1, 0], [0, 0, 0, 0])
    mask = picture([0, 1, 1, 1], [0, 0, 0, 0])

    assert region_and_boundary(annotation, mask, (0, 1)).region == (4 / 6, 2 / 4)


def test_an_outline_is_where_the_right_the_lower_or_the_lower_right_pixel_differs() -> None:
    one_pixel = picture([0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0])

    assert outline(one_pixel).tolist() == [
        [0, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]


def test_the_border_of_the_frame_is_no_outline() -> None:
    lower_right = picture([0, 0, 0], [0, 1, 1], [0, 1, 1])

    assert outline(lower_right).tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert not outline(np.ones((3, 3), np.uint8)).any()


def test_a_pixel_grows_to_a_disk() -> None:
    pixel = np.zeros((5, 5), np.uint8)
    pixel[2, 2] = 1

    assert dilate(pixel, 2).tolist() == [
        [0, 0, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 0, 0],
    ]


@pytest.mark.parametrize(
    ("height", "width", "near_px"), [(480, 854, 8), (240, 427, 4), (75, 100, 1), (76, 100, 2)]
)
def test_outlines_match_within_8_thousandths_of_the_diagonal_rounded_up(
    height: int, width: int, near_px: int
) -> None:
    assert near_distance_px(height, width) == near_px


def test_f_is_the_harmonic_mean_of_precision_and_recall() -> None:
    # Precision 1/2, recall 1/4.
    assert f_measure(
        annotation_px=8, annotation_near_px=2, mask_px=4, mask_near_px=2
    ) == pytest.approx(1 / 3)


def test_half_an_object_has_a_precise_outline_that_recalls_half() -> None:
    annotation = np.zeros((10, 60), np.uint8)
    annotation[:, 20:40] = 1  # outlines: 10 pixels at column 19, 10 at column 39
    mask = np.zeros((10, 60), np.uint8)
    mask[:, 20:] = 1  # the left outline alone

    found = region_and_boundary(annotation, mask, (1,))

    assert found.region == (1 / 2,)
    assert found.boundary == (pytest.approx(2 * 1 * 0.5 / 1.5),)


def test_an_outline_that_only_one_map_has_scores_0() -> None:
    both = picture([0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0])
    nothing = np.zeros_like(both)

    for annotation, mask in ((both, nothing), (nothing, both)):
        found = region_and_boundary(annotation, mask, (1,))
        assert (found.region, found.boundary) == ((0.0,), (0.0,))


def test_a_class_in_neither_map_has_no_value_and_one_in_the_mask_alone_is_not_annotated() -> None:
    found = region_and_boundary(picture([0, 0, 0]), picture([0, 0, 1]), THREE)

    assert found == FrameAccuracy(
        region=(2 / 3, 0.0, None), boundary=(0.0, 0.0, None), annotated=(True, False, False)
    )


def test_a_class_that_fills_the_frame_has_no_outline_to_miss() -> None:
    found = region_and_boundary(picture([0, 0], [0, 0]), picture([1, 1], [1, 1]), (0, 1))

    assert (found.region, found.boundary) == ((0.0, 0.0), (1.0, 1.0))


def test_nothing_known_and_nothing_asked_for_have_no_values() -> None:
    unknown = np.full((4, 4), IGNORE, np.uint8)

    assert region_and_boundary(unknown, np.zeros((4, 4), np.uint8), (0, 1)) == FrameAccuracy(
        region=(None, None), boundary=(None, None), annotated=(False, False)
    )
    assert region_and_boundary(unknown, unknown, ()).region == ()


def test_an_object_ends_at_unknown_pixels_in_both_maps() -> None:
    annotation = picture([1, 1, IGNORE, 0, 0, 0], [1, 1, IGNORE, 0, 0, 0])
    beyond = picture([1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0])

    found = region_and_boundary(annotation, beyond, (1,))

    assert (found.region, found.boundary) == ((1.0,), (1.0,))


@given(down=st.integers(-3, 3), right=st.integers(-3, 3))
def test_a_shift_by_no_more_than_the_distance_keeps_f_at_1(down: int, right: int) -> None:
    found = region_and_boundary(square(50, 100), square(50 + down, 100 + right), (1,))

    assert (found.boundary == (1.0,)) == (math.hypot(down, right) <= 3)
    assert (found.region == (1.0,)) == ((down, right) == (0, 0))


@given(left=st.integers(130, 225))
def test_a_shift_to_far_away_scores_0(left: int) -> None:
    found = region_and_boundary(square(50, 100), square(50, left), (1,))

    assert (found.region, found.boundary) == ((0.0,), (0.0,))


@given(annotation=class_maps(st.sampled_from([0, 1, 2, IGNORE])))
def test_a_perfect_mask_scores_1_wherever_the_class_occurs(annotation: ClassMap) -> None:
    mask = np.where(annotation == IGNORE, 0, annotation).astype(np.uint8)
    found = region_and_boundary(annotation, mask, THREE)
    expected = tuple(1.0 if (annotation == index).any() else None for index in THREE)

    assert found.region == found.boundary == expected
    assert found.annotated == tuple(value is not None for value in expected)


@given(one=class_maps(st.integers(0, 2)), other=class_maps(st.integers(0, 2)))
def test_j_and_f_are_the_same_with_annotation_and_mask_swapped(
    one: ClassMap, other: ClassMap
) -> None:
    found, swapped = region_and_boundary(one, other, THREE), region_and_boundary(other, one, THREE)

    assert found.region == swapped.region
    # Precision and recall change places in a sum and in a product: the last bit may round apart.
    assert [f if f is None else pytest.approx(f, rel=1e-15) for f in found.boundary] == list(
        swapped.boundary
    )


@given(seed=st.integers(0, 2**32 - 1))
def test_what_the_mask_shows_at_unknown_pixels_changes_nothing(seed: int) -> None:
    annotation, mask = noisy_pair(seed, 20, 30, 3)
    other = np.random.default_rng(seed + 1).integers(0, 3, mask.shape, dtype=np.uint8)
    mixed = np.where(annotation == IGNORE, other, mask)

    assert region_and_boundary(annotation, mask, THREE) == region_and_boundary(
        annotation, mixed, THREE
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    sides=st.sampled_from([(1, 1), (1, 40), (2, 300), (7, 130), (12, 20), (300, 2)]),
)
def test_f_is_what_its_definition_gives_pixel_by_pixel(seed: int, sides: tuple[int, int]) -> None:
    annotation, mask = noisy_pair(seed, *sides, 3)
    found = region_and_boundary(annotation, mask, THREE)

    for index, boundary in zip(THREE, found.boundary, strict=True):
        if boundary is not None:
            assert boundary == slow_f(annotation, mask, index)


@given(
    bits=class_maps(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 6, 128]), (11, 13)),
    near=st.integers(0, 9),
)
def test_dilating_reaches_all_pixels_within_the_radius_and_no_others(
    bits: ClassMap, near: int
) -> None:
    expected = np.zeros_like(bits)
    for y, x in np.argwhere(bits):
        rows, columns = np.ogrid[: bits.shape[0], : bits.shape[1]]
        expected[(rows - y) ** 2 + (columns - x) ** 2 <= near**2] |= bits[y, x]

    assert dilate(bits, near).tolist() == expected.tolist()


@given(seed=st.integers(0, 2**32 - 1))
def test_a_class_scores_the_same_whatever_others_are_scored_beside_it(seed: int) -> None:
    annotation, mask = noisy_pair(seed, 20, 30, 19)
    found = region_and_boundary(annotation, mask, range(19))

    for index in range(19):
        alone = region_and_boundary(annotation, mask, (index,))
        assert alone == FrameAccuracy(
            region=(found.region[index],),
            boundary=(found.boundary[index],),
            annotated=(found.annotated[index],),
        )


def test_maps_of_different_sizes_are_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError, match=r"\(1, 2\), \(1, 3\)"):
        region_and_boundary(picture([0, 0]), picture([0, 0, 0]), (1,))
