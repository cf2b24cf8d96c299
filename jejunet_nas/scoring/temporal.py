"""Temporal: scores of masks over time, of one clip and of all clips.

Masks with a good mIoU may still flicker, lose the object's edge between keyframes, or be out of
date. Four figures show this: consistency (pixels that keep their label where the annotation does),
region and boundary (J and F of DAVIS, averaged as DAVIS does), and the age of the keyframe. Each is
a sum over frames or pairs of frames, so that a caller can cache the terms of equal masks.

Units: pixels; ages in frames, 0 on a keyframe; ratios in [0, 1].
"""

from collections.abc import Iterable, Sequence

import numpy as np

from jejunet_nas.records import IGNORE
from jejunet_nas.records.scores import ClipTemporal, TemporalScore
from jejunet_nas.scoring.boundary import FrameAccuracy
from jejunet_nas.scoring.miou import ClassMap


def object_classes(class_names: Sequence[str]) -> tuple[int, ...]:
    """Return the classes that are scored: all but class 0 where that is the background."""
    first = 1 if class_names and class_names[0].casefold() == "background" else 0
    return tuple(range(first, len(class_names)))


def flicker(
    previous_annotation: ClassMap, annotation: ClassMap, previous_mask: ClassMap, mask: ClassMap
) -> tuple[int, int]:
    """Return the number of pixels whose label changes in the mask, and of those considered.

    All four: uint8 [height, width]. Considered are the pixels whose annotation is the same known
    class in both frames: their label should stay, right or wrong, however the camera moves.
    """
    shapes = {each.shape for each in (previous_annotation, annotation, previous_mask, mask)}
    assert len(shapes) == 1, shapes
    steady = (previous_annotation == annotation) & (annotation != IGNORE)
    changed = steady & (previous_mask != mask)
    return int(np.count_nonzero(changed)), int(np.count_nonzero(steady))


def staleness(ages: Sequence[int]) -> tuple[float, int]:
    """Return the mean age in frames of the keyframe that frames use, and the highest.

    ages: one a frame, the number of frames since the keyframe that it uses; 0 on a keyframe.
    """
    assert len(ages) > 0
    assert min(ages) >= 0, min(ages)
    return float(sum(ages) / len(ages)), max(ages)


def clip_temporal(
    name: str,
    accuracies: Sequence[FrameAccuracy],
    flickers: Sequence[tuple[int, int]],
    ages: Sequence[int],
    classes: int,
) -> ClipTemporal:
    """Return the score of a clip from the figures of its frames.

    accuracies: one an annotated frame. flickers: `flicker` of each pair of consecutive annotated
    frames. ages: one a frame. classes: number of scored classes.

    DAVIS' protocol of 2016 leaves out the first and the last frame of a sequence, because its
    methods are given the first mask. Our networks are not, so each annotated frame counts.
    """
    annotated = [any(frame.annotated[index] for frame in accuracies) for index in range(classes)]
    mean_age_frames, longest = staleness(ages)
    return ClipTemporal(
        name=name,
        region=_over_frames([frame.region for frame in accuracies], annotated),
        boundary=_over_frames([frame.boundary for frame in accuracies], annotated),
        changed_px=sum(changed for changed, _ in flickers),
        steady_px=sum(steady for _, steady in flickers),
        frames=len(ages),
        mean_age_frames=mean_age_frames,
        longest_stale_frames=longest,
    )


def combine_temporal(clips: Sequence[ClipTemporal]) -> TemporalScore:
    """Return the score of all `clips`, one at least.

    J and F are means over the objects of all clips, each the mean over its frames, as in DAVIS: a
    long clip has the weight of a short one. An object is a class that the annotation of a clip
    holds, so every network is scored over the same objects. Consistency is over the pixels, and age
    over the frames, of all clips together.
    """
    assert clips
    steady_px = sum(clip.steady_px for clip in clips)
    frames = sum(clip.frames for clip in clips)
    return TemporalScore(
        consistency=1 - sum(c.changed_px for c in clips) / steady_px if steady_px else None,
        region=_mean(value for clip in clips for value in clip.region),
        boundary=_mean(value for clip in clips for value in clip.boundary),
        mean_age_frames=sum(clip.mean_age_frames * clip.frames for clip in clips) / frames,
        longest_stale_frames=max(clip.longest_stale_frames for clip in clips),
    )


def _over_frames(
    frames: Sequence[tuple[float | None, ...]], annotated: Sequence[bool]
) -> tuple[float | None, ...]:
    return tuple(
        _mean(frame[index] for frame in frames) if there else None
        for index, there in enumerate(annotated)
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
