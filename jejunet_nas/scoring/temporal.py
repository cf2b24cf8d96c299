"""Temporal: what mIoU does not tell of masks over time, first of one clip, then of all clips.

Masks may be right on average and still flicker, lose the object's edge between keyframes, or show
what was true some frames ago. Four figures say so: consistency (pixels that keep their label where
the annotation does), region and boundary (J and F of DAVIS, averaged as DAVIS does), and the age of
what is shown. Each is made of small counts of a frame, or of a pair of frames, so that a caller who
meets the same mask twice can keep them.

Units: pixels; ages in frames, 0 on a keyframe; ratios in [0, 1].
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from jejunet_nas.records import IGNORE, Clip, Masks
from jejunet_nas.records.scores import ClipTemporal, TemporalScore
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.boundary import FrameAccuracy, region_and_boundary
from jejunet_nas.scoring.miou import ClassMap


def object_classes(class_names: Sequence[str]) -> tuple[int, ...]:
    """Return the classes that are scored: all but class 0 where that is the background."""
    first = 1 if class_names and class_names[0].casefold() == "background" else 0
    return tuple(range(first, len(class_names)))


def flicker(
    previous_annotation: ClassMap, annotation: ClassMap, previous_mask: ClassMap, mask: ClassMap
) -> tuple[int, int]:
    """Return how many pixels change their label in the mask, and how many are considered.

    All four: uint8 [height, width]. Considered are the pixels whose annotation is the same known
    class in both frames: there the label should stay, right or wrong, however the camera moves.
    """
    shapes = {each.shape for each in (previous_annotation, annotation, previous_mask, mask)}
    assert len(shapes) == 1, shapes
    steady = (previous_annotation == annotation) & (annotation != IGNORE)
    changed = steady & (previous_mask != mask)
    return int(np.count_nonzero(changed)), int(np.count_nonzero(steady))


def staleness(ages: Sequence[int]) -> tuple[float, int]:
    """Return the mean age in frames of what is shown, and the longest run of frames with an age.

    ages: one a frame, how many frames before it the last keyframe was; 0 on a keyframe.
    """
    assert len(ages) > 0
    assert min(ages) >= 0, min(ages)
    runs = [len(list(run)) for stale, run in groupby(ages, key=lambda age: age > 0) if stale]
    return float(sum(ages) / len(ages)), max(runs, default=0)


def score_temporal(
    clip: Clip, masks: Masks, ages: Sequence[int], classes: Sequence[int]
) -> ClipTemporal:
    """Return how `masks` of `clip` behave over time.

    masks: uint8 [time, height, width], one a frame, at any resolution; they count at the
    annotation's, on the annotated frames. ages: one a frame, as `staleness` takes them. classes:
    those that J and F score. Flicker is counted from each annotated frame to the next, however many
    frames lie between them.
    """
    assert len(masks) == len(clip), (clip.name, len(masks), len(clip))
    assert len(ages) == len(clip), (clip.name, len(ages), len(clip))
    accuracies: list[FrameAccuracy] = []
    flickers: list[tuple[int, int]] = []
    previous: tuple[ClassMap, ClassMap] | None = None
    for time in np.flatnonzero(clip.annotated):
        annotation = clip.masks[time]
        mask = resize_mask(masks[time], *annotation.shape)
        accuracies.append(region_and_boundary(annotation, mask, classes))
        if previous is not None:
            flickers.append(flicker(previous[0], annotation, previous[1], mask))
        previous = annotation, mask
    return clip_temporal(clip.name, accuracies, flickers, ages, len(classes))


def clip_temporal(
    name: str,
    accuracies: Sequence[FrameAccuracy],
    flickers: Sequence[tuple[int, int]],
    ages: Sequence[int],
    classes: int,
) -> ClipTemporal:
    """Return what the figures of a clip's frames make together.

    accuracies: one an annotated frame. flickers: what `flicker` returned from each annotated frame
    to the next. ages: one a frame. classes: how many are scored.

    DAVIS' protocol of 2016 leaves the first and the last frame of a sequence out: the methods that
    it compares are given the first mask. Ours are given none, so each annotated frame counts.
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

    J and F are means over the objects of all clips, each of which has its mean over the frames
    already: so DAVIS averages, and a long clip weighs no more than a short one. An object is a
    class of a clip that its annotation holds, whatever the masks say: so every network is scored
    over the same ones. Consistency counts the pixels, and age the frames, of all clips together.
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
