"""Losses of training."""

from typing import Any

import tensorflow as tf

from jejunet_nas.records import IGNORE

_SMOOTH = 1.0  # pixels, so that a class without pixels has no infinite loss


def segmentation_loss(masks: Any, logits: Any, *, dice_weight: float = 0.0) -> Any:
    """Return the mean cross-entropy over the annotated pixels, plus `dice_weight` of Dice loss.

    Dice loss (Milletari et al., V-Net, 3DV 2016) is 1 - 2 |A and B| / (|A| + |B|) of the predicted
    and the true pixels of a class, here its mean over the classes that the batch holds. Each class
    weighs the same in it, however few its pixels are, as in mIoU.

    masks: uint8 [batch, height, width]. logits: [batch, h, w, classes], at any resolution; they are
    upsampled bilinearly to that of the masks.
    """
    logits = tf.image.resize(logits, tf.shape(masks)[1:3])
    known = tf.cast(masks != IGNORE, tf.float32)
    labels = tf.cast(tf.where(masks == IGNORE, tf.zeros_like(masks), masks), tf.int32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    cross_entropy = tf.reduce_sum(losses * known) / tf.maximum(tf.reduce_sum(known), 1.0)
    if not dice_weight:
        return cross_entropy
    return cross_entropy + dice_weight * _dice(labels, known, losses, logits)


def _dice(labels: Any, known: Any, losses: Any, logits: Any) -> Any:
    """Return the mean Dice loss of the classes that the batch holds.

    losses: the cross-entropy of each pixel, minus the logarithm of its true class's share.
    """
    classes = logits.shape[-1]
    true = tf.math.unsorted_segment_sum(known, labels, classes)
    both = tf.math.unsorted_segment_sum(tf.exp(-losses) * known, labels, classes)
    predicted = tf.reduce_sum(tf.nn.softmax(logits) * known[..., None], [0, 1, 2])
    dice = 1 - (2 * both + _SMOOTH) / (true + predicted + _SMOOTH)
    there = tf.cast(true > 0, tf.float32)
    return tf.reduce_sum(dice * there) / tf.maximum(tf.reduce_sum(there), 1.0)
