"""What training makes small."""

from typing import Any

import tensorflow as tf

from jejunet_nas.records import IGNORE


def cross_entropy(masks: Any, logits: Any) -> Any:
    """Return the mean cross-entropy over the pixels that are annotated.

    masks: uint8 [batch, height, width]. logits: [batch, h, w, classes] at any resolution, enlarged
    bilinearly to the masks'.
    """
    losses, known = _of_pixels(masks, tf.image.resize(logits, tf.shape(masks)[1:3]))
    return tf.reduce_sum(losses * known) / tf.maximum(tf.reduce_sum(known), 1.0)


def taught_loss(masks: Any, taught: Any, sureness: Any | None, logits: Any, weight: float) -> Any:
    """Return the mean loss over the pixels that are annotated or that a teacher tells.

    masks, taught: uint8 [batch, height, width], `IGNORE` where nothing is said. sureness: uint8
    likewise, 255 times the probability of the taught class, the rest of which is shared by the
    others; None takes the class as certain. The loss is the cross-entropy of the annotation plus
    `weight` times that of the teacher, or its Kullback-Leibler divergence at temperature 1
    (Hinton et al., 2015, section 2).
    """
    logits = tf.image.resize(logits, tf.shape(masks)[1:3])
    annotated, known = _of_pixels(masks, logits)
    if sureness is None:
        told, sure = _of_pixels(taught, logits)
    else:
        told, sure = _divergence(taught, sureness, logits)
    total = tf.reduce_sum(annotated * known) + weight * tf.reduce_sum(told * sure)
    return total / tf.maximum(tf.reduce_sum(tf.maximum(known, sure)), 1.0)


def _of_pixels(masks: Any, logits: Any) -> tuple[Any, Any]:
    """Return the cross-entropy of each pixel, and 1 where its class is known, 0 elsewhere."""
    known, labels = _labels(masks)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return losses, known


def _divergence(taught: Any, sureness: Any, logits: Any) -> tuple[Any, Any]:
    """Return the divergence of each pixel's distribution from the taught one, and what is known."""
    sure, labels = _labels(taught)
    others = tf.cast(tf.shape(logits)[-1] - 1, tf.float32)
    top = tf.cast(sureness, tf.float32) / 255.0
    rest = (1.0 - top) / others
    logs = tf.nn.log_softmax(logits)
    of_top = tf.gather(logs, labels, axis=-1, batch_dims=3)
    of_others = tf.reduce_sum(logs, -1) - of_top
    entropy = tf.math.xlogy(top, top) + others * tf.math.xlogy(rest, rest)
    return entropy - top * of_top - rest * of_others, sure


def _labels(masks: Any) -> tuple[Any, Any]:
    known = tf.cast(masks != IGNORE, tf.float32)
    labels = tf.where(masks == IGNORE, tf.zeros_like(masks), masks)
    return known, tf.cast(labels, tf.int32)
