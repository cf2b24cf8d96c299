"""The nouns of scoring: what masks are worth, clip by clip and over all clips.

Units: pixels; ages in frames, 0 on a keyframe; ratios in [0, 1].
"""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipScore:
    """Pixels of one clip by class, over its annotated frames.

    `annotated` counts the pixels whose annotation is the class, `union` those that are of the class
    in the annotation or the mask, `intersection` those in both.
    """

    name: str
    frames: int
    annotated: tuple[int, ...]
    intersection: tuple[int, ...]
    union: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How right the masks of all validation clips are."""

    miou: float
    class_iou: tuple[float | None, ...]  # None: no annotation holds the class
    clips: tuple[ClipScore, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipTemporal:
    """How the masks of one clip behave over time.

    region (J) and boundary (F): one value a scored class, the mean over the clip's annotated
    frames; None where no annotation of the clip holds the class. changed_px: of the `steady_px`
    pixels whose annotation stays the same from one annotated frame to the next, those whose label
    in the mask changes. frames: all of them, annotated or not: each has an age.
    """

    name: str
    region: tuple[float | None, ...]
    boundary: tuple[float | None, ...]
    changed_px: int
    steady_px: int
    frames: int
    mean_age_frames: float
    longest_stale_frames: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TemporalScore:
    """How the masks of all validation clips behave over time.

    consistency: share of the pixels with a steady annotation whose label in the mask stays too;
    None where no pixel is annotated alike in two frames. region (J), boundary (F): None where no
    scored class is annotated. longest_stale_frames: the longest run of frames without a keyframe.
    """

    consistency: float | None
    region: float | None
    boundary: float | None
    mean_age_frames: float
    longest_stale_frames: int
