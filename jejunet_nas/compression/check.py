"""What is true of an int8 graph after its conversion, checked by loading and running it."""

from pathlib import Path

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
