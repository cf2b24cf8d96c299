"""A graph's latency on a phone, predicted from the list of its operators.

A device profile has the device's costs of six kinds of work; a prediction is the work of all
operators times these. `fit` makes profiles from published or measured latencies; those that ship
are in `profiles/`. Nothing is run, so thousands of networks a second can be predicted.

Units: milliseconds; work in millions of MACs, bytes and elements, operators one by one.
"""

import dataclasses
import functools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from jejunet_nas.errors import SettingError, check_range
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.profile_json import (
    faults_of,
    profile_file,
    read_profile_json,
    unreadable,
)
from jejunet_nas.records import Latency, Operator

# About 95 % of the errors are within two root mean squares. Of the Pixel 2's 18 fitted rows, each
# predicted by a fit on the other 17, 17 are.
ERRORS_IN_INTERVAL = 2.0
# Relative error of the cost of operators that no fitted network has: a guess from their bytes.
UNSEEN_SPREAD = 0.5
FLOAT_BYTES = 4  # of an element of a float32 graph
# What no device reaches: ms per unit of work, times another way of running, relative error.
_MOST_MS, _MOST_FACTOR, _MOST_ERROR = 1e6, 1e3, 10.0


class Work(NamedTuple):
    """The work of a graph, in the order of the fields of `Costs`."""

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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The device's cost of each kind of work."""

    ms_per_million_pointwise_macs: float
    ms_per_million_window_macs: float
    ms_per_million_depthwise_macs: float
    ms_per_million_bytes: float
    ms_per_operator: float
    ms_per_million_resized_elements: float

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            cost = getattr(self, field.name)
            check_range(field.name, cost, 0, _MOST_MS)

    def of(self, work: Work) -> float:
        """Return the milliseconds of `work`."""
        return (
            self.ms_per_million_pointwise_macs * work.million_pointwise_macs
            + self.ms_per_million_window_macs * work.million_window_macs
            + self.ms_per_million_depthwise_macs * work.million_depthwise_macs
            + self.ms_per_million_bytes * work.million_bytes
            + self.ms_per_operator * work.operators
            + self.ms_per_million_resized_elements * work.million_resized_elements
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """The effect of several threads, or of float32, on a latency, and its relative error."""

    factor: float
    rms_error: float

    def __post_init__(self) -> None:
        check_range("factor", self.factor, 1 / _MOST_FACTOR, _MOST_FACTOR)
        check_range("rms_error", self.rms_error, 0, _MOST_ERROR)


# For a profile without float graphs: a float graph is hardly faster, and at most twice as slow.
UNKNOWN_FLOAT = Factor(factor=1.0, rms_error=0.5)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """The latency model of one device.

    rms_error: root mean square of the relative errors of the fitted points, each predicted by a fit
    on the others. fitted_kinds: the operators of the fitted networks. float_factor: latency of a
    float32 graph / of the same graph in int8.
    """

    device: str
    runtime: str
    costs: Costs
    thread_factors: Mapping[int, Factor]
    rms_error: float
    fitted_kinds: frozenset[str]
    float_factor: Factor = UNKNOWN_FLOAT

    def __post_init__(self) -> None:
        check_range("rms_error", self.rms_error, 0, _MOST_ERROR)
        if not self.thread_factors or min(self.thread_factors) < 1:
            raise SettingError(
                "threads has no factor, or one of fewer than 1 thread. Fit it again."
            )

    def predict(self, operators: Iterable[Operator], *, threads: int = 1) -> Latency:
        """Return the latency of one run of a graph of `operators`.

        Operators in float32 cost as much as int8 ones, times `float_factor`. The interval is the
        median plus and minus two root mean square errors (of the fit, the thread factor and the
        float factor, added in quadrature) and half of the cost of operators that no fitted network
        has. Raises `SettingError` if the profile has no factor for `threads`.
        """
        if threads not in self.thread_factors:
            known = ", ".join(map(str, sorted(self.thread_factors)))
            raise SettingError(
                f"threads is {threads}; allowed for {self.device}: {known}. Use 1, or time the "
                "graph on the phone."
            )
        operators, threading = tuple(operators), self.thread_factors[threads]
        unseen = [operator for operator in operators if operator.kind not in self.fitted_kinds]
        float_ms, int8_ms = (threading.factor * ms for ms in self._one_thread_ms(operators))
        median_ms = float_ms + int8_ms
        error_ms = ERRORS_IN_INTERVAL * math.hypot(
            self.rms_error * median_ms,
            threading.rms_error * median_ms,
            self.float_factor.rms_error * float_ms,
        )
        spread_ms = error_ms + UNSEEN_SPREAD * threading.factor * sum(self._one_thread_ms(unseen))
        return Latency(
            median_ms=median_ms,
            low_ms=max(median_ms - spread_ms, 0.0),
            high_ms=median_ms + spread_ms,
            source="predicted",
            threads=threads,
        )

    def _one_thread_ms(self, operators: Sequence[Operator]) -> tuple[float, float]:
        """Return the latency of the operators in float32, and that of the others."""
        float_ms, int8_ms = (
            self.costs.of(work_of(o for o in operators if o.float32 is float32))
            for float32 in (True, False)
        )
        return self.float_factor.factor * float_ms, int8_ms


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PredictedMeter(LatencyMeter):
    """A `LatencyMeter` that lists the graph's operators and runs nothing.

    input_size: height and width, for graphs that leave them open.
    """

    profile: DeviceProfile
    threads: int = 1
    input_size: tuple[int, int] | None = None

    def measure(self, graph: Path) -> Latency:
        """Return the predicted latency of `graph`, a `.tflite` file.

        Raises `SettingError` if it is not a graph, or if the work of its operators is not known.
        """
        # Imported here because a prediction from an operator list needs no interpreter.
        from jejunet_nas.litert import countable_operators

        operators = countable_operators(graph, size=self.input_size)
        return self.profile.predict(operators, threads=self.threads)


def load_profile(name_or_path: str | Path) -> DeviceProfile:
    """Return the profile that ships as `name_or_path`, or that of a `.json` file.

    Raises `SettingError` if it is missing or is no profile.
    """
    file = profile_file(name_or_path)
    plain = read_profile_json(file)
    try:
        stored = _stored().validate_json(json.dumps(plain), strict=True)
        return DeviceProfile(
            device=stored.device,
            runtime=stored.runtime,
            costs=stored.costs,
            thread_factors=stored.threads,
            rms_error=stored.leave_one_out.rms_error,
            fitted_kinds=stored.fitted_kinds,
            float_factor=stored.float_factor or UNKNOWN_FLOAT,
        )
    except ValidationError as error:
        raise unreadable(file, faults_of(error)) from None
    except SettingError as error:
        raise unreadable(file, str(error)) from None


@dataclasses.dataclass(frozen=True)
class _Fit:
    rms_error: float


@dataclasses.dataclass(frozen=True)
class _Stored:
    """What a prediction needs of a profile's file."""

    device: str
    runtime: str
    costs: Costs
    threads: dict[int, Factor]
    leave_one_out: _Fit
    fitted_kinds: frozenset[str]
    float_factor: Factor | None = None


@functools.cache
def _stored() -> TypeAdapter[_Stored]:
    return TypeAdapter(_Stored)
