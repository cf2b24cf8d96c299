"""Runs the int8 graphs of a network over a clip, frame by frame, as a phone would."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path as File

import numpy as np
import numpy.typing as npt

from jejunet_nas.litert import Graph
from jejunet_nas.records import Clip, GraphName, Masks, Path
from jejunet_nas.resize import resize_frame, thumbnails
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import PathChooser

Int8Table = npt.NDArray[np.int8]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walk:
    """What a network made of one clip under one policy.

    masks: uint8 [time, h, w] class maps at the graphs' own resolution. gate_scores: NaN where the
    gate did not run.
    """

    masks: Masks
    paths: tuple[Path, ...]
    gate_scores: npt.NDArray[np.float32]


class Walker:
    """The graphs of one network, opened once and walked over any number of clips.

    context_table: 256 int8 values where key and propagate graph store the context differently.
    """

    def __init__(
        self, files: Mapping[GraphName, File], *, context_table: Int8Table | None, threads: int = 1
    ) -> None:
        self._graphs = {name: Graph(file, threads=threads) for name, file in files.items()}
        self._table = context_table
        _, self.height, self.width, _ = self._graphs["key"].tensors["image"].shape
        score = self._graphs["gate"].tensors["score"]
        self._score_scale, self._score_zero = score.scale, score.zero_point

    def walk(self, clip: Clip, policy: Policy) -> Walk:
        """Return masks, paths and gate scores of `clip` under `policy`."""
        chooser = PathChooser(policy)
        masks: list[npt.NDArray[np.uint8]] = []
        paths: list[Path] = []
        scores = np.full(len(clip), np.nan, np.float32)
        context = keyframe = None
        key_mask: npt.NDArray[np.uint8] | None = None
        for time, picture in enumerate(clip.frames):
            frame = resize_frame(picture, self.height, self.width)
            small = thumbnails(frame) if policy.gated else None
            score = None
            if chooser.wants_gate():
                score = scores[time] = self.gate(small, keyframe)
            path = chooser.choose(score)
            if path == "key":
                mask, context = self.key(frame)
                keyframe, key_mask = small, mask
            elif path == "propagate":
                mask = self.propagate(frame, context)
            else:
                # Of all masks shown so far this is the one that the gate has spoken of.
                assert key_mask is not None, "a clip begins with a keyframe"
                mask = key_mask
            masks.append(mask)
            paths.append(path)
        return Walk(masks=np.stack(masks), paths=tuple(paths), gate_scores=scores)

    def key(self, frame: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], Int8Table]:
        """Return class map and context (as the propagate graph takes it) of uint8 [h, w, 3]."""
        outputs = self._graphs["key"].run(image=frame[None])
        context = outputs["context"]
        if self._table is not None:
            context = self._table[context.view(np.uint8)]
        return outputs["class_map"][0], context

    def propagate(
        self, frame: npt.NDArray[np.uint8], context: Int8Table | None
    ) -> npt.NDArray[np.uint8]:
        """Return the class map of `frame` with the context of a keyframe."""
        assert context is not None, "a clip begins with a keyframe"
        outputs = self._graphs["propagate"].run(image=frame[None], context=context)
        return np.asarray(outputs["class_map"][0])

    def gate(
        self, now: npt.NDArray[np.uint8] | None, keyframe: npt.NDArray[np.uint8] | None
    ) -> float:
        """Return the score in [0, 1] of two thumbnails, uint8 [h, w, 3]."""
        assert now is not None, "a gated policy keeps thumbnails"
        assert keyframe is not None, "a clip begins with a keyframe"
        stored = self._graphs["gate"].run(now=now[None], keyframe=keyframe[None])["score"].item()
        return float(self._score_scale * (stored - self._score_zero))
