"""How a graph is measured on a phone, and what makes a measurement unstable.

Units: milliseconds; waits in seconds; temperatures in degrees Celsius; spreads are ratios.
"""

import dataclasses
import re

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.cores import NO_MASK, in_mask
from jejunet_nas.records import Latency
from jejunet_nas.records.measurements import PhoneState

FEWEST_RUNS = 50  # with fewer, a median says little on a phone
# The program prints whole microseconds, and 50 of them do not matter for a video: a gate of 0.1 ms
# need not be measured to 5 %.
SMALLEST_SPREAD_MS = 0.05


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasuringPlan:
    """How a graph is measured, and when a figure is stable.

    runs: in total, split over `rounds`. round_s: the timeout of a round. spread: the largest spread
    of the rounds' medians, as a share of their median; a spread under `SMALLEST_SPREAD_MS` always
    passes. hot_c: battery temperature from which the phone is hot; a graph waits up to
    `cool_wait_s` for it to cool. core_mask: hexadecimal; None pins to the fastest cores, "none"
    pins to none. input_size: height and width, for graphs that leave them open.
    """

    threads: int = 1
    runs: int = FEWEST_RUNS
    rounds: int = 5
    warmup_s: float = 0.5
    round_s: float = 60.0
    spread: float = 0.05
    attempts: int = 3
    rest_s: float = 10.0
    hot_c: float = 40.0
    cool_wait_s: float = 600.0
    core_mask: str | None = None
    input_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("threads", "rounds", "attempts"):
            if (number := getattr(self, name)) < 1:
                raise SettingError(f"{name} is {number}; allowed: 1 or more. Use 1.")
        if self.runs < FEWEST_RUNS:
            raise SettingError(
                f"runs is {self.runs}; allowed on a phone: at least {FEWEST_RUNS}. The nearest is "
                f"{FEWEST_RUNS}."
            )
        if self.core_mask not in (None, NO_MASK):
            bare = re.fullmatch("[0-9a-fA-F]{1,16}", self.core_mask)  # `taskset` accepts no 0x
            if bare is None or int(self.core_mask, 16) == 0:
                raise SettingError(
                    f"core mask is {self.core_mask}; allowed: a hexadecimal number without 0x, or "
                    f"{NO_MASK}. Use f0 for cores 4 to 7."
                )


def doubts(
    latency: Latency, before: PhoneState, after: PhoneState, mask: str, plan: MeasuringPlan
) -> tuple[str, ...]:
    """Return the reasons why a measurement is unstable; empty if it is stable."""
    found = []
    spread_ms = latency.high_ms - latency.low_ms
    spread = spread_ms / latency.median_ms
    if spread > plan.spread and spread_ms > SMALLEST_SPREAD_MS:
        found.append(f"spread {spread:.1%} of the median, over {plan.spread:.0%}")
    if latency.runs < FEWEST_RUNS:
        found.append(f"{latency.runs} runs in {plan.rounds} rounds of {plan.round_s:g} s")
    if heat := hot(before, plan.hot_c) or hot(after, plan.hot_c):
        found.append(f"the phone is hot ({heat})")
    if limited := throttled(after, mask) or throttled(before, mask):
        found.append(limited)
    if gone := sorted({*before.offline_cores} ^ {*after.offline_cores}):
        found.append(f"cores went on or off line: {', '.join(map(str, gone))}")
    if after.screen_on is False:
        found.append("the screen went off")
    return tuple(found)


def hot(state: PhoneState, hot_c: float) -> str | None:
    """Return the sign that the phone is hot, or None."""
    if state.thermal_status:
        return f"Android's thermal status is {state.thermal_status}"
    if state.battery_c is not None and state.battery_c >= hot_c:
        return f"its battery has {state.battery_c:g} °C"
    return None


def throttled(state: PhoneState, mask: str) -> str | None:
    """Return the first core of `mask` whose clock is limited, with its clocks, or None."""
    for core in in_mask(state.cores, mask):
        if core.limit_khz < core.max_khz:
            return (
                f"core {core.number} is limited to {core.limit_khz / 1e6:.2f} of "
                f"{core.max_khz / 1e6:.2f} GHz"
            )
    return None
