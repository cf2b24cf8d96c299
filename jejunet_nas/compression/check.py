"""What is true of an int8 graph after its conversion, checked by loading and running it."""

from pathlib import Path

import numpy as np

from jejunet_nas.errors import SettingError, TrialError
from jejunet_nas.litert import Graph, list_operators
from jejunet_nas.records import GraphRecord

# LiteRT's default delegate has no argmax over classes, nor what stands around it in our graphs.
LEFT_TO_LITERT = frozenset({"ARG_MAX", "CAST", "QUANTIZE"})


def check_graph(file: Path) -> GraphRecord:
    """Load `file` under LiteRT's default delegate, run it once, and describe it.

    Raises `TrialError` naming the operator that does not load or that the delegate leaves aside.
    """
    try:
        graph = Graph(file)
        graph.run()
    except (SettingError, RuntimeError) as reason:
        raise TrialError(f"{file.name} does not run under LiteRT: {reason}") from reason
    outside = graph.not_delegated()
    unexpected = sorted(set(outside) - LEFT_TO_LITERT)
    if unexpected:
        raise TrialError(
            f"{file.name}: LiteRT's default delegate does not run {', '.join(unexpected)}; "
            f"allowed outside it: {', '.join(sorted(LEFT_TO_LITERT))}."
        )
    operators = list_operators(file)
    return GraphRecord(
        file=file.name,
        size_bytes=file.stat().st_size,
        macs=sum(operator.macs for operator in operators),
        operators=len(operators),
        not_delegated=outside,
    )


def context_table(key: Path, propagate: Path) -> np.ndarray[tuple[int], np.dtype[np.int8]] | None:
    """Return the table that takes the key graph's context values to the propagate graph's.

    None where both graphs use the same scale and zero point, so that values pass as they are;
    otherwise 256 int8 values, indexed by the value's byte.
    """
    source = Graph(key).tensors["context"]
    target = Graph(propagate).tensors["context"]
    if (source.scale, source.zero_point) == (target.scale, target.zero_point):
        return None
    stored = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)
    real = source.scale * (stored - source.zero_point)
    wanted = np.round(real / target.scale) + target.zero_point
    return np.clip(wanted, -128, 127).astype(np.int8)
