"""Check: graphs after their conversion, loaded, run, and compared with the float network."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.rounding import signal_to_noise_db
from jejunet_nas.compression.statistics import spread
from jejunet_nas.errors import SettingError, TrialError
from jejunet_nas.files import sha256_of
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

Frames = npt.NDArray[np.uint8]
Layers = dict[str, npt.NDArray[np.float32]]  # the output of each


def check_graph(file: Path, *, delegated: bool = True) -> GraphRecord:
    """Load `file` under LiteRT's default delegate, run it once, and describe it.

    delegated: whether all operators but `OUTSIDE_DELEGATE` must run in the delegate, as those of an
    int8 graph do. Raises `TrialError` naming the operators that do not load or are not delegated.
    """
    try:
        graph = Graph(file)
        graph.run()
    except (SettingError, RuntimeError) as reason:
        raise TrialError(f"{file.name} does not run under LiteRT: {reason}") from reason
    not_delegated = graph.not_delegated()
    unexpected = sorted(set(not_delegated) - {*OUTSIDE_DELEGATE})
    if delegated and unexpected:
        raise TrialError(
            f"{file.name}: LiteRT's default delegate does not run {', '.join(unexpected)}; "
            f"allowed outside it: {', '.join(OUTSIDE_DELEGATE)}."
        )
    operators, kernels = list_operators(file), convolution_weights(file)
    weights = np.concatenate([kernel.ravel() for kernel in kernels]) if kernels else np.ones(1)
    different = [len(np.unique(channel)) for kernel in kernels for channel in kernel]
    return GraphRecord(
        file=file.name,
        sha256=sha256_of(file),
        size_bytes=file.stat().st_size,
        deflated_bytes=len(zlib.compress(file.read_bytes())),
        macs=sum(operator.macs for operator in operators),
        operators=len(operators),
        not_delegated=not_delegated,
        zero_weights=float(np.mean(weights == 0)),
        values_a_channel=float(np.mean(different)) if different else 0.0,
    )


def check_agreement(
    files: Mapping[GraphName, Path],
    network: FoldedNetwork,
    frames: Frames,
    *,
    equalized: bool = False,
    bias_corrected: bool = False,
) -> AgreementRecord:
    """Return the agreement of the graphs in `files` with the float `network`, layer by layer.

    frames: uint8 [count, height, width, 3]; a few of them are compared. The propagate graph gets
    the context of the frame before, the gate graph that frame's thumbnail.
    """
    frames = frames[spread(len(frames), FRAMES)]
    wanted, outputs = _float_layers(network, frames)
    found = _graph_layers(files, frames)
    noise: dict[str, LayerNoise] = {}  # of each layer, in the graph where it is larger
    for graph, layers in wanted.items():
        for layer in layers.keys() & found[graph].keys():
            snr_db = signal_to_noise_db(layers[layer], found[graph][layer])
            if layer not in noise or snr_db < noise[layer].snr_db:
                noise[layer] = LayerNoise(layer=layer, graph=graph, snr_db=snr_db)
    return AgreementRecord(
        frames=len(frames),
        key=float(np.mean(found["key"]["class_map"] == outputs["key"])),
        propagate=float(np.mean(found["propagate"]["class_map"] == outputs["propagate"])),
        gate_error=float(np.mean(np.abs(found["gate"]["score"] - outputs["gate"]))),
        logits_db=signal_to_noise_db(wanted["key"]["logits"], found["key"]["logits"]),
        noisiest=tuple(sorted(noise.values(), key=lambda each: each.snr_db)[:NOISIEST]),
        equalized=equalized,
        bias_corrected=bias_corrected,
    )


class _Outputs(Taps):
    def __init__(self) -> None:
        self.layers: Layers = {}

    def output(self, name: str, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if name != "class_map":  # enlarged logits here, classes in the graphs
            self.layers[name] = np.asarray(x)
        return x


def _float_layers(
    network: FoldedNetwork, frames: Frames
) -> tuple[dict[GraphName, Layers], dict[GraphName, npt.NDArray[np.float32]]]:
    """Return the layers of each float path, and its class maps or scores."""
    taps = _Outputs()
    floats = FoldedNetwork(
        network.network, network.classes, FoldedLayers(network.layers.weights, taps)
    )
    pixels, small = as_input(frames), as_input(thumbnails(frames))
    layers, outputs = dict[GraphName, Layers](), {}

    def take(graph: GraphName, output: Any) -> None:
        outputs[graph] = output.numpy()
        layers[graph], taps.layers = taps.layers, {}

    class_maps, contexts = floats.key(pixels)
    take("key", class_maps)
    take("propagate", floats.propagate(pixels, np.roll(contexts, 1, axis=0)))
    take("gate", floats.gate(small, np.roll(small, 1, axis=0)))
    return layers, outputs


def _graph_layers(files: Mapping[GraphName, Path], frames: Frames) -> dict[GraphName, Layers]:
    """Run the graphs without a delegate; return their layers, all frames stacked."""
    key, small = Graph(files["key"]), thumbnails(frames)
    contexts = [key.run(image=frame[None])["context"] for frame in frames]
    inputs: dict[GraphName, dict[str, npt.NDArray[np.uint8 | np.int8]]] = {
        "key": {"image": frames},
        "propagate": {"image": frames, "context": np.roll(np.concatenate(contexts), 1, axis=0)},
        "gate": {"now": small, "keyframe": np.roll(small, 1, axis=0)},
    }
    found = {}
    for graph, stacked in inputs.items():
        runs = [
            {name: values[index : index + 1] for name, values in stacked.items()}
            for index in range(len(frames))
        ]
        made = list(layer_values(files[graph], runs))
        found[graph] = {layer: np.concatenate([each[layer] for each in made]) for layer in made[0]}
    return found
