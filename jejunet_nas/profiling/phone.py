"""Calibrates a profile on an attached phone: the probes, timed by the phone's own meter."""

import dataclasses
import datetime
from collections.abc import Callable
from pathlib import Path

import platformdirs

from jejunet_nas.latency.device import Device, HowToMeasure
from jejunet_nas.latency.fit import write_profile
from jejunet_nas.latency.measuring_plan import Protocol
from jejunet_nas.latency.phone import Phone
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.program import find_program, runtime_words
from jejunet_nas.profiling.calibrate import POINTS_FILE, calibrate
from jejunet_nas.records import Latency


def calibrate_phone(
    device: Device,
    how: HowToMeasure,
    out: Path,
    *,
    budget_s: float,
    say: Callable[[str], None],
    protocol: Protocol | None = None,
) -> None:
    """Measure probes on the phone for `budget_s` seconds at most, and write its profile to `out`.

    What was measured is kept in the user's cache until the profile is written: interrupted, the
    same command goes on from there; with other cores it begins anew. Raises `DeviceError`.
    """
    program = find_program(how.program)
    phone = Phone.attached(device.name)
    protocol = protocol or Protocol(core_mask=how.core_mask)
    runtime = runtime_words(program)
    of = (phone.info.serial_hash, runtime.split()[-1], protocol.core_mask)
    folder = (
        platformdirs.user_cache_path("jejunet_nas") / "calibration" / "-".join(filter(None, of))
    )
    meters: dict[int, PhoneMeter] = {}

    def time_graph(graph: Path, threads: int) -> tuple[Latency, bool]:
        if threads not in meters:
            asked = dataclasses.replace(protocol, threads=threads)
            meters[threads] = PhoneMeter(phone, program, asked, say)
        taken = meters[threads].take(graph)
        return taken.latency, not taken.unstable

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        profile = calibrate(
            time_graph,
            folder,
            device=phone.info.name,
            runtime=runtime,
            source=f"measured over adb, {today}",
            budget_s=budget_s,
            say=say,
        )
    finally:
        for meter in meters.values():
            meter.close()
    write_profile(profile, out)
    (folder / POINTS_FILE).unlink(missing_ok=True)
