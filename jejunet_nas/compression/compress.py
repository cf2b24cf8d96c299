"""Compress: a trained network through a chain of methods, to graphs on disk."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.check import check_agreement
from jejunet_nas.compression.convert import FloatWeights
from jejunet_nas.compression.fine_tuning import FineTuning
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
from jejunet_nas.networks.folded_layers import FoldedLayers
from jejunet_nas.progress import Clock, Tell
from jejunet_nas.records import AgreementRecord, GraphName, Pictures
from jejunet_nas.training.material import Material

Frames = npt.NDArray[np.uint8]

_FLOAT_WEIGHTS: dict[type, FloatWeights] = {
    Float32: "float32",
    Float16: "float16",
    DynamicRange: "int8",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompressedNetwork:
    """The result of a chain.

    trained: the float network after pruning and clustering. int8: the network in the int8 graphs,
    in floats; None for float graphs. files: the graphs. reference: the float network that `frames`
    compare the graphs with. equalized, bias_corrected: the corrections of post-training int8.
    train_s: of training; convert_s: of calibration and conversion.
    """

    trained: KerasNetwork
    int8: Int8Network | None
    files: dict[GraphName, Path]
    reference: FoldedNetwork
    frames: Frames
    equalized: bool
    bias_corrected: bool
    train_s: float
    convert_s: float

    def agreement(self) -> AgreementRecord:
        """Return the agreement of the graphs on disk with the float network."""
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
    """Apply `chain` to `network` and write its graphs into `folder`.

    calibration: for a chain whose format has no calibration settings. Raises `TrialError` where
    training fails.
    """
    clock = Clock()
    *methods, form = chain
    calibrating = _calibrating(chain, calibration)
    frames = material.calibration(
        network.network, calibrating.calibration_frames, calibrating.calibration_choice
    )
    pictures: Sequence[Pictures] = []
    if methods or isinstance(form, QuantizationAware):
        with clock.stage("train"):
            pictures = material.pictures(network.network, tell)
    tuning = FineTuning(material=material, pictures=pictures, tell=tell)
    for method in methods:
        with clock.stage("train"):
            network = _apply(method, network, chain, frames, tuning)
    reference, int8, found = network.folded(), None, None
    if isinstance(form, PostTrainingInt8 | QuantizationAware):
        with clock.stage("convert"):
            found = quantize_after_training(reference, frames, calibrating)
        int8, weights = found.int8, found.float_weights
        if isinstance(form, QuantizationAware):
            with clock.stage("train"):
                int8 = _train_quantized(int8, form, chain, tuning)
            weights = int8.weights
        reference = FoldedNetwork(network.network, network.classes, FoldedLayers(weights))
    with clock.stage("convert"):
        if int8:
            files = int8.write(folder)
        else:
            files = write_float_graphs(reference, folder, _FLOAT_WEIGHTS[type(form)])
        write_metadata(files, material.split.class_names)
    return CompressedNetwork(
        trained=network,
        int8=int8,
        files=files,
        reference=reference,
        frames=frames,
        equalized=found is not None and found.equalized,
        bias_corrected=found is not None and found.bias_corrected,
        train_s=clock.stage_s.get("train", 0.0),
        convert_s=clock.stage_s["convert"],
    )


def _calibrating(chain: Chain, given: PostTrainingInt8 | None) -> PostTrainingInt8:
    form = chain[-1]
    settings = form if isinstance(form, PostTrainingInt8) else given or PostTrainingInt8()
    if _clusters(chain):
        # Equalisation would divide the weights of one cluster by different factors.
        settings = dataclasses.replace(settings, equalize="never")
    return settings


def _apply(
    method: Method, network: KerasNetwork, chain: Chain, frames: Frames, tuning: FineTuning
) -> KerasNetwork:
    # tensorflow-model-optimization takes seconds to import, and most trials need none of it.
    if isinstance(method, Clustering):
        from jejunet_nas.compression.clustering import train_clustered

        return train_clustered(network, method, tuning, keep_zeros=_leaves_zeros(chain))
    assert isinstance(method, Pruning), method
    from jejunet_nas.compression.pruning import cut_channels, train_sparse

    if method.kind == "magnitude":
        return train_sparse(network, method, tuning)
    pruned = cut_channels(network, method.share, frames)
    tuning.train(pruned, method, "train with fewer channels")
    return pruned


def _train_quantized(
    int8: Int8Network, settings: QuantizationAware, chain: Chain, tuning: FineTuning
) -> Int8Network:
    from jejunet_nas.compression.keeping import Keeping
    from jejunet_nas.compression.quantization_aware import train_quantized

    keep = Keeping.of(int8.weights, zeros=_leaves_zeros(chain), clusters=_clusters(chain))
    return train_quantized(int8, settings, tuning, keep)


def _leaves_zeros(chain: Chain) -> bool:
    return any(isinstance(each, Pruning) and each.kind == "magnitude" for each in chain)


def _clusters(chain: Chain) -> bool:
    return any(isinstance(each, Clustering) for each in chain)
