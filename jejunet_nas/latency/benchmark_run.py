"""One run of the benchmark program on the phone: its command, and what its end means.

Units: milliseconds; timeouts in seconds.
"""

import dataclasses
import math
from collections.abc import Mapping

from jejunet_nas.errors import DeviceError
from jejunet_nas.latency.benchmark_model import RunStatistics, arguments, parse_output
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.phone import START_S, Phone, last_line

NOT_FOUND, NOT_EXECUTABLE = 127, 126  # exit codes of the phone's shell


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A program and a graph on the phone, by their paths there; name: the program's here.

    input_shapes: by name, where the graph leaves sizes open.
    """

    name: str
    program: str
    graph: str
    input_shapes: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)


def run_benchmark(
    phone: Phone,
    installed: Installed,
    plan: MeasuringPlan,
    *,
    mask: str,
    runs: int | None = None,
    delegate: bool = True,
    operator_profile: str | None = None,
) -> RunStatistics:
    """Run the program once and return what it printed; runs: by default those of a round of `plan`.

    Raises `DeviceError` if it cannot be started, fails, or does not end.
    """
    flags = arguments(
        installed.graph,
        threads=plan.threads,
        runs=runs or math.ceil(plan.runs / plan.rounds),
        warmup_s=plan.warmup_s,
        max_s=plan.round_s,
        operator_profile=operator_profile,
        delegate=delegate,
        input_shapes=installed.input_shapes,
    )
    pinned = f"taskset {mask} " if mask else ""
    answer = phone.run(
        f"{pinned}{installed.program} {' '.join(flags)}",
        timeout_s=plan.round_s + plan.warmup_s + START_S,
    )
    name, where = installed.name, phone.info.name
    if answer.code in (NOT_EXECUTABLE, NOT_FOUND):
        raise DeviceError(
            f"{where} cannot run {name} ({last_line(answer.stderr or answer.stdout)}). Use a "
            f"program built for {phone.info.abi}: --benchmark-binary FILE"
        )
    # A program that failed gives its reason in its output; the exit code says less.
    output = parse_output(f"{answer.stdout}\n{answer.stderr}")
    if answer.code:
        raise DeviceError(
            f"{name} ended with exit code {answer.code} on {where} ({last_line(answer.stderr)}). "
            "Try the graph on this computer: --device host"
        )
    return output
