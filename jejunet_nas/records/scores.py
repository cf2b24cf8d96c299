"""Scores of masks, clip by clip and over all clips.

Units: pixels; ages in frames, 0 on a keyframe; ratios in [0, 1].
"""

import dataclasses

from jejunet_nas.records.latencies import FramePaths, StreamLatency


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipScore:
    """Pixels of one clip by class, over its annotated frames.

    annotated: pixels whose annotation is the class. union: pixels of the class in the annotation or
    the mask; intersection: in both. parts: its stretches in the order of time, where the split has
    so few clips that a pick can only be judged on another stretch; empty otherwise.
    """

    name: str
    frames: int
    annotated: tuple[int, ...]
    intersection: tuple[int, ...]
    union: tuple[int, ...]
    parts: tuple["ClipScore", ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The mIoU of all validation clips."""

    miou: float
    class_iou: tuple[float | None, ...]  # None: no annotation holds the class
    clips: tuple[ClipScore, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClipTemporal:
    """Scores over time of one clip.

    region (J) and boundary (F): one value a scored class, the mean over the clip's annotated
    frames; None where no annotation of the clip holds the class. changed_px: of the `steady_px`
    pixels whose annotation stays the same from one annotated frame to the next, those whose label
    in the mask changes. frames: all frames, annotated or not.
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
    """Scores over time of all validation clips.

    consistency: share of the pixels with a steady annotation whose label in the mask is steady;
    None where no pixel has the same annotation in two frames. region (J), boundary (F): None where
    no scored class is annotated. longest_stale_frames: the highest age of a keyframe in use.
    """

    consistency: float | None
    region: float | None
    boundary: float | None
    mean_age_frames: float
    longest_stale_frames: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """What the screen shows of all validation clips, with the latencies of one source.

    score: at each annotated frame's time the newest finished mask is compared with that frame's
    annotation. walks: the path of each frame. every_frame_miou, every_frame_dropped: mIoU and share
    of dropped frames of the same network with every frame a keyframe; None where unknown.
    """

    latency: StreamLatency
    score: Score
    walks: tuple[FramePaths, ...]
    every_frame_miou: float | None = None
    every_frame_dropped: float | None = None
