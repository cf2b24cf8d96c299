"""Networks, clips and graphs so small that a test can afford them; nothing here is a test."""

import atexit
import dataclasses
import functools
import gc
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jejunet_nas.compression.convert import convert_int8
from jejunet_nas.compression.post_training import quantize_after_training
from jejunet_nas.compression.settings import PostTrainingInt8
from jejunet_nas.datasets.calibration import calibration_frames
from jejunet_nas.datasets.catalog import open_split
from jejunet_nas.datasets.sampling import PairSampler
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.records import DataSplit, GraphName
from jejunet_nas.space.architecture import Architecture, Network
from jejunet_nas.space.draw import choices_of
from jejunet_nas.space.search_space import SearchSpace
from jejunet_nas.training.gate import train_gate
from jejunet_nas.training.loop import LoopRecord, train_paths
from jejunet_nas.training.settings import TrainingSettings

PROCEDURAL = {"clips": 4, "val_clips": 2, "frames": 8, "height": 64, "width": 64}
LONGEST_AGE = 3
# Sixty steps at ten times the usual rate, 4 s: masks of four classes at a mIoU of about 0.5.
TINY_TRAINING = TrainingSettings(steps=60, learning_rate=2e-2, gate_pairs=40, gate_steps=30)


def tiny_network(**changes: Any) -> Network:
    """Return the smallest network there is, 60 kB in int8, but for `changes`."""
    smallest = Network(
        depth_multiplier=0.25,
        last_block=6,
        output_stride=16,
        decoder_channels=16,
        detail="thin",
        logit_stride=4,
        input_height=64,
        input_width=64,
    )
    return dataclasses.replace(smallest, **changes)


def space_of(architecture: Architecture) -> SearchSpace:
    """Return the space that has this architecture alone."""
    undrawn = {"output_stride": 16, "logit_stride": 8, "between_keyframes": "propagate"}
    chosen = {**undrawn, "reuse_below": None, "refresh_above": None, **choices_of(architecture)}
    return SearchSpace(**{name: (choice,) for name, choice in chosen.items()})  # type: ignore[arg-type]


def noise(seed: int, *shape: int) -> npt.NDArray[np.float32]:
    """Return uniform noise in [-1, 1], as a network's input."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@functools.cache
def tiny_splits() -> tuple[DataSplit, DataSplit]:
    """Return train and val split of the procedural data set at 64 px."""
    train, val = (
        open_split("procedural", split, root=None, options=PROCEDURAL) for split in ("train", "val")
    )
    return train, val


def shake(network: KerasNetwork, seed: int) -> None:
    """Draw all weights of `network`, batch norm statistics too: nothing is left at 0 or 1.

    Kernels get He's spread. With Keras' own, features shrink from layer to layer, until the deep
    ones hardly depend on the picture.
    """
    rng = np.random.default_rng(seed)
    for name, layer in network.layers.items():
        shapes = [weight.shape for weight in layer.weights]
        if hasattr(layer, "moving_mean"):
            gamma, variance = rng.uniform(0.5, 1.5, (2, *shapes[0]))
            beta, mean = rng.normal(0, 0.1, (2, *shapes[0]))
            layer.set_weights([gamma, beta, mean, variance])
        elif shapes:
            fan_in = math.prod(shapes[0][:2] if name.endswith("depthwise") else shapes[0][:3])
            spreads = [
                math.sqrt(2 / fan_in),
                0.1,
            ]  # of the kernel, and of the bias where there is one
            layer.set_weights([rng.normal(0, s, w) for s, w in zip(spreads, shapes, strict=False)])


def weights_of(network: KerasNetwork) -> dict[str, npt.NDArray[np.float32]]:
    """Return all weights by layer and number."""
    return {
        f"{name}/{number}": weight
        for name, layer in network.layers.items()
        for number, weight in enumerate(layer.get_weights())
    }


def train_tiny(network: KerasNetwork, settings: TrainingSettings) -> LoopRecord:
    """Train `network` on the tiny train split."""
    sampler = PairSampler(
        tiny_splits()[0].clips,
        height=network.network.input_height,
        width=network.network.input_width,
        pairs=settings.pairs_per_step,
        longest_age=LONGEST_AGE,
        seed=settings.seed,
    )
    return train_paths(network, sampler, settings, pretrained=set(), on_step=lambda *_: None)


def traced_graphs() -> int:
    """Return how many graphs of traced functions are in memory."""
    gc.collect()
    return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())


@dataclasses.dataclass(frozen=True, kw_only=True)
class TinyRun:
    """A trained network and its int8 graphs."""

    network: KerasNetwork
    graphs: Mapping[GraphName, Path]
    train: DataSplit
    val: DataSplit

    @property
    def val_frames(self) -> npt.NDArray[np.uint8]:
        """The validation frames of all clips, uint8 [16, 64, 64, 3]."""
        return np.concatenate([clip.frames for clip in self.val.clips])


@functools.cache
def tiny_run() -> TinyRun:
    """Train and convert the smallest network, once a session."""
    train, val = tiny_splits()
    folder = Path(tempfile.mkdtemp(prefix="jejunet-tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    network = build_network(tiny_network(), len(train.class_names), seed=0)
    train_tiny(network, TINY_TRAINING)
    train_gate(network, train, TINY_TRAINING, longest_age=LONGEST_AGE)
    frames = calibration_frames(train, height=64, width=64, count=16, seed=0)
    graphs = int8_graphs(network, frames, folder)
    return TinyRun(network=network, graphs=graphs, train=train, val=val)


def int8_graphs(
    network: KerasNetwork, frames: npt.NDArray[np.uint8], folder: Path
) -> dict[GraphName, Path]:
    """Write the graphs of `network` in int8, calibrated on `frames`."""
    found = quantize_after_training(network.folded(), frames, PostTrainingInt8())
    return found.int8.write(folder)


def write_graph(
    file: Path,
    function: Callable[..., dict[str, Any]],
    shape: tuple[int, ...],
    *,
    reach: float = 1.0,
    int8: bool = False,
) -> Path:
    """Write `function` of one input as an int8 graph, calibrated on values up to +-`reach`."""
    (name,) = function.__code__.co_varnames[: function.__code__.co_argcount]
    ramp = np.linspace(-reach, reach, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    graph = convert_int8(
        function, {name: shape}, [{name: ramp}], int8_inputs=(name,) if int8 else ()
    )
    file.write_bytes(graph)
    return file
