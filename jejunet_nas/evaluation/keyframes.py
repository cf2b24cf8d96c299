"""Keyframes: validation frames on which float and compressed networks are compared.

Each frame is a keyframe, so the policy has no influence: the difference of two scores is what
compression costs.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import DataError
from jejunet_nas.records import DataSplit, GraphName
from jejunet_nas.records.scores import Score
from jejunet_nas.resize import resize_frame
from jejunet_nas.scoring.score import clip_score, combine, frame_counts
from jejunet_nas.space.architecture import Network
from jejunet_nas.video.graphs import NetworkGraphs


class Keyframes:
    """Annotated validation frames, evenly spread over the clips, at a network's input size.

    chosen: clip and index of each. frames: uint8 [count, height, width, 3].
    """

    def __init__(self, val: DataSplit, network: Network, *, count: int) -> None:
        """Take up to `count` annotated frames of `val`. Raises `DataError` without any."""
        places = [(clip, int(t)) for clip in val.clips for t in np.flatnonzero(clip.annotated)]
        if not places:
            raise DataError(
                f"{val.dataset}'s {val.split} split has no annotated frame. Choose a split whose "
                "masks are published."
            )
        spread = np.linspace(0, len(places) - 1, min(len(places), count)).round()
        self.chosen = [places[index] for index in spread.astype(int)]
        self._classes = len(val.class_names)
        size = network.input_height, network.input_width
        self.frames = np.stack([resize_frame(c.frames[t], *size) for c, t in self.chosen])

    def __len__(self) -> int:
        return len(self.chosen)

    def miou(self, masks: npt.NDArray[np.uint8]) -> float:
        """Return the mIoU of class maps [count, height, width], all frames together."""
        return self.score(masks).miou

    def score(self, masks: npt.NDArray[np.uint8]) -> Score:
        """Return the score of class maps [count, height, width], all frames together."""
        scores = [
            clip_score(clip, [frame_counts(clip, t, mask, self._classes)], self._classes)
            for (clip, t), mask in zip(self.chosen, masks, strict=True)
        ]
        return combine(scores)

    def miou_of_graphs(self, graphs: Mapping[GraphName, Path]) -> float:
        """Return the mIoU of the key graph."""
        return self.miou(self.masks_of_graphs(graphs))

    def masks_of_graphs(self, graphs: Mapping[GraphName, Path]) -> npt.NDArray[np.uint8]:
        """Return the class maps of the key graph, [count, height, width]."""
        opened = NetworkGraphs(graphs)
        return np.stack([opened.key(frame)[0] for frame in self.frames])
