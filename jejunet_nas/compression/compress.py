"""Compress: a trained network through a chain of methods, to graphs on disk."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.check import check_agreement
from jejunet_nas.compression.convert import FloatWeights
from jejunet_nas.compression.graphs import Int8Network, write_float_graphs
from jejunet_nas.compression.metadata import write_metadata
from jejunet_nas.compression.post_training import quantize_after_training
from jejunet_nas.compression.settings import (
    Chain,
    Clustering,
    DynamicRange,
    Float16,
    Float32,
    Method,
    PostTrainingInt8,
    Pruning,
    QuantizationAware,
)
from jejunet_nas.networks.build import FoldedNetwork, KerasNetwork
from jejunet_nas.networks.folded_layers import FoldedLayers, fold
from jejunet_nas.progress import Clock, Tell
from jejunet_nas.records import AgreementRecord, GraphName, Pictures
from jejunet_nas.space.architecture import Network
from jejunet_nas.training.material import Material

Frames = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompressedNetwork:
    """What a chain made of a trained network.

    trained: the float network that its format was made of, pruned and clustered as the chain says.
    int8: what the graphs hold, in floats; None where they compute in floats. files: the graphs.
    reference: the float network that `frames` compare the graphs with. train_s: spent on training;
    convert_s: from trained weights to files.
    """

    chain: Chain
    network: Network
    trained: KerasNetwork
    int8: Int8Network | None
    files: dict[GraphName, Path]
    reference: FoldedNetwork
    frames: Frames
    equalized: bool = False
    bias_corrected: bool = False
    train_s: float = 0.0
    convert_s: float = 0.0

    def agreement(self) -> AgreementRecord:
        """Return how far the graphs on disk agree with the float network."""
        return check_agreement(
            self.files,
            self.reference,
            self.frames,
            equalized=self.equalized,
            bias_corrected=self.bias_corrected,
        )


def compress(
    network: KerasNetwork,
    chain: Chain,
    material: Material,
    folder: Path,
    tell: Tell,
    *,
    calibration: PostTrainingInt8 | None = None,
) -> CompressedNetwork:
    """Put `network` through `chain` and write its graphs into `folder`.

    calibration: of a chain whose end says nothing of it. Raises `TrialError` where training breaks.
    """
    clock = Clock()
    *methods, form = chain
    calibrating = form if isinstance(form, PostTrainingInt8) else calibration or PostTrainingInt8()
    if any(isinstance(method, Clustering) for method in methods):
        # Equalisation divides weights of one cluster by what their channels are multiplied with.
        calibrating = dataclasses.replace(calibrating, equalize="never")
    frames = material.calibration(
        network.network, calibrating.calibration_frames, calibrating.calibration_choice
    )
    pictures = _PicturesOnce(material, network.network, tell)
    for number, method in enumerate(methods):
        with clock.stage("train"):
            network = _apply(method, network, chain[:number], material, pictures, frames, tell)
    if isinstance(form, Float32 | Float16 | DynamicRange):
        made = _write_float(network, chain, folder, frames, clock)
        write_metadata(made.files, material.split.class_names)
        return made
    with clock.stage("convert"):
        folded = network.folded()
        found = quantize_after_training(folded, frames, calibrating)
    int8, floats = found.int8, found.float_weights
    if isinstance(form, QuantizationAware):
        with clock.stage("train"):
            int8 = _trained_on(int8, form, methods, material, pictures, tell)
        floats = int8.weights
    with clock.stage("convert"):
        files = int8.write(folder)
        write_metadata(files, material.split.class_names)
    return CompressedNetwork(
        chain=chain,
        network=int8.network,
        trained=network,
        int8=int8,
        files=files,
        reference=FoldedNetwork(network.network, network.classes, FoldedLayers(floats)),
        frames=frames,
        equalized=found.equalized,
        bias_corrected=found.bias_corrected,
        train_s=clock.stage_s.get("train", 0.0),
        convert_s=clock.stage_s["convert"],
    )


class _PicturesOnce:
    """The training frames at a network's resolution, made when they are first asked for."""

    def __init__(self, material: Material, network: Network, tell: Tell) -> None:
        self._material, self._network, self._tell = material, network, tell
        self._kept: Sequence[Pictures] | None = None

    def __call__(self) -> Sequence[Pictures]:
        if self._kept is None:
            self._kept = self._material.pictures(self._network, self._tell)
        return self._kept


def _apply(
    method: Method,
    network: KerasNetwork,
    before: Chain,
    material: Material,
    pictures: _PicturesOnce,
    frames: Frames,
    tell: Tell,
) -> KerasNetwork:
    """Return `network` after one method that trains."""
    # tensorflow-model-optimization takes seconds to import, and most trials ask for none of it.
    if isinstance(method, Clustering):
        from jejunet_nas.compression.clustering import train_clustered

        return train_clustered(
            network, method, material, pictures(), tell, keep_zeros=_leaves_zeros(before)
        )
    assert isinstance(method, Pruning), method
    from jejunet_nas.compression.pruning import cut_channels, train_sparse

    if method.kind == "magnitude":
        return train_sparse(network, method, material, pictures(), tell)
    pruned = cut_channels(network, method.share, frames)
    material.train(
        pruned,
        pictures(),
        tell,
        what="train with fewer channels",
        steps=method.steps,
        learning_rate=method.learning_rate,
    )
    return pruned


def _trained_on(
    int8: Int8Network,
    settings: QuantizationAware,
    methods: Sequence[Method],
    material: Material,
    pictures: _PicturesOnce,
    tell: Tell,
) -> Int8Network:
    from jejunet_nas.compression.keeping import Keeping
    from jejunet_nas.compression.quantization_aware import train_quantized

    zeros = _leaves_zeros(methods)
    clusters = any(isinstance(method, Clustering) for method in methods)
    keep = Keeping.of(int8.weights, zeros=zeros, clusters=clusters)
    return train_quantized(int8, settings, material, pictures(), tell, keep=keep)


def _leaves_zeros(methods: Sequence[Method]) -> bool:
    return any(isinstance(each, Pruning) and each.kind == "magnitude" for each in methods)


def _write_float(
    network: KerasNetwork, chain: Chain, folder: Path, frames: Frames, clock: Clock
) -> CompressedNetwork:
    weights: FloatWeights = "float32"
    if isinstance(chain[-1], Float16):
        weights = "float16"
    elif isinstance(chain[-1], DynamicRange):
        weights = "int8"
    folded = FoldedNetwork(network.network, network.classes, FoldedLayers(fold(network.layers)))
    with clock.stage("convert"):
        files = write_float_graphs(folded, folder, weights)
    return CompressedNetwork(
        chain=chain,
        network=network.network,
        trained=network,
        int8=None,
        files=files,
        reference=folded,
        frames=frames,
        train_s=clock.stage_s.get("train", 0.0),
        convert_s=clock.stage_s["convert"],
    )
