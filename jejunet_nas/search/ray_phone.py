"""The phone of a Ray cluster: attached to the node that was started with the resource `phone`.

A process of that node holds the phone while a search measures: graphs go there, measurements come
back. Ray gives the phone to one search at a time.
"""

import tempfile
from pathlib import Path
from typing import Any

from jejunet_nas.errors import DeviceAwayError
from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.phone import Phone
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.program import find_program
from jejunet_nas.progress import Say
from jejunet_nas.records import from_json, to_json
from jejunet_nas.records.measurements import Measurement, PhoneInfo
from jejunet_nas.search.ray_cluster import fault_in
from jejunet_nas.study.settings import LatencySettings

PHONE = "phone"  # the resource: ray start --resources '{"phone": 1}'
FREE_S = 60.0  # until the phone is this search's; another one may hold it


class ClusterPhone:
    """Measures graphs on the phone of a cluster's node, as a `PhoneMeter` does here."""

    def __init__(self, ray: Any, latency: LatencySettings, say: Say) -> None:
        """Wait for the phone of the cluster. Raises `DeviceError` or `SettingError` without it."""
        self._ray, self._say = ray, say
        keeper = ray.remote(num_cpus=0, resources={PHONE: 1})(Keeper)
        self._keeper = keeper.remote(latency)
        try:
            text = self._answer(self._keeper.open.remote(), FREE_S)
        except BaseException:
            ray.kill(self._keeper)
            raise
        self._info = from_json(PhoneInfo, text)

    @property
    def phone_info(self) -> PhoneInfo:
        """The phone."""
        return self._info

    def take(self, graph: Path) -> Measurement:
        """Return the measurement of `graph`; raises as `PhoneMeter.take` does."""
        text, said = self._answer(self._keeper.take.remote(graph.name, graph.read_bytes()))
        for line in said:
            self._say(line)
        return from_json(Measurement, text)

    def close(self) -> None:
        """Remove what was copied to the phone, and let it go."""
        try:
            self._answer(self._keeper.close.remote())
        finally:
            self._ray.kill(self._keeper)

    def _answer(self, asked: Any, seconds: float | None = None) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(asked, timeout=seconds)
        except errors.RayTaskError as error:
            fault = fault_in(error)
            if isinstance(fault, DeviceAwayError):
                self._ray.kill(self._keeper)  # else it would hold the phone until it is collected
            raise fault from None
        except errors.GetTimeoutError:
            raise DeviceAwayError(
                f"the cluster's phone was not free for {FREE_S:.0f} s: another search holds it"
            ) from None
        except errors.RayActorError:
            raise DeviceAwayError("the cluster's node with the phone is lost") from None


class Keeper:
    """What holds the phone, in a process of the phone's node."""

    def __init__(self, latency: LatencySettings) -> None:
        self._latency, self._said = latency, list[str]()

    def open(self) -> str:
        """Find the phone; return its `PhoneInfo`. Raises `DeviceError` or `SettingError`."""
        latency = self._latency
        binary = latency.benchmark_binary
        program = find_program(Path(binary) if binary else None)
        plan = MeasuringPlan(threads=latency.threads)
        phone = Phone.attached(latency.serial)
        self._meter = PhoneMeter(phone, program, plan, self._said.append)
        return to_json(self._meter.phone.info)

    def take(self, name: str, graph: bytes) -> tuple[str, list[str]]:
        """Return the `Measurement` of a graph, and the lines that were said meanwhile."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(graph)
            text = to_json(self._meter.take(file))
        said = [*self._said]
        self._said.clear()
        return text, said

    def close(self) -> None:
        """Remove what was copied to the phone."""
        self._meter.close()
