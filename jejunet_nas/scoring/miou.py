"""Mean intersection over union (mIoU) of class maps, from a confusion matrix.

Pixels whose annotation is `IGNORE` do not count. A class that occurs in neither map has no IoU and
is left out of the mean.

Units: pixels; IoUs in [0, 1].
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE

ClassMap = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]


def confusion_matrix(annotation: ClassMap, mask: ClassMap, classes: int) -> Counts:
    """Return the confusion matrix: annotated classes in rows, predicted classes in columns.

    annotation, mask: uint8 [height, width]. Returns int64 [classes, classes]. Raises DataError
    where the annotation holds a value that is neither a class nor `IGNORE`.
    """
    assert annotation.shape == mask.shape, (annotation.shape, mask.shape)
    assert annotation.dtype == mask.dtype == np.uint8, (annotation.dtype, mask.dtype)
    assert 0 < classes <= IGNORE, classes
    assert mask.max(initial=0) < classes, int(mask.max())
    # Ignored pixels are counted too: selecting the others first takes longer. The largest value,
    # 255 * 255 + 254, fits 16 bits.
    pairs = annotation.astype(np.uint16) * np.uint16(classes) + mask
    counts = np.bincount(pairs.ravel(), minlength=(IGNORE + 1) * classes)
    rows = counts.reshape(IGNORE + 1, classes).astype(np.int64, copy=False)
    unknown = np.flatnonzero(rows[classes:IGNORE].any(axis=1))
    if unknown.size:
        raise DataError(
            f"an annotation holds the value {classes + int(unknown[0])}; allowed: 0 to "
            f"{classes - 1}, and {IGNORE} for unknown. Name every class of the data set, or write "
            f"{IGNORE} there."
        )
    return rows[:classes]


def intersection_and_union(matrix: Counts) -> tuple[Counts, Counts]:
    """Return each class's intersection and union, int64 [classes], of a confusion matrix."""
    intersection = np.diagonal(matrix).copy()
    return intersection, matrix.sum(axis=0) + matrix.sum(axis=1) - intersection


def class_iou(intersection: Sequence[int], union: Sequence[int]) -> tuple[float | None, ...]:
    """Return the IoU of each class; None for a class that does not occur."""
    return tuple(
        int(common) / int(either) if either else None
        for common, either in zip(intersection, union, strict=True)
    )


def mean_iou(ious: Sequence[float | None]) -> float:
    """Return the mean IoU of the classes that occur; DataError where none does."""
    occurring = [iou for iou in ious if iou is not None]
    if not occurring:
        raise DataError(
            "no pixel of any validation clip is annotated. Add a mask, or choose a split that has "
            "some."
        )
    return sum(occurring) / len(occurring)


def disagreement(stale: ClassMap, fresh: ClassMap, classes: int) -> float:
    """Return 1 - mean IoU of two masks over the classes that occur in either."""
    common, either = intersection_and_union(confusion_matrix(fresh, stale, classes))
    return 1.0 - mean_iou(class_iou(common.tolist(), either.tolist()))
