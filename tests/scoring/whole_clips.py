"""Scores of one clip computed plainly, frame by frame; nothing here is a test."""

import itertools
from collections.abc import Sequence

import numpy as np

from jejunet_nas.records import Clip, Masks
from jejunet_nas.records.scores import ClipScore, ClipTemporal
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.boundary import region_and_boundary
from jejunet_nas.scoring.score import clip_score, frame_counts
from jejunet_nas.scoring.temporal import clip_temporal, flicker


def score_clip(clip: Clip, masks: Masks, classes: int) -> ClipScore:
    """Return intersections and unions of `masks` over the annotated frames of `clip`.

    masks: uint8 [time, height, width], one a frame, at any resolution. Raises as `frame_counts`.
    """
    assert len(masks) == len(clip), (clip.name, len(masks), len(clip))
    times = np.flatnonzero(clip.annotated).tolist()
    return clip_score(clip, [frame_counts(clip, t, masks[t], classes) for t in times], classes)


def score_temporal(
    clip: Clip, masks: Masks, ages: Sequence[int], classes: Sequence[int]
) -> ClipTemporal:
    """Return the scores over time of `masks`, uint8 [time, height, width], one a frame."""
    pairs = [
        (clip.masks[t], resize_mask(masks[t], *clip.masks[t].shape))
        for t in np.flatnonzero(clip.annotated)
    ]
    return clip_temporal(
        clip.name,
        [region_and_boundary(annotation, mask, classes) for annotation, mask in pairs],
        [flicker(a, b, m, n) for (a, m), (b, n) in itertools.pairwise(pairs)],
        ages,
        len(classes),
    )
