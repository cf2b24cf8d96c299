"""Calibration frames: the training frames from which int8 ranges are estimated."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import SettingError
from jejunet_nas.records import DataSplit, Frames
from jejunet_nas.resize import resize_frame, thumbnails

CalibrationChoice = Literal["spread", "random", "varied"]
CANDIDATES = 8  # per calibration frame, from which `varied` chooses


def calibration_frames(
    split: DataSplit,
    *,
    height: int,
    width: int,
    count: int,
    seed: int,
    choice: CalibrationChoice = "spread",
) -> Frames:
    """Return `count` whole frames of the split's clips, uint8 [count, height, width, 3].

    choice: `spread` evenly over the clips, where `seed` shifts the first frame; `random` by `seed`;
    `varied`: the most different ones of `CANDIDATES` times as many spread frames. Raises
    `SettingError` if the split has fewer frames.
    """
    if not 1 <= count <= split.frame_count:
        raise SettingError(
            f"calibration_frames is {count}; allowed: 1 to {split.frame_count}, the frames of "
            f"{split.dataset}'s {split.split} split. The nearest is "
            f"{max(1, min(count, split.frame_count))}."
        )
    rng = np.random.default_rng(seed)
    places = [(clip, t) for clip in split.clips for t in range(len(clip))]

    def frames_at(indices: Sequence[int]) -> Frames:
        chosen = (places[index] for index in indices)
        return np.stack([resize_frame(clip.frames[t], height, width) for clip, t in chosen])

    if choice == "random":
        return frames_at(sorted(rng.choice(len(places), count, replace=False).tolist()))
    wanted = count if choice == "spread" else min(CANDIDATES * count, len(places))
    shift = rng.random()
    frames = frames_at([int((k + shift) * len(places) / wanted) for k in range(wanted)])
    return frames if choice == "spread" else frames[_most_different(frames, count)]


def _most_different(frames: Frames, count: int) -> npt.NDArray[np.int64]:
    """Return the indices of `count` frames, each the farthest from those chosen before it.

    The distance is that of thumbnails. The first is the farthest from the mean of all.
    """
    small = thumbnails(frames).reshape(len(frames), -1).astype(np.float32)
    nearest = np.linalg.norm(small - small.mean(axis=0), axis=1)
    chosen: list[int] = []
    for _ in range(count):
        chosen.append(int(nearest.argmax()))
        away = np.linalg.norm(small - small[chosen[-1]], axis=1)
        nearest = away if len(chosen) == 1 else np.minimum(nearest, away)
        nearest[chosen] = -1  # equal frames are not chosen twice
    return np.array(sorted(chosen))
