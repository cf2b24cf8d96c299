"""The int8 graphs of one network: their files, and how they run frame by frame.

A keyframe leaves its context to the frames after it: an int8 output of the key graph, which the
propagate graph takes as an input.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.litert import Graph, TensorInfo, vouch_for
from jejunet_nas.records import GraphName, GraphRecord, NetworkRecord

Frame = npt.NDArray[np.uint8]  # [height, width, 3], RGB, at the graphs' input size
Thumbnail = npt.NDArray[np.uint8]  # [height / 8, width / 8, 3]
Mask = npt.NDArray[np.uint8]  # [height / 2, width / 2] with a decoder, class indices
Context = npt.NDArray[np.int8]  # with its batch axis


def graph_files(network: NetworkRecord, networks: Path) -> dict[GraphName, Path]:
    """Return the files of the network's graphs by name."""
    folder = networks / network.network_id
    return {name: folder / graph.file for name, graph in network.graphs.items()}


def graphs_of(network: NetworkRecord, networks: Path) -> dict[GraphName, Path]:
    """Return the files of the network's graphs, which its figures were computed with.

    Raises `SettingError` where one is missing or was changed since.
    """
    damage = damage_of(network.graphs, networks / network.network_id)
    if damage is not None:
        raise SettingError(
            f"{damage}. Copy the study's folder again, or make the network again: "
            "`jejunet-nas search` with --repair."
        )
    for graph in network.graphs.values():
        vouch_for(graph.sha256)
    return graph_files(network, networks)


def damage_of(graphs: Mapping[GraphName, GraphRecord], folder: Path) -> str | None:
    """Return which of `graphs` is missing in `folder` or was changed; None if all are whole."""
    for graph in graphs.values():
        file = folder / graph.file
        if not file.is_file():
            return f"{file} is missing"
        if sha256_of(file) != graph.sha256:
            return (
                f"{file} was changed after it was scored: its SHA-256 is not the one in the "
                "trial's record"
            )
    return None


class NetworkGraphs:
    """The graphs of a network: key, and those of propagate and gate that are given."""

    def __init__(self, files: Mapping[GraphName, Path], *, threads: int = 1) -> None:
        self._graphs = {name: Graph(file, threads=threads) for name, file in files.items()}
        self._table = None
        if "propagate" in files:
            pair = (self._graphs[name].tensors["context"] for name in ("key", "propagate"))
            self._table = context_table(*pair)
        _, self.height, self.width, _ = self._graphs["key"].tensors["image"].shape
        _, *self.mask_size = self._graphs["key"].tensors["class_map"].shape

    def key(self, frame: Frame) -> tuple[Mask, Context]:
        """Return the class map of `frame` and its context."""
        outputs = self._graphs["key"].run(image=frame[None])
        context = outputs["context"]
        if self._table is not None:
            context = self._table[context.view(np.uint8)]
        return outputs["class_map"][0], context

    def propagate(self, frame: Frame, context: Context) -> Mask:
        """Return the class map of `frame` with the context of a keyframe."""
        outputs = self._graphs["propagate"].run(image=frame[None], context=context)
        return np.asarray(outputs["class_map"][0])

    def gate(self, now: Thumbnail, keyframe: Thumbnail) -> float:
        """Return the score in [0, 1]: how far the keyframe's mask is out of date."""
        graph = self._graphs["gate"]
        stored, score = graph.run(now=now[None], keyframe=keyframe[None]), graph.tensors["score"]
        # A graph that computes in floats has no scale, and its output is the score.
        return float((score.scale or 1.0) * (stored["score"].item() - score.zero_point))


def context_table(source: TensorInfo, target: TensorInfo) -> npt.NDArray[np.int8] | None:
    """Return the table that requantises the key graph's context for the propagate graph.

    256 int8 values, indexed by the value's byte; None where both graphs use the same scale and zero
    point.
    """
    if (source.scale, source.zero_point) == (target.scale, target.zero_point):
        return None
    stored = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)
    real = source.scale * (stored - source.zero_point)
    wanted = np.round(real / target.scale) + target.zero_point
    return np.clip(wanted, -128, 127).astype(np.int8)
