"""The int8 graphs of one network, opened to be run frame by frame.

Between a keyframe and the frames after it goes the keyframe's memory: what the key graph hands out
beside the class map, in int8, as the propagate graph takes it in.
"""

from collections.abc import Mapping
from pathlib import Path
from pathlib import Path as File

import numpy as np
import numpy.typing as npt

from jejunet_nas.errors import SettingError
from jejunet_nas.litert import Graph, TensorInfo
from jejunet_nas.records import GraphName, NetworkRecord

Frame = npt.NDArray[np.uint8]  # [height, width, 3], RGB, at the graphs' input size
Thumbnail = npt.NDArray[np.uint8]  # [height / 8, width / 8, 3]
Mask = npt.NDArray[np.uint8]  # [height / 2, width / 2] with a decoder, class indices
Int8Table = npt.NDArray[np.int8]
Memory = Int8Table  # the context, with its batch axis


class NetworkGraphs:
    """Key, propagate and gate graph; what is asked for is computed at once."""

    def __init__(self, files: Mapping[GraphName, File], *, threads: int = 1) -> None:
        self._graphs = {name: Graph(file, threads=threads) for name, file in files.items()}
        self._table = context_table(
            *(self._graphs[name].tensors["context"] for name in ("key", "propagate"))
        )
        _, self.height, self.width, _ = self._graphs["key"].tensors["image"].shape
        _, *self.mask_size = self._graphs["key"].tensors["class_map"].shape
        score = self._graphs["gate"].tensors["score"]
        # A graph that computes in floats has no scale: its score is what it says.
        self._score_scale, self._score_zero = score.scale or 1.0, score.zero_point

    def key(self, frame: Frame) -> tuple[Mask, Memory]:
        """Return the class map of `frame`, and what it leaves behind for the frames after it."""
        outputs = self._graphs["key"].run(image=frame[None])
        context = outputs["context"]
        if self._table is not None:
            context = self._table[context.view(np.uint8)]
        return outputs["class_map"][0], context

    def propagate(self, frame: Frame, memory: Memory) -> Mask:
        """Return the class map of `frame` with the memory of a keyframe."""
        outputs = self._graphs["propagate"].run(image=frame[None], context=memory)
        return np.asarray(outputs["class_map"][0])

    def gate(self, now: Thumbnail, keyframe: Thumbnail) -> float:
        """Return the score in [0, 1]: how far the keyframe's mask is out of date."""
        stored = self._graphs["gate"].run(now=now[None], keyframe=keyframe[None])["score"].item()
        return float(self._score_scale * (stored - self._score_zero))


def context_table(source: TensorInfo, target: TensorInfo) -> Int8Table | None:
    """Return the table that takes the context's values as the key graph has them to propagate's.

    None where both graphs use the same scale and zero point, so that values pass as they are;
    otherwise 256 int8 values, indexed by the value's byte.
    """
    if (source.scale, source.zero_point) == (target.scale, target.zero_point):
        return None
    stored = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)
    real = source.scale * (stored - source.zero_point)
    wanted = np.round(real / target.scale) + target.zero_point
    return np.clip(wanted, -128, 127).astype(np.int8)


def graph_files(network: NetworkRecord, networks: Path) -> dict[GraphName, Path]:
    """Return the files of the network's graphs by name."""
    folder = networks / network.network_id
    return {name: folder / graph.file for name, graph in network.graphs.items()}


def graphs_of(network: NetworkRecord, networks: Path) -> dict[GraphName, Path]:
    """Return the files of a network's graphs. Raises `SettingError` where one is gone."""
    files = graph_files(network, networks)
    for file in files.values():
        if not file.is_file():
            raise SettingError(
                f"{file} does not exist; allowed: the graphs that the search left there. Copy "
                "the study's folder again, or search it again."
            )
    return files
