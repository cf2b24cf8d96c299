"""Losses of training."""

from typing import Any

import tensorflow as tf

from jejunet_nas.records import IGNORE


def cross_entropy(masks: Any, logits: Any) -> Any:
    """Return the mean cross-entropy over the annotated pixels.

    masks: uint8 [batch, height, width]. logits: [batch, h, w, classes], at any resolution; they are
    upsampled bilinearly to that of the masks.
    """
    logits = tf.image.resize(logits, tf.shape(masks)[1:3])
    known = tf.cast(masks != IGNORE, tf.float32)
    labels = tf.cast(tf.where(masks == IGNORE, tf.zeros_like(masks), masks), tf.int32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_sum(losses * known) / tf.maximum(tf.reduce_sum(known), 1.0)
