"""Score: how right a walk's masks are, first of one clip, then of all clips together.

`video.walk` hands over one mask a frame, at the network's own resolution; scoring compares them
with the annotation at the annotation's resolution, as the benchmarks of the data sets do, on the
frames that were annotated.

All clips share one confusion matrix, so a long clip weighs more than a short one and a class that
is missing from a clip does no harm there.
"""

from collections.abc import Sequence

import numpy as np

from jejunet_nas.errors import DataError
from jejunet_nas.records import Clip, ClipScore, Masks, Score
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.miou import (
    class_iou,
    confusion_matrix,
    intersection_and_union,
    mean_iou,
)


def score_clip(clip: Clip, masks: Masks, classes: int) -> ClipScore:
    """Return intersections and unions of `masks` over the annotated frames of `clip`.

    masks: uint8 [time, height, width], one a frame, at any resolution. Raises DataError, naming the
    clip, where an annotation holds no known class.
    """
    assert len(masks) == len(clip), (clip.name, len(masks), len(clip))
    height, width = clip.masks.shape[1:]
    matrix = np.zeros((classes, classes), np.int64)
    annotated = np.flatnonzero(clip.annotated)
    for time in annotated:
        mask = resize_mask(masks[time], height, width)
        try:
            matrix += confusion_matrix(clip.masks[time], mask, classes)
        except DataError as error:
            raise DataError(f"clip {clip.name}, frame {time}: {error}") from error
    intersection, union = intersection_and_union(matrix)
    return ClipScore(
        name=clip.name,
        frames=len(annotated),
        annotated=tuple(matrix.sum(axis=1).tolist()),
        intersection=tuple(intersection.tolist()),
        union=tuple(union.tolist()),
    )


def combine(clips: Sequence[ClipScore]) -> Score:
    """Return the score over all annotated frames of all `clips`; DataError where none is known.

    A class that no annotation holds is left out of the mean, whatever the masks say: so every
    network is scored over the same classes.
    """
    annotated = [sum(column) for column in zip(*(c.annotated for c in clips), strict=True)]
    intersection = [sum(column) for column in zip(*(c.intersection for c in clips), strict=True)]
    union = [sum(column) for column in zip(*(c.union for c in clips), strict=True)]
    known = [either if there else 0 for either, there in zip(union, annotated, strict=True)]
    ious = class_iou(intersection, known)
    return Score(miou=mean_iou(ious), class_iou=ious, clips=tuple(clips))
