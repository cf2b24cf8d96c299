"""Shared weights: one wide set of variables, of which each network trains and takes its part.

For `shared_weights.py`. Layers of the same name share their variables; heads that read different
features do not (`shared_name`). A narrow network takes the channels of the backbone that
`training.inherit` keeps, and the first channels of the decoder. One pass over `Layers` finds them;
a training step is that of `networks.training_layers`, over parts of the variables. The gate is not
shared: keyframes do not need it.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from jejunet_nas.datasets.sampling import PairBatch, PairSampler, Prefetcher
from jejunet_nas.errors import TrialError
from jejunet_nas.networks.build import KerasNetwork, as_input, build_network
from jejunet_nas.networks.layers import Conv
from jejunet_nas.networks.paths import NARROW_DEPTH_MULTIPLIER, NARROW_PREFIX, key_path
from jejunet_nas.networks.training_layers import (
    TrainingLayers,
    Variables,
    pair_logits,
    variables_of,
)
from jejunet_nas.progress import Tell
from jejunet_nas.space.architecture import Network
from jejunet_nas.training.checkpoint import Checkpoint
from jejunet_nas.training.inherit import Indices, inherit, kept_channels
from jejunet_nas.training.losses import segmentation_loss
from jejunet_nas.training.material import Material
from jejunet_nas.training.optimizer import Optimizer, update_variables
from jejunet_nas.training.source import Source

OTHER_BATCHES = 1_000_000  # added to the seed: a network's own training begins with other batches


def shared_name(name: str, network: Network) -> str:
    """Return the name under which networks share the layer `name` of `network`."""
    if name.startswith("context_"):
        return f"{name}@{network.last_block}"
    if name.startswith(("thin_", "decoder_detail")):
        return f"{name}@{network.detail}/{network.logit_stride}"
    if name.startswith(("decoder_", "logits")):
        return f"{name}@{network.logit_stride}"
    return name


class Channels(NamedTuple):
    """Of a tensor, or of the input or output of a layer: which channels of how many."""

    kept: Indices
    wide: int


class Cut(NamedTuple):
    """The channels of a shared convolution that a network uses; outputs: None if depthwise."""

    inputs: Channels
    outputs: Channels | None

    def of(self, whole: Variables) -> Variables:
        """Return this part of the variables of the whole convolution."""
        kernel = _taken(whole.kernel, self.inputs, axis=2)
        if self.outputs:
            kernel = _taken(kernel, self.outputs, axis=3)
        each = self.outputs or self.inputs
        others = (None if values is None else _taken(values, each, axis=0) for values in whole[1:])
        return Variables(kernel, *others)


def _taken(values: Any, channels: Channels, *, axis: int) -> Any:
    if len(channels.kept) == channels.wide:
        return values
    return tf.gather(values, channels.kept, axis=axis)


class CutReader:
    """`Layers` that records the cut of each convolution.

    backbone: the outputs that its layers keep. wide: the number of outputs of the wide network's
    convolutions, where there are more.
    """

    def __init__(self, backbone: Mapping[str, Indices], wide: Mapping[str, int]) -> None:
        self.cuts: dict[str, Cut] = {}
        self._backbone, self._wide = backbone, wide

    def conv(self, x: Channels, conv: Conv) -> Channels:
        kept = self._backbone.get(conv.name, np.arange(conv.filters))
        made = Channels(kept, self._wide.get(conv.name, conv.filters))
        self.cuts[conv.name] = Cut(x, made)
        return made

    def depthwise(self, x: Channels, name: str, *, stride: int = 1, dilation: int = 1) -> Channels:
        self.cuts[name] = Cut(x, None)
        return x

    def add(self, name: str, first: Channels, second: Channels, *, relu6: bool = False) -> Channels:
        # A narrow network also adds where the wide one does not (block 0 at 0.25), so `first` may
        # have other channels. Those of `second` are what the wide network reads next.
        return second

    def concatenate(self, name: str, first: Channels, second: Channels) -> Channels:
        kept = np.concatenate([first.kept, first.wide + second.kept])
        return Channels(kept, first.wide + second.wide)

    def upsample(self, x: Channels, name: str, factor: int) -> Channels:
        return x

    def mean(self, x: Channels, name: str) -> Channels:
        return x


class SharedWeights:
    """The variables of all networks by shared name, as wide as `source` and `decoder_channels`.

    pretrained: the names of the layers, and of their batch norms, that began as the source's.
    """

    def __init__(self, source: Source, classes: int, *, decoder_channels: int, seed: int) -> None:
        self.variables: dict[str, Variables] = {}
        self.pretrained: set[str] = set()
        self.classes = classes
        self._source, self._decoder_channels, self._seed = source, decoder_channels, seed

    def cover(self, network: Network) -> None:
        """Make the variables of `network` that are missing, from the source, else random ones."""
        wide = self.widened(network)
        if {shared_name(name, wide) for name in self._read(wide, {})} <= self.variables.keys():
            return
        keras = build_network(wide, self.classes, seed=self._seed)
        backbones = {"": wide.depth_multiplier, NARROW_PREFIX: NARROW_DEPTH_MULTIPLIER}
        for prefix, width in backbones.items():
            self.pretrained |= inherit(keras.layers, self._source, width, prefix=prefix)
        made = variables_of({layer.name: layer for layer in keras.path_layers()})
        for name, variables in made.items():
            self.variables.setdefault(shared_name(name, wide), variables)

    def widened(self, network: Network) -> Network:
        """Return `network` as wide as the shared weights."""
        width, channels = self._source.depth_multiplier, self._decoder_channels
        return dataclasses.replace(network, depth_multiplier=width, decoder_channels=channels)

    def cuts(self, network: Network) -> dict[str, Cut]:
        """Return the cut of each convolution of the key path."""
        wide = self._read(self.widened(network), {})
        return self._read(network, {n: cut.outputs.wide for n, cut in wide.items() if cut.outputs})

    def parts(self, network: Network, cuts: Mapping[str, Cut]) -> dict[str, Variables]:
        """Return the part of the variables that each convolution of `network` uses."""
        return {n: cut.of(self.variables[shared_name(n, network)]) for n, cut in cuts.items()}

    def export(self, keras: KerasNetwork, *, trained_cut: bool) -> set[str]:
        """Set the paths' weights in `keras`; return the names of the layers that are trained.

        Batch norm gets no statistics: every training ends with settling them.
        trained_cut: whether parts were trained, not only whole layers. If not, a layer that loses
        channels counts as new, as in `TrainingSettings.pretrained_rate`.
        """
        cuts, targets = self.cuts(keras.network), variables_of(keras.layers)
        for name, part in self.parts(keras.network, cuts).items():
            for target, value in zip(targets[name], part, strict=True):
                if target is not None:
                    target.assign(value)
        trained = {name for name, cut in cuts.items() if trained_cut or _is_whole(cut)}
        return trained | {f"{name}_BN" for name in trained}

    def _read(self, network: Network, wide: Mapping[str, int]) -> dict[str, Cut]:
        kept = kept_channels(self._source, network.depth_multiplier)
        reader = CutReader({name: outputs for name, (_, outputs) in kept.items()}, wide)
        key_path(reader, Channels(np.arange(3), 3), network, self.classes)
        return reader.cuts


def _is_whole(cut: Cut) -> bool:
    return all(each is None or len(each.kept) == each.wide for each in cut)


def train_shared(
    shared: SharedWeights,
    arms: Sequence[Network],
    material: Material,
    tell: Tell,
    *,
    steps: int,
    checkpoint: Path,
) -> float:
    """Train `shared` for `steps` in place, in which the `arms` take turns; return the seconds.

    checkpoint: a file from which an interrupted training resumes; its seconds count too.
    """
    settings = dataclasses.replace(material.training, steps=steps)
    turns = Turns(arms, material, tell)
    for arm in arms:
        shared.cover(arm)
    variables = [v for each in shared.variables.values() for v in each if v is not None]
    optimizer = Optimizer(variables, shared.pretrained, settings)
    run = [_step(shared, arm, turns.own, optimizer) for arm in arms]
    spent_s = tf.Variable(0.0, dtype=tf.float64)
    state = [*variables, *optimizer.variables, spent_s]
    kept = Checkpoint(checkpoint, state, settings, shared.pretrained)
    losses = kept.resume()
    began = time.perf_counter() - float(spent_s)
    with Prefetcher(turns, first_step=len(losses), steps=steps) as batches:
        for batch in batches:
            step = run[len(losses) % len(arms)]
            losses.append(float(step(batch.frames, batch.context_frames, batch.masks)))
            if not math.isfinite(losses[-1]):
                raise TrialError(f"the loss became {losses[-1]} at step {len(losses)} of {steps}.")
            spent_s.assign(time.perf_counter() - began)
            kept.keep(losses, last=len(losses) == steps)
            tell(f"shared, loss {np.mean(losses[-len(arms) :]):.3f}", len(losses), steps)
    return float(spent_s)


class Turns:
    """Draws the batch of any step in the size of the arm whose turn it is."""

    def __init__(self, arms: Sequence[Network], material: Material, tell: Tell) -> None:
        training, samplers = material.training, dict[tuple[int, int], PairSampler]()
        for arm in arms:
            size = arm.input_height, arm.input_width
            samplers[size] = samplers.get(size) or PairSampler(
                material.split.clips,
                height=arm.input_height,
                width=arm.input_width,
                pairs=training.pairs_per_step,
                longest_age=material.longest_age,
                seed=training.seed + OTHER_BATCHES,
                sampling=training.sampling,
                augment=training.augment,
                frames=material.pictures(arm, tell),
            )
        self._samplers = [samplers[arm.input_height, arm.input_width] for arm in arms]
        self.own = self._samplers[0].own

    def batch(self, step: int) -> PairBatch:
        """Return the batch of `step`."""
        return self._samplers[step % len(self._samplers)].batch(step)


def _step(
    shared: SharedWeights,
    network: Network,
    own: int,
    optimizer: Optimizer,
) -> Callable[[Any, Any, Any], Any]:
    """Return the training step of one arm; variables that it does not use stay as they are."""
    cuts = shared.cuts(network)
    names = [shared_name(name, network) for name in cuts]
    used = [v for name in names for v in shared.variables[name] if v is not None]

    @tf.function(autograph=False)
    def step(frames: Any, context_frames: Any, masks: Any) -> Any:
        with tf.GradientTape() as tape:
            layers = TrainingLayers(shared.parts(network, cuts))
            inputs = as_input(frames), as_input(context_frames)
            logits = pair_logits(layers, *inputs, network, shared.classes, own=own)
            loss = segmentation_loss(masks, logits)
        gradients = {v.ref(): g for v, g in zip(used, tape.gradient(loss, used), strict=True)}
        # `Optimizer.apply` wants a gradient of every variable.
        for adam, group in optimizer._groups:
            mine = [(gradients[v.ref()], v) for v in group if v.ref() in gradients]
            update_variables(adam, mine)
        return loss

    return step
