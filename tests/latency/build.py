"""Meters of the fake phone, and programs for it that print what a test wants."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.phone import Phone
from jejunet_nas.latency.phone_meter import PhoneMeter
from tests.phone.stand_in import StandIn

NEXT = 'echo $((number + 1)) > "$file"'
# Takes the next of the script's figures; the last one stays. A single run is the look whether the
# delegate takes the graph: it takes none.
TAKE_FIGURE = """\
file="$CONDITIONS/rounds"
number=$(cat "$file" 2> /dev/null || echo 0)
{next}set -- {figures}
[ "$number" -lt $# ] || number=$(($# - 1))
shift "$number"
us=$1
"""
TODAY = """\
runs="$(tr '\\0' '\\n' < /proc/$$/cmdline | sed -n 's/--num_runs=//p')"
echo "INFO: count=1 curr=7000 p5=7000 median=7000 p95=7000"
echo "INFO: count=$runs first=$us curr=$us min=$us max=$us avg=$us std=0 p5=$us median=$us p95=$us"
echo "INFO: Inference timings in us: Init: 500, First inference: 7000," \\
    "Warmup (avg): 7000, Inference (avg): $us"
"""


def in_a_round(command: str) -> str:
    """Return a script that runs `command` in a round, not at the look before."""
    return f'case " $* " in *" --num_runs=1 "*) ;; *) {command} ;; esac\n'


def write_program(folder: Path, script: str) -> Path:
    """Write a program for the fake phone's shell."""
    program = folder / "benchmark_model"
    program.write_text(f"#!/bin/sh\n{script}")
    return program


def prints(folder: Path, *medians_us: int, before: str = "") -> Path:
    """Write a program whose rounds print these medians, and which runs `before` first."""
    take = TAKE_FIGURE.format(next=in_a_round(NEXT), figures=" ".join(map(str, medians_us)))
    return write_program(folder, before + take + TODAY)


def meter_of(
    phone: StandIn, program: Path, say: Callable[[str], None] = print, **plan: Any
) -> PhoneMeter:
    """Return the meter of `phone`: two rounds, one attempt and no rest, but for `plan`."""
    quick = {"rounds": 2, "attempts": 1, "warmup_s": 0, "rest_s": 0}
    return PhoneMeter(Phone.attached(phone.serial), program, MeasuringPlan(**(quick | plan)), say)
