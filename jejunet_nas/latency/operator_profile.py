"""The operator profile that `benchmark_model` writes as CSV.

Units: milliseconds; shares in [0, 1].
"""

import dataclasses

from jejunet_nas.latency.benchmark_model import printed_error, printed_number, shortened

TITLE = "Operator-wise Profiling Info for Regular Benchmark Runs"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTime:
    """The mean time of one operator, and its share of the total time of its list.

    A graph's list holds a delegate as one operator. The operators inside the delegate are a second
    list, whose shares sum to 1 again (`inside_delegate`).
    """

    kind: str
    name: str
    avg_ms: float
    share: float
    inside_delegate: bool


def parse_operator_profile(csv_text: str) -> tuple[OperatorTime, ...]:
    """Return the operators of the graph in run order, then those inside its delegate.

    Subgraphs are left out. Raises `DeviceError` if the text is no such profile.
    """
    _, found, runs = "\n".join(csv_text.splitlines()).partition(TITLE)
    graph, _, delegate = runs.partition("Delegate internal")
    operators = (*_run_order(graph, False), *_run_order(delegate, True))
    if not found or not operators:
        raise printed_error(
            shortened(csv_text.strip().partition("\n")[0]) or "an empty file",
            f"a profile as CSV with '{TITLE}'",
            "Run it with the arguments for an operator profile.",
        )
    return operators


def _run_order(section: str, inside_delegate: bool) -> list[OperatorTime]:
    _, _, table = section.partition("= Run Order =")
    rows = table.partition("\n")[2].split("\n\n")[0].splitlines()
    if not rows:
        return []
    columns = [column.strip() for column in rows[0].split(",")]  # older versions also have `start`
    if not {"node type", "avg_ms", "%", "name"} <= {*columns}:
        header = "a header 'node type, first, avg_ms, %, ..'"
        raise printed_error(shortened(rows[0]), header, "Report it.")
    return [_operator(row, columns, inside_delegate) for row in rows[1:]]


def _operator(row: str, columns: list[str], inside_delegate: bool) -> OperatorTime:
    # A kind may hold commas, as in `Convolution (NHWC, QC8) IGEMM`; in names they are tabs.
    values = dict(zip(columns, row.rsplit(",", len(columns) - 1), strict=False))
    if len(values) < len(columns):
        raise printed_error(shortened(row), f"{len(columns)} columns", "Run it again.")
    return OperatorTime(
        kind=values["node type"].strip(),
        name=values["name"].strip(),
        avg_ms=printed_number(values["avg_ms"], row),
        share=min(printed_number(values["%"].strip().removesuffix("%"), row) / 100, 1.0),
        inside_delegate=inside_delegate,
    )
