"""Score: the mIoU of masks, of one clip and of all clips together.

Masks are compared with the annotation at the annotation's resolution, as the benchmarks of the data
sets do, on the annotated frames. All clips share one confusion matrix: a long clip has
more weight than a short one, and a class may be missing from a clip.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import DataError
from jejunet_nas.records import Clip
from jejunet_nas.records.scores import ClipScore, Score
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.miou import (
    Counts,
    class_iou,
    confusion_matrix,
    intersection_and_union,
    mean_iou,
)

Mask = npt.NDArray[np.uint8]


def frame_counts(
    clip: Clip, time: int, mask: Mask, classes: int, annotation: Mask | None = None
) -> Counts:
    """Return annotated pixels, intersection and union of each class in one annotated frame.

    mask: uint8 [height, width], at any resolution. annotation: the frame's, if it was read before.
    Returns int64 [3, classes]. Raises DataError, naming clip and frame, where the annotation holds
    no known class.
    """
    assert clip.annotated[time], (clip.name, time)
    annotation = clip.masks[time] if annotation is None else annotation
    try:
        matrix = confusion_matrix(annotation, resize_mask(mask, *annotation.shape), classes)
    except DataError as error:
        raise DataError(f"clip {clip.name}, frame {time}: {error}") from error
    return np.stack([matrix.sum(axis=1), *intersection_and_union(matrix)])


def counts_without_mask(
    clip: Clip, time: int, classes: int, annotation: Mask | None = None
) -> Counts:
    """Return the `frame_counts` of an annotated frame for which no mask is there: none is right."""
    annotated = frame_counts(clip, time, np.zeros((1, 1), np.uint8), classes, annotation)[0]
    return np.stack([annotated, np.zeros_like(annotated), annotated])


def scored_on_screen(clip: Clip) -> list[int]:
    """Return the annotated frames of `clip` whose time the streaming score looks at.

    The first frame of a stream has no mask at its own time, whatever the network, so it does not
    count. If no other frame is annotated, as in a single picture, the clip counts as a still
    picture: its first frame is compared with its own mask.
    """
    annotated = [time for time in range(len(clip)) if clip.annotated[time]]
    return annotated if annotated == [0] else [time for time in annotated if time > 0]


def clip_score(clip: Clip, counts: Sequence[Counts], classes: int) -> ClipScore:
    """Return the score of `clip` from the `frame_counts` of its annotated frames."""
    total = sum(counts, np.zeros((3, classes), np.int64))
    annotated, intersection, union = (tuple(row) for row in total.tolist())
    return ClipScore(
        name=clip.name,
        frames=len(counts),
        annotated=annotated,
        intersection=intersection,
        union=union,
    )


def combine(clips: Sequence[ClipScore]) -> Score:
    """Return the score over all annotated frames of all `clips`; DataError where none is known.

    A class that no annotation holds is left out of the mean, even if masks show it: every network
    is scored over the same classes.
    """
    annotated, intersection, union = (
        [sum(column) for column in zip(*(getattr(clip, name) for clip in clips), strict=True)]
        for name in ("annotated", "intersection", "union")
    )
    known = [either if there else 0 for either, there in zip(union, annotated, strict=True)]
    ious = class_iou(intersection, known)
    return Score(miou=mean_iou(ious), class_iou=ious, clips=tuple(clips))
