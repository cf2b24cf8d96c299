"""Makes the profile of an attached phone: the probes, timed by the phone's meter."""

import contextlib
import dataclasses
import datetime
from pathlib import Path

import platformdirs

from jejunet_nas.latency.device import Device, HowToMeasure
from jejunet_nas.latency.fit import write_profile
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.phone import Phone
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.program import find_program, runtime_words
from jejunet_nas.profiling.profile import POINTS_FILE, make_profile
from jejunet_nas.progress import Say
from jejunet_nas.records import Latency


def profile_phone(
    device: Device,
    how: HowToMeasure,
    out: Path,
    *,
    budget_s: float,
    say: Say,
    plan: MeasuringPlan | None = None,
) -> None:
    """Measure probes on the phone for at most `budget_s` seconds, and write its profile to `out`.

    Measurements are kept in the user's cache until the profile is written: after an interruption
    the same command resumes; with other cores it starts again. Raises `DeviceError`.
    """
    program = find_program(how.program)
    phone = Phone.attached(device.name)
    plan = plan or MeasuringPlan(core_mask=how.core_mask)
    runtime = runtime_words(program)
    names = (phone.info.serial_hash, runtime.split()[-1], plan.core_mask)
    folder = (
        platformdirs.user_cache_path("jejunet_nas") / "calibration" / "-".join(filter(None, names))
    )
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    with contextlib.ExitStack() as opened:
        meters: dict[int, PhoneMeter] = {}

        def time_graph(graph: Path, threads: int) -> tuple[Latency, bool]:
            if threads not in meters:
                asked = dataclasses.replace(plan, threads=threads)
                meter = PhoneMeter(phone, program, asked, say)
                meters[threads] = opened.enter_context(meter)
            taken = meters[threads].take(graph)
            return taken.latency, not taken.unstable

        profile = make_profile(
            time_graph,
            folder,
            device=phone.info.name,
            runtime=runtime,
            source=f"measured over adb, {today}",
            budget_s=budget_s,
            say=say,
        )
    write_profile(profile, out)
    (folder / POINTS_FILE).unlink(missing_ok=True)
