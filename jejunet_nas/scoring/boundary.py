"""Boundary: J (region) and F (boundary) of one frame, as in the DAVIS benchmark.

J is the IoU of a class's pixels. F combines precision, the share of the mask's outline that is near
the annotation's, and recall, the share of the annotation's that is near the mask's (Perazzi et al.,
"A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016).

Eight classes are compared together, one in each bit of a byte: eight take little longer than one.

Units: pixels; J, F, precision and recall in [0, 1].
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from jejunet_nas.records import IGNORE
from jejunet_nas.scoring.miou import ClassMap

Bits = npt.NDArray[np.uint8]  # [height, width]; bit i is set where the pixel is of the i-th class

NEAR_OF_DIAGONAL = 0.008  # DAVIS' bound_th: outlines match within this share of the diagonal
_CLASSES_A_BYTE = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FrameAccuracy:
    """J and F of one annotated frame, one value a scored class.

    region (J) and boundary (F) are None where the class is in neither the annotation nor the mask.
    annotated: whether the annotation holds the class.
    """

    region: tuple[float | None, ...]
    boundary: tuple[float | None, ...]
    annotated: tuple[bool, ...]


def region_and_boundary(
    annotation: ClassMap, mask: ClassMap, classes: Sequence[int]
) -> FrameAccuracy:
    """Return J and F of each of `classes` in one frame.

    annotation, mask: uint8 [height, width]. Pixels annotated as `IGNORE` belong to no class in
    either map, as DAVIS' void pixels.

    As in DAVIS, the border of the frame is not an outline: a class that fills the frame in one map
    and is missing from the other has no outline in either, so its F is 1 and its J is 0. Unlike in
    DAVIS, a class in neither map is None instead of 1: most classes of a semantic data set are
    absent from most frames, and would raise the mean of any network.
    """
    assert annotation.shape == mask.shape, (annotation.shape, mask.shape)
    assert annotation.dtype == mask.dtype == np.uint8, (annotation.dtype, mask.dtype)
    assert all(0 <= index < IGNORE for index in classes), classes
    known = np.where(annotation == IGNORE, np.uint8(IGNORE), mask)
    found = [
        values
        for first in range(0, len(classes), _CLASSES_A_BYTE)
        for values in _compare(annotation, known, classes[first : first + _CLASSES_A_BYTE])
    ]
    return FrameAccuracy(
        region=tuple(region for region, _, _ in found),
        boundary=tuple(boundary for _, boundary, _ in found),
        annotated=tuple(annotated for _, _, annotated in found),
    )


def _compare(
    annotation: ClassMap, mask: ClassMap, classes: Sequence[int]
) -> Iterator[tuple[float | None, float | None, bool]]:
    """Yield J, F and whether it is annotated, for each of at most eight classes."""
    near_px = near_distance_px(*annotation.shape)
    drawn, shown = _class_bits(annotation, classes), _class_bits(mask, classes)
    drawn_edge, shown_edge = outline(drawn), outline(shown)
    drawn_hit = drawn_edge & dilate(shown_edge, near_px)
    shown_hit = shown_edge & dilate(drawn_edge, near_px)
    for index in range(len(classes)):
        union = _pixels(drawn | shown, index)
        if union == 0:
            yield None, None, False
            continue
        boundary = f_measure(
            annotation_px=_pixels(drawn_edge, index),
            annotation_near_px=_pixels(drawn_hit, index),
            mask_px=_pixels(shown_edge, index),
            mask_near_px=_pixels(shown_hit, index),
        )
        yield _pixels(drawn & shown, index) / union, boundary, _pixels(drawn, index) > 0


def _class_bits(class_map: ClassMap, classes: Sequence[int]) -> Bits:
    bit_of = np.zeros(IGNORE + 1, np.uint8)
    bit_of[list(classes)] = 1 << np.arange(len(classes))
    return bit_of.take(class_map)


def _pixels(bits: Bits, index: int) -> int:
    return int(np.count_nonzero(bits & np.uint8(1 << index)))


def near_distance_px(height: int, width: int) -> int:
    """Return the largest distance at which two outlines of a frame match, at least 1."""
    return math.ceil(NEAR_OF_DIAGONAL * math.hypot(height, width))


def outline(bits: Bits) -> Bits:
    """Return the pixels whose right, lower or lower right neighbour differs, bit by bit.

    An outline is about one pixel wide, half a pixel up and left of the true edge.
    """
    edge = np.zeros_like(bits)
    edge[:, :-1] |= bits[:, :-1] ^ bits[:, 1:]
    edge[:-1] |= bits[:-1] ^ bits[1:]
    edge[:-1, :-1] |= bits[:-1, :-1] ^ bits[1:, 1:]
    return edge


def dilate(bits: Bits, radius_px: int) -> Bits:
    """Return the pixels whose centres are at most `radius_px` from a set pixel's, bit by bit.

    The disk is built from rows: the map is widened step by step to the length of each row, and
    added to the result at that row's height. The time depends only on the frame's size.
    """
    disk, row, half_width = np.zeros_like(bits), bits.copy(), 0
    for height in range(radius_px, -1, -1):
        while (half_width + 1) ** 2 + height**2 <= radius_px**2:
            half_width += 1
            _widen(row, bits, half_width)
        end = -height or None
        disk[height:] |= row[:end]
        disk[:end] |= row[height:]
    return disk


def _widen(row: Bits, bits: Bits, half_width: int) -> None:
    row[:, half_width:] |= bits[:, :-half_width]
    row[:, :-half_width] |= bits[:, half_width:]


def f_measure(
    *, annotation_px: int, annotation_near_px: int, mask_px: int, mask_near_px: int
) -> float:
    """Return F from the outline pixels of both maps and those near the other map's outline.

    1 where neither map has an outline, 0 where only one has.
    """
    if annotation_px == 0 or mask_px == 0:
        return float(annotation_px == mask_px)
    precision, recall = mask_near_px / mask_px, annotation_near_px / annotation_px
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
