"""Compress: a trained network through a chain of methods, to graphs on disk."""

import dataclasses
import functools
from collections.abc import Callable
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
from jejunet_nas.datasets.calibration import calibration_frames
from jejunet_nas.networks.build import FoldedNetwork, KerasNetwork
from jejunet_nas.networks.folded_layers import FoldedLayers
from jejunet_nas.progress import Clock, Tell
from jejunet_nas.records import AgreementRecord, GraphName
from jejunet_nas.training.material import Material

Frames = npt.NDArray[np.uint8]

_WEIGHTS: dict[type, FloatWeights] = {Float32: "float32", Float16: "float16", DynamicRange: "int8"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompressedNetwork:
    """The result of a chain.

    trained: the float network after pruning and clustering. int8: the network in the int8 graphs,
    in floats; None for float graphs. files: the graphs. agreement: compares the graphs on disk
    with the float network. train_s: of training; convert_s: of calibration and conversion.
    """

    trained: KerasNetwork
    int8: Int8Network | None
    files: dict[GraphName, Path]
    agreement: Callable[[], AgreementRecord]
    train_s: float
    convert_s: float


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
    keep_zeros = any(isinstance(m, Pruning) and m.kind == "magnitude" for m in methods)
    keep_clusters = any(isinstance(m, Clustering) for m in methods)
    calibrating = form if isinstance(form, PostTrainingInt8) else calibration or PostTrainingInt8()
    if keep_clusters:
        # Equalisation would divide the weights of one cluster by different factors.
        calibrating = dataclasses.replace(calibrating, equalize="never")
    frames = _calibration_frames(network, material, calibrating)
    for method in methods:
        with clock.stage("train"):
            network = _apply(method, network, frames, material, tell, keep_zeros=keep_zeros)
    reference, int8, found = network.folded(), None, None
    if isinstance(form, PostTrainingInt8 | QuantizationAware):
        with clock.stage("convert"):
            found = quantize_after_training(reference, frames, calibrating)
        int8, weights = found.int8, found.float_weights
        if isinstance(form, QuantizationAware):
            with clock.stage("train"):
                from jejunet_nas.compression.quantization_aware import train_quantized

                int8 = train_quantized(
                    int8, form, material, tell, keep_zeros=keep_zeros, keep_clusters=keep_clusters
                )
            weights = int8.weights
        reference = FoldedNetwork(network.network, network.classes, FoldedLayers(weights))
    with clock.stage("convert"):
        files = _write_graphs(int8 or reference, form, folder, material.split.class_names)
    agreement = functools.partial(
        check_agreement,
        files,
        reference,
        frames,
        equalized=bool(found and found.equalized),
        bias_corrected=bool(found and found.bias_corrected),
    )
    return CompressedNetwork(
        trained=network,
        int8=int8,
        files=files,
        agreement=agreement,
        train_s=clock.stage_s.get("train", 0.0),
        convert_s=clock.stage_s["convert"],
    )


def _write_graphs(
    made: Int8Network | FoldedNetwork, form: Method, folder: Path, class_names: tuple[str, ...]
) -> dict[GraphName, Path]:
    if isinstance(made, Int8Network):
        files = made.write(folder)
    else:
        files = write_float_graphs(made, folder, _WEIGHTS[type(form)])
    write_metadata(files, class_names)
    return files


def _calibration_frames(
    network: KerasNetwork, material: Material, settings: PostTrainingInt8
) -> Frames:
    return calibration_frames(
        material.split,
        height=network.network.input_height,
        width=network.network.input_width,
        count=settings.calibration_frames,
        seed=material.training.seed,
        choice=settings.calibration_choice,
    )


def _apply(
    method: Method,
    network: KerasNetwork,
    frames: Frames,
    material: Material,
    tell: Tell,
    *,
    keep_zeros: bool,
) -> KerasNetwork:
    # tensorflow-model-optimization takes seconds to import, and most trials need none of it.
    if isinstance(method, Clustering):
        from jejunet_nas.compression.clustering import train_clustered

        return train_clustered(network, method, material, tell, keep_zeros=keep_zeros)
    assert isinstance(method, Pruning), method
    from jejunet_nas.compression.pruning import cut_channels, train_sparse

    if method.kind == "magnitude":
        return train_sparse(network, method, material, tell)
    pruned = cut_channels(network, method.share, frames)
    material.train(pruned, tell, what="train with fewer channels", schedule=method)
    return pruned
