"""Work: the six figures of a graph that a device profile charges for.

Units: millions of MACs, bytes and elements; operators one by one.
"""

from collections.abc import Iterable
from typing import NamedTuple

from jejunet_nas.records import Operator

FLOAT_BYTES = 4  # of an element of a float32 graph


class Work(NamedTuple):
    """The work of a graph, in the order of the fields of `predicted_meter.Costs`."""

    million_pointwise_macs: float
    million_window_macs: float
    million_depthwise_macs: float
    million_bytes: float
    operators: float
    million_resized_elements: float


def work_of(operators: Iterable[Operator]) -> Work:
    """Return the work of `operators`, counted as if all were int8.

    MACs are depthwise, pointwise (a 1x1 window: a plain matrix product) or of a larger window.
    Bytes are activations in and out, one an element also for float32 (which has a factor).
    """
    pointwise = window = depthwise = count = resized = 0
    moved = 0.0
    for operator in operators:
        count += 1
        activations = operator.bytes_in + operator.bytes_out
        moved += activations / FLOAT_BYTES if operator.float32 else activations
        if operator.kind == "DEPTHWISE_CONV_2D":
            depthwise += operator.macs
        elif operator.kernel == (1, 1):
            pointwise += operator.macs
        else:
            window += operator.macs
        if operator.kind == "RESIZE_BILINEAR":
            resized += operator.elements_out
    return Work(pointwise / 1e6, window / 1e6, depthwise / 1e6, moved / 1e6, count, resized / 1e6)
