"""The contract of every source of a graph's latency: a phone, this computer, a prediction.

A meter gets one int8 graph at a time and knows nothing of trials, policies or paths; `stream`
computes the latency of a video from its figures.

Units: milliseconds.
"""

from pathlib import Path
from typing import Protocol, Self

from jejunet_nas.latency.benchmark_model import OperatorTime
from jejunet_nas.records import Latency
from jejunet_nas.records.measurements import Measurement, NetworkMeasurement, PhoneInfo


class LatencyMeter(Protocol):
    """Measures or predicts the latency of one int8 graph; a context manager, closed at its end.

    Only a phone's measurements are saved. The defaults here are those of a meter without a phone.
    """

    def measure(self, graph: Path) -> Latency:
        """Return the latency of one run of `graph`, a `.tflite` file with one frame in.

        Raises `SettingError` for a wrong file or setting, `DeviceError` if the device fails.
        """

    @property
    def phone_info(self) -> PhoneInfo | None:
        """The phone that it measures on."""
        return None

    def take(self, graph: Path) -> Measurement | None:
        """Return a phone's measurement of `graph`, to be saved. Raises as `measure` does."""
        return None

    def repeats(self, earlier: NetworkMeasurement) -> bool:
        """Whether `earlier` is stable and was measured in the same way on the same phone."""
        return False

    def profile_operators(self, graph: Path, csv_file: Path) -> tuple[OperatorTime, ...]:
        """Write a phone's table of the operators of `graph` to `csv_file`, and return them."""
        return ()

    def close(self) -> None:
        """Remove what was copied to the device."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
