"""The cores of a phone: their clocks, and the ones that a run is pinned to.

A mask is hexadecimal, as `taskset` reads it: bit N stands for core N. "" pins to no core.
"""

import re
from collections.abc import Sequence

from jejunet_nas.errors import SettingError
from jejunet_nas.records.measurements import Core, PhoneState

NO_MASK = "none"  # asks for a run that is not pinned
# Prints, for the phone's shell, its cores and their clocks: now, the limit now, and the highest.
CLOCKS = """\
for set in present online; do
  echo "cpus $set" $(cat /sys/devices/system/cpu/$set 2>/dev/null)
done
for clock in /sys/devices/system/cpu/cpu[0-9]*/cpufreq; do
  echo "clock $clock" $(cat $clock/scaling_cur_freq $clock/scaling_max_freq \
    $clock/cpuinfo_max_freq 2>/dev/null)
done"""


def read_cores(text: str) -> tuple[Core, ...]:
    """Return the cores that are online and whose clocks are in the output of `CLOCKS`."""
    online = _cpus("online", text)
    clocks = r"^clock \S*/cpu(\d{1,3})/cpufreq (\d{1,9}) (\d{1,9}) (\d{1,9})\s*$"
    cores = [
        Core(number=number, now_khz=now, limit_khz=limit, max_khz=most)
        for row in re.findall(clocks, text, re.MULTILINE)
        for number, now, limit, most in [map(int, row)]
        if not online or number in online
    ]
    return tuple(sorted(cores, key=lambda core: core.number))


def unread_cores(text: str) -> tuple[int, ...]:
    """Return the cores that are online, as far as is told, and whose clock cannot be read."""
    named = set(map(int, re.findall(r"^clock \S*/cpu(\d{1,3})/cpufreq", text, re.MULTILINE)))
    online = _cpus("online", text)
    read = {core.number for core in read_cores(text)}
    return tuple(sorted((online or named) - read))


def offline_cores(text: str) -> tuple[int, ...]:
    """Return the cores that the phone has and that are switched off now."""
    online = _cpus("online", text)
    return tuple(sorted(_cpus("present", text) - online)) if online else ()


def core_mask(cores: tuple[Core, ...], threads: int) -> str:
    """Return the hexadecimal mask of the fastest cores, in whole clusters, enough for `threads`.

    On a Pixel 2 that is f0, its four big cores. "" if the phone's clocks cannot be read.
    """
    chosen: list[Core] = []
    for max_khz in sorted({core.max_khz for core in cores}, reverse=True):
        if len(chosen) < threads:
            chosen += [core for core in cores if core.max_khz == max_khz]
    return f"{sum(1 << core.number for core in chosen):x}" if len(chosen) >= threads else ""


def choose_mask(state: PhoneState, threads: int, given: str | None, phone: str) -> str:
    """Return the mask to pin to: `given`, or the fastest cores; "" to pin to none.

    Where the clock of a core cannot be read, nobody knows which are the fastest, and none is pinned
    to. Raises `SettingError` if `phone` has too few cores for `threads`, or none of `given`.
    """
    numbers = sorted({core.number for core in state.cores} | {*state.unread_cores})
    if numbers and threads > len(numbers):
        raise SettingError(
            f"threads is {threads}; allowed on {phone}: at most {len(numbers)}, the number of its "
            f"cores. The nearest is {len(numbers)}."
        )
    best = "" if state.unread_cores else core_mask(state.cores, threads)
    if given is None or given == NO_MASK:
        return "" if given else best
    if numbers and not any(int(given, 16) >> number & 1 for number in numbers):
        raise SettingError(
            f"core mask is {given}, which has no core of {phone}; allowed: some of "
            f"{', '.join(map(str, numbers))}. Use {best or f'{sum(1 << n for n in numbers):x}'}."
        )
    return given


def cores_words(state: PhoneState, mask: str) -> str:
    """Return the cores that a run with `mask` is pinned to, and those that are not known."""
    pinned = [number for number in range(4 * len(mask)) if int(mask, 16) >> number & 1]
    words = [f"pinned to cores {_ranges(pinned)} (mask {mask})" if mask else "pinned to no cores"]
    if state.unread_cores:
        words.append(
            f"clocks of cores {_ranges(state.unread_cores)} cannot be read, so choose the fast "
            "cores by hand: --core-mask"
        )
    elif not state.cores:
        words.append("no clock of a core can be read")
    if state.offline_cores:
        words.append(f"cores {_ranges(state.offline_cores)} are offline")
    return "; ".join(words)


def in_mask(cores: tuple[Core, ...], mask: str) -> tuple[Core, ...]:
    """Return the cores of a hexadecimal mask; all of them if it is empty."""
    return tuple(core for core in cores if not mask or int(mask, 16) >> core.number & 1)


def _cpus(which: str, text: str) -> set[int]:
    """Return the numbers in a list of Linux such as 0-3,6; empty if it cannot be read."""
    found = re.search(rf"^cpus {which} ([\d,-]+)\s*$", text, re.MULTILINE)
    numbers: set[int] = set()
    for part in found[1].split(",") if found else ():
        if bounds := re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part):
            numbers |= set(range(int(bounds[1]), int(bounds[2] or bounds[1]) + 1))
    return numbers


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as 0 to 3, 6."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    pairs = zip(starts, ends, strict=True)
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in pairs)
