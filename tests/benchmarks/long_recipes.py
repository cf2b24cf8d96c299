"""Recipes of long training, for `long_training.py`: what each row of its ablation changes.

What is not in the package is put in place of the parts of `training.loop` while a recipe trains; it
moves into the package when a row shows that it pays.
"""

import contextlib
import dataclasses
import functools
import unittest.mock
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras

from jejunet_nas.datasets.view import Augment
from jejunet_nas.networks import training_layers
from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.records import IGNORE, DataSplit
from jejunet_nas.training import loop
from jejunet_nas.training.losses import segmentation_loss
from jejunet_nas.training.optimizer import WarmCosine, update_variables
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.training.watch import Settle, Watch

Loss = Callable[[Any, Any], Any]  # of masks and logits


class Recipe(NamedTuple):
    """changes: of `TrainingSettings`. loss: makes the loss from the training clips.

    auxiliary: weight of the same loss on the context. decay: of weights, times the learning rate.
    average: decay of the mean of all weights. distilled: weight of what a teacher says.
    """

    changes: Mapping[str, Any] = {}
    loss: Callable[[DataSplit], Loss] | None = None
    auxiliary: float = 0.0
    decay: float = 0.0
    average: float = 0.0
    distilled: float = 0.0


def hardest(share: float) -> Callable[[DataSplit], Loss]:
    """Return the mean cross-entropy of the hardest `share` of the annotated pixels."""

    def loss(masks: Any, logits: Any) -> Any:
        losses, known, _ = _pixels(masks, logits)
        flat = tf.reshape(losses * known, [-1])
        count = tf.cast(tf.reduce_sum(known) * share, tf.int32)
        worst, _ = tf.math.top_k(flat, k=tf.maximum(count, 1), sorted=False)
        return tf.reduce_mean(worst)

    return lambda _: loss


def balanced(power: float) -> Callable[[DataSplit], Loss]:
    """Return cross-entropy with a class's pixels weighted by their frequency to -`power`."""

    def made(split: DataSplit) -> Loss:
        classes = len(split.class_names)
        counts = np.zeros(IGNORE + 1)
        for clip in split.clips:
            for t in np.flatnonzero(clip.annotated):
                counts += np.bincount(clip.masks[t].ravel(), minlength=IGNORE + 1)
        shares = np.maximum(counts[:classes] / counts[:classes].sum(), 1e-6)
        weights = shares**-power / np.sum(shares ** (1 - power))  # 1 for the mean pixel

        def loss(masks: Any, logits: Any) -> Any:
            losses, known, labels = _pixels(masks, logits)
            known *= tf.gather(tf.constant(weights, tf.float32), labels)
            return tf.reduce_sum(losses * known) / tf.maximum(tf.reduce_sum(known), 1.0)

        return loss

    return made


def _pixels(masks: Any, logits: Any) -> tuple[Any, Any, Any]:
    """Return the loss of each pixel, whether it is annotated (float), and its label."""
    logits = tf.image.resize(logits, tf.shape(masks)[1:3])
    known = masks != IGNORE
    labels = tf.cast(tf.where(known, masks, tf.zeros_like(masks)), tf.int32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return losses, tf.cast(known, tf.float32), labels


BASE = "base"
RECIPES: Mapping[str, Recipe] = {
    BASE: Recipe(),
    "frames drawn equally": Recipe({"sampling": "frames"}),
    "classes drawn equally": Recipe({"sampling": "classes"}),
    "crops of a quarter": Recipe({"augment": Augment(smallest_area=0.25)}),
    "zoom out 1.5": Recipe({"augment": Augment(zoom_out=1.5)}),
    "pretrained_rate 0.03": Recipe({"pretrained_rate": 0.03}),
    "pretrained_rate 0.1": Recipe({"pretrained_rate": 0.1}),
    "pretrained_rate 1": Recipe({"pretrained_rate": 1.0}),
    "learning_rate 0.002": Recipe({"learning_rate": 0.002}),
    "hardest quarter of pixels": Recipe(loss=hardest(0.25)),
    "class weights": Recipe(loss=balanced(0.5)),
    "Dice": Recipe({"dice_weight": 0.5}),
    "Dice 1": Recipe({"dice_weight": 1.0}),
    "auxiliary loss": Recipe(auxiliary=0.4),
    "weight decay": Recipe(decay=0.01),
    "averaged weights": Recipe(average=0.995),
    "teacher": Recipe(distilled=1.0),
}


@contextlib.contextmanager
def in_place(
    recipe: Recipe, train: DataSplit, teacher: Callable[[Any], Any] | None = None
) -> Iterator[None]:
    """Let networks train by the loss of `recipe` in the block.

    teacher: returns logits of uint8 frames; the recipe's weight is that of the divergence.
    """
    contexts: list[Any] = []
    decode = training_layers.decoder

    def decoder(layers: Any, context: Any, *rest: Any) -> Any:
        contexts.append(context)
        return decode(layers, context, *rest)

    def make_step(forward: Any, variables: list[Any], optimizer: Any, settings: Any) -> Any:
        plain = functools.partial(segmentation_loss, dice_weight=settings.dice_weight)
        loss = recipe.loss(train) if recipe.loss else plain
        extra = _Auxiliary() if recipe.auxiliary else None

        @tf.function(autograph=False)
        def step(frames: Any, context_frames: Any, masks: Any) -> Any:
            with tf.GradientTape(persistent=extra is not None) as tape:
                logits, _ = forward(frames, context_frames)
                total = loss(masks, logits)
                if extra:
                    total += recipe.auxiliary * extra.loss(loss, masks, contexts[-1], logits)
                if recipe.distilled and teacher:
                    total += recipe.distilled * _divergence(teacher(frames), logits)
            gradients = tape.gradient(total, variables)
            optimizer.apply({v.ref(): g for v, g in zip(variables, gradients, strict=True)})
            if extra:
                extra.update(tape, total)
            return total

        return step

    with (
        unittest.mock.patch.object(loop, "_make_step", make_step),
        unittest.mock.patch.object(training_layers, "decoder", decoder),
    ):
        yield


class _Auxiliary:
    """A classifier of the context, which is thrown away after training."""

    def __init__(self) -> None:
        self._variables: list[Any] = []
        self._adam = tf_keras.optimizers.legacy.Adam(0.002)

    def loss(self, loss: Loss, masks: Any, context: Any, logits: Any) -> Any:
        if not self._variables:
            with tf.init_scope():
                shape = (1, 1, context.shape[-1], logits.shape[-1])
                kernel = np.random.default_rng(0).normal(0, 0.05, shape).astype(np.float32)
                self._variables = [tf.Variable(kernel), tf.Variable(np.zeros(shape[-1], "f"))]
                self._adam._create_all_weights(self._variables)
        kernel, bias = self._variables
        own = logits.shape[0] // 2  # the contexts of the others are of earlier frames
        guessed = tf.nn.bias_add(tf.nn.conv2d(context[:own], kernel, 1, "SAME"), bias)
        return loss(masks[:own], guessed)

    def update(self, tape: Any, total: Any) -> None:
        gradients = tape.gradient(total, self._variables)
        update_variables(self._adam, zip(gradients, self._variables, strict=True))


def _divergence(teacher: Any, logits: Any) -> Any:
    """Return the Kullback-Leibler divergence of the softmax of `logits` from the teacher's."""
    teacher = tf.image.resize(tf.stop_gradient(teacher), tf.shape(logits)[1:3])
    apart = tf.nn.log_softmax(teacher) - tf.nn.log_softmax(logits)
    return tf.reduce_mean(tf.reduce_sum(tf.nn.softmax(teacher) * apart, axis=-1))


class AfterSteps:
    """What a recipe does after each step: weight decay and the mean of the weights."""

    def __init__(self, recipe: Recipe, network: KerasNetwork, settings: TrainingSettings) -> None:
        self._decay, self._average = recipe.decay, recipe.average
        self._done = 0
        self._rate = WarmCosine(settings.learning_rate, settings.steps)
        self.variables = [v for layer in network.path_layers() for v in layer.trainable_weights]
        self._kernels = [
            v for v in self.variables if "kernel" in v.name and "depthwise" not in v.name
        ]
        self._means = [v.numpy() for v in self.variables] if recipe.average else []

    def __call__(self) -> None:
        """Update what is decayed and averaged."""
        if self._decay:
            rate = float(self._rate(self._done)) * self._decay
            for kernel in self._kernels:
                kernel.assign(kernel * (1 - rate))
        self._done += 1
        if self._average:
            kept = min(self._average, self._done / (self._done + 9))  # the first soon fade
            for mean, variable in zip(self._means, self.variables, strict=True):
                mean += (1 - kept) * (variable.numpy() - mean)

    def watch(self) -> Watch:
        """Return what gives the network its mean weights in the end."""
        return _Averaged(self.variables, self._means) if self._average else Watch()


class _Averaged(Watch):
    def __init__(self, variables: Sequence[Any], means: Sequence[Any]) -> None:
        self._variables, self._means = variables, means

    def finish(self, network: KerasNetwork, settle: Settle, done: int) -> int:
        for mean, variable in zip(self._means, self._variables, strict=True):
            variable.assign(mean)
        return super().finish(network, settle, done)


def changed(
    settings: TrainingSettings, recipe: Recipe, *, steps: int, seed: int
) -> TrainingSettings:
    """Return the settings of a training by `recipe`."""
    return dataclasses.replace(settings, steps=steps, seed=seed, **recipe.changes)
