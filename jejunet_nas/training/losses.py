"""Losses of training."""

from typing import Any

import tensorflow as tf

from jejunet_nas.records import IGNORE


def cross_entropy(masks: Any, logits: Any) -> Any:
    """Return the mean cross-entropy over the annotated pixels.

    masks: uint8 [batch, height, width]. logits: [batch, h, w, classes], at any resolution; they are
    upsampled bilinearly to that of the masks.
    """
    losses, known = _cross_entropies(masks, tf.image.resize(logits, tf.shape(masks)[1:3]))
    return tf.reduce_sum(losses * known) / tf.maximum(tf.reduce_sum(known), 1.0)


def taught_loss(masks: Any, taught: Any, sureness: Any | None, logits: Any, weight: float) -> Any:
    """Return the mean loss over the pixels with an annotation or a pseudo-label of the teacher.

    masks, taught: uint8 [batch, height, width], `IGNORE` where unknown. sureness: uint8 of the same
    shape, 255 times the probability of the class in `taught`; the other classes share the rest
    equally. None: the class is certain.

    The loss is the annotation's cross-entropy plus `weight` times the teacher's: cross-entropy
    without `sureness`, else the Kullback-Leibler divergence at temperature 1 (Hinton et al., 2015,
    section 2).
    """
    logits = tf.image.resize(logits, tf.shape(masks)[1:3])
    annotated, known = _cross_entropies(masks, logits)
    if sureness is None:
        distilled, sure = _cross_entropies(taught, logits)
    else:
        distilled, sure = _divergences(taught, sureness, logits)
    total = tf.reduce_sum(annotated * known) + weight * tf.reduce_sum(distilled * sure)
    return total / tf.maximum(tf.reduce_sum(tf.maximum(known, sure)), 1.0)


def _cross_entropies(masks: Any, logits: Any) -> tuple[Any, Any]:
    """Return the cross-entropy of each pixel, and 1 where its class is known, else 0."""
    known, labels = _labels(masks)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return losses, known


def _divergences(taught: Any, sureness: Any, logits: Any) -> tuple[Any, Any]:
    """Return the divergence of each pixel, and 1 where the teacher knows its class, else 0."""
    known, labels = _labels(taught)
    others = tf.cast(tf.shape(logits)[-1] - 1, tf.float32)
    top = tf.cast(sureness, tf.float32) / 255.0
    rest = (1.0 - top) / others
    logs = tf.nn.log_softmax(logits)
    of_top = tf.gather(logs, labels, axis=-1, batch_dims=3)
    of_others = tf.reduce_sum(logs, -1) - of_top
    entropy = tf.math.xlogy(top, top) + others * tf.math.xlogy(rest, rest)
    return entropy - top * of_top - rest * of_others, known


def _labels(masks: Any) -> tuple[Any, Any]:
    known = tf.cast(masks != IGNORE, tf.float32)
    labels = tf.where(masks == IGNORE, tf.zeros_like(masks), masks)
    return known, tf.cast(labels, tf.int32)
