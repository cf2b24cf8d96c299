"""Scalars of a training for TensorBoard: loss, learning rate, step time.

TensorFlow writes them; TensorBoard is only needed to look at them:
`tensorboard --logdir studies/NAME/networks`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

EVENTS = "events"  # the folder of the events in the folder of a network


@contextmanager
def scalar_writer(folder: Path | None) -> Iterator[Callable[..., None]]:
    """Yield `write(step, **values)` for an events file in `folder`; None writes nothing."""
    if folder is None:
        yield lambda step, **values: None
        return
    writer = tf.summary.create_file_writer(str(folder))

    def write(step: int, **values: float) -> None:
        with writer.as_default():
            for name, value in values.items():
                # `tf.summary.scalar` does the same, but imports TensorBoard.
                tf.summary.write(name, tf.cast(value, tf.float32), step=step, metadata=_SCALAR)

    try:
        yield write
    finally:
        writer.close()


_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class="DATA_CLASS_SCALAR",
)
