"""Validation frames, each taken as a keyframe: what float and compressed networks make of the same.

A policy, which says what frames between keyframes get, has no say here: the difference of two
scores is what compression costs.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import DataError
from jejunet_nas.records import Clip, DataSplit, GraphName
from jejunet_nas.resize import resize_frame
from jejunet_nas.scoring.score import combine, score_clip
from jejunet_nas.video.graphs import NetworkGraphs


class Keyframes:
    """Annotated validation frames, evenly spread over the clips, at a network's input size.

    frames: uint8 [count, height, width, 3].
    """

    def __init__(self, val: DataSplit, *, height: int, width: int, count: int) -> None:
        """Take up to `count` of the annotated frames of `val`."""
        places = [(clip, int(t)) for clip in val.clips for t in np.flatnonzero(clip.annotated)]
        if not places:
            raise DataError(
                f"no frame of {val.dataset}'s {val.split} split is annotated; expected: one at "
                "least. Choose a split whose masks are published."
            )
        self._chosen = [places[index] for index in _spread(len(places), count)]
        self._classes = len(val.class_names)
        self.frames = np.stack([resize_frame(c.frames[t], height, width) for c, t in self._chosen])

    def __len__(self) -> int:
        return len(self._chosen)

    def miou(self, masks: npt.NDArray[np.uint8]) -> float:
        """Return the mIoU of class maps [count, height, width], all frames together."""
        scores = [
            score_clip(_one_frame(clip, t), mask[None], self._classes)
            for (clip, t), mask in zip(self._chosen, masks, strict=True)
        ]
        return combine(scores).miou

    def miou_of_graphs(self, graphs: Mapping[GraphName, Path]) -> float:
        """Return the mIoU of the key graph."""
        opened = NetworkGraphs(graphs)
        return self.miou(np.stack([opened.key(frame)[0] for frame in self.frames]))


def _spread(count: int, wanted: int) -> list[int]:
    """Return `wanted` indices below `count`, evenly spread; all of them where there are fewer."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, wanted)).round()})


def _one_frame(clip: Clip, time: int) -> Clip:
    one = slice(time, time + 1)
    return dataclasses.replace(
        clip, frames=clip.frames[one], masks=clip.masks[one], annotated=clip.annotated[one]
    )
