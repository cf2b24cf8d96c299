"""Graphs that stand for teachers: they read the classes off the colours of a picture."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from tests.builders import write_graph

SIZE = (1, 8, 12, 3)  # of the picture they take


def write_classes(file: Path) -> Path:
    """Write a teacher of three classes: the strongest colour."""

    def strongest(image: Any) -> dict[str, Any]:
        return {"mask": tf.cast(tf.argmax(image, -1, output_type=tf.int32), tf.uint8)}

    return write_graph(file, strongest, SIZE)


def write_logits(file: Path) -> Path:
    """Write a quantised teacher of three classes whose logits are ten times the colours."""
    return write_graph(file, lambda image: {"logits": image * 10.0}, SIZE)


def write_probabilities(file: Path) -> Path:
    """Write a float teacher of three classes: the softmax of five times the colours."""

    def soft(image: Any) -> dict[str, Any]:
        return {"probabilities": tf.nn.softmax(image * 5.0)}

    return write_float(file, soft)


def write_float(file: Path, function: Any, shape: tuple[int, ...] = SIZE) -> Path:
    traced = tf.function(function, autograph=False).get_concrete_function(
        tf.TensorSpec(shape, tf.float32, name="image")
    )
    file.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert())
    return file
