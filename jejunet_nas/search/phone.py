"""The phone of a search: attached to this machine, or to a node of its Ray cluster."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.phone import Phone
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.program import find_program
from jejunet_nas.progress import Say
from jejunet_nas.search.phone_queue import OpenMeter, PhoneQueue
from jejunet_nas.search.ray_phone import PHONE, ClusterPhone
from jejunet_nas.search.view import View
from jejunet_nas.study.settings import LatencySettings, StudySettings


@contextlib.contextmanager
def open_phone(
    settings: StudySettings, networks: Path, view: View, ray: Any = None
) -> Iterator[PhoneQueue | None]:
    """Open the study's phone for measuring in the background; None if the study only predicts.

    ray: the cluster; if one of its nodes has a phone, that is the study's. Raises `DeviceError` or
    `SettingError` if the phone or the benchmark program is missing.
    """
    latency = settings.latency
    if latency.backend != "adb":
        yield None
        return
    if ray and PHONE in ray.cluster_resources():
        open_meter: OpenMeter = functools.partial(ClusterPhone, ray, latency, view.say)
    else:
        open_meter = _attached(latency, view.say)
    phone = PhoneQueue(open_meter, networks, view.say)
    try:
        yield phone
    except BaseException:
        phone.abandon()
        raise
    phone.close()


def _attached(latency: LatencySettings, say: Say) -> OpenMeter:
    """Return what opens the phone of this machine, the same one to the end of the search."""
    program = find_program(Path(latency.benchmark_binary) if latency.benchmark_binary else None)
    serial = Phone.attached(latency.serial).serial
    plan = MeasuringPlan(threads=latency.threads)
    return lambda: PhoneMeter(Phone.attached(serial), program, plan, say)
