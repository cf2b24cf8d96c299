"""Reads the scalars of events files; nothing here is a test."""

from pathlib import Path

import tensorflow as tf


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the scalars of all events in a folder by their names."""
    found: dict[str, list[tuple[int, float]]] = {}
    for file in folder.iterdir():
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                scalar = float(tf.make_ndarray(value.tensor))
                found.setdefault(value.tag, []).append((event.step, scalar))
    return found
