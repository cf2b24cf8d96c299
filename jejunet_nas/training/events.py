"""Scalars of a training as TensorBoard reads them: the loss, the learning rate, the step's time.

They are written by TensorFlow's own writer; TensorBoard itself need not be installed, but where
somebody looks at them: `tensorboard --logdir studies/NAME/networks`.
"""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tensorflow as tf

EVENTS = "events"  # the folder of a network's events, in its own


class Scalars:
    """An events file in `folder`; None writes nothing. A context manager."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._writer: Any = None

    def __enter__(self) -> Self:
        if self._folder is not None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, step: int, **values: Any) -> None:
        """Write `values` by name, as they were at `step`."""
        if self._writer is None:
            return
        with self._writer.as_default():
            for name, value in values.items():
                # `tf.summary.scalar` does this, and imports TensorBoard for it.
                tf.summary.write(name, tf.cast(value, tf.float32), step=step, metadata=_SCALAR)


_SCALAR = tf.compat.v1.SummaryMetadata(
    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
    data_class="DATA_CLASS_SCALAR",
)
