"""What is true of graphs after their conversion, checked by loading and running them."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.rounding import signal_to_noise_db
from jejunet_nas.compression.statistics import spread
from jejunet_nas.errors import SettingError, TrialError
from jejunet_nas.litert import Graph, convolution_weights, layer_values, list_operators
from jejunet_nas.networks.build import FoldedNetwork, as_input
from jejunet_nas.networks.folded_layers import FoldedLayers, Taps
from jejunet_nas.records import (
    OUTSIDE_DELEGATE,
    AgreementRecord,
    GraphName,
    GraphRecord,
    LayerNoise,
)
from jejunet_nas.resize import thumbnails

NOISIEST = 3  # layers that a record names
FRAMES = 4  # on which layers are compared
SCORE = "score"  # what the gate's graph calls the output of its last layer

Values = npt.NDArray[np.float32]
Layers = dict[str, Values]  # what each hands on


def check_graph(file: Path) -> GraphRecord:
    """Load `file` under LiteRT's default delegate, run it once, and describe it.

    Raises `TrialError` naming the operator that does not load or that the delegate leaves aside.
    """
    record = describe_graph(file)
    unexpected = sorted(set(record.not_delegated) - {*OUTSIDE_DELEGATE})
    if unexpected:
        raise TrialError(
            f"{file.name}: LiteRT's default delegate does not run {', '.join(unexpected)}; "
            f"allowed outside it: {', '.join(OUTSIDE_DELEGATE)}."
        )
    return record


def describe_graph(file: Path) -> GraphRecord:
    """Load `file` under LiteRT's default delegate, run it once, and describe it.

    Raises `TrialError` naming the operator that does not load.
    """
    try:
        graph = Graph(file)
        graph.run()
    except (SettingError, RuntimeError) as reason:
        raise TrialError(f"{file.name} does not run under LiteRT: {reason}") from reason
    operators, kernels = list_operators(file), convolution_weights(file)
    weights = np.concatenate([kernel.ravel() for kernel in kernels]) if kernels else np.ones(1)
    different = [len(np.unique(channel)) for kernel in kernels for channel in kernel]
    return GraphRecord(
        file=file.name,
        size_bytes=file.stat().st_size,
        deflated_bytes=len(zlib.compress(file.read_bytes())),
        macs=sum(operator.macs for operator in operators),
        operators=len(operators),
        not_delegated=graph.not_delegated(),
        zero_weights=float(np.mean(weights == 0)),
        values_a_channel=float(np.mean(different)) if different else 0.0,
    )


def check_agreement(
    files: Mapping[GraphName, Path],
    network: FoldedNetwork,
    frames: npt.NDArray[np.uint8],
    *,
    equalized: bool = False,
    bias_corrected: bool = False,
) -> AgreementRecord:
    """Return how far the graphs in `files` agree with `network` in float, layer by layer.

    frames: uint8 [count, height, width, 3]; a few of them are compared. The propagate path is
    given the context of the frame before, the gate that frame's thumbnail.
    """
    frames = frames[spread(len(frames), FRAMES)]
    seen = _Seen()
    floats = FoldedNetwork(
        network.network, network.classes, FoldedLayers(network.layers.weights, seen)
    )
    runs = _Runs(files, frames)
    pixels, small = as_input(frames), as_input(thumbnails(frames))
    class_maps, contexts = floats.key(pixels)
    of_key = seen.taken()
    propagated = floats.propagate(pixels, np.roll(contexts, 1, axis=0))
    of_propagate = seen.taken()
    scores = floats.gate(small, np.roll(small, 1, axis=0))
    of_gate = seen.taken()
    key, propagate, gate = runs.key(), runs.propagate(), runs.gate()
    compared: dict[GraphName, tuple[Layers, Layers]] = {
        "key": (of_key, key),
        "propagate": (of_propagate, propagate),
        "gate": (of_gate, gate),
    }
    noise: dict[str, LayerNoise] = {}  # of each layer, in the graph where it is further off
    for graph, (wanted, found) in compared.items():
        for layer in wanted.keys() & found.keys():
            snr_db = signal_to_noise_db(wanted[layer], found[layer])
            if layer not in noise or snr_db < noise[layer].snr_db:
                noise[layer] = LayerNoise(layer=layer, graph=graph, snr_db=snr_db)
    return AgreementRecord(
        frames=len(frames),
        key=float(np.mean(key["class_map"] == class_maps.numpy())),
        propagate=float(np.mean(propagate["class_map"] == propagated.numpy())),
        gate_error=float(np.mean(np.abs(gate[SCORE] - scores.numpy()))),
        logits_db=signal_to_noise_db(of_key["logits"], key["logits"]),
        noisiest=tuple(sorted(noise.values(), key=lambda each: each.snr_db)[:NOISIEST]),
        equalized=equalized,
        bias_corrected=bias_corrected,
    )


class _Seen(Taps):
    """Keeps what layers hand on."""

    def __init__(self) -> None:
        self._values: Layers = {}

    def output(self, name: str, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        self._values[name] = np.asarray(x)
        return x

    def taken(self) -> Layers:
        """Return what was kept since the last time; `class_map` is called what it is, logits."""
        values, self._values = self._values, {}
        values.pop("class_map", None)
        return values


class _Runs:
    """The graphs, run without a delegate over the same frames; what layers hand on, stacked."""

    def __init__(self, files: Mapping[GraphName, Path], frames: npt.NDArray[np.uint8]) -> None:
        self._files, self._frames = files, frames
        self._small = thumbnails(frames)
        self._contexts: list[npt.NDArray[np.int8]] = []

    def key(self) -> Layers:
        """Return the layers of the key graph; its contexts are kept as they are stored."""
        graph = Graph(self._files["key"])
        self._contexts = [graph.run(image=frame[None])["context"] for frame in self._frames]
        return self._stacked("key", [{"image": frame[None]} for frame in self._frames])

    def propagate(self) -> Layers:
        """Return the layers of the propagate graph, each frame with the context before it."""
        carried = [self._contexts[-1], *self._contexts[:-1]]
        return self._stacked(
            "propagate",
            [
                {"image": frame[None], "context": context}
                for frame, context in zip(self._frames, carried, strict=True)
            ],
        )

    def gate(self) -> Layers:
        """Return the layers of the gate graph."""
        before = np.roll(self._small, 1, axis=0)
        return self._stacked(
            "gate",
            [
                {"now": now[None], "keyframe": then[None]}
                for now, then in zip(self._small, before, strict=True)
            ],
        )

    def _stacked(self, graph: GraphName, runs: list[dict[str, npt.NDArray[np.int8]]]) -> Layers:
        made = list(layer_values(self._files[graph], runs))
        return {layer: np.concatenate([each[layer] for each in made]) for layer in made[0]}
