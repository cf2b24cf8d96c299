"""The contract of everything that tells a graph's latency: a phone, this computer, a prediction.

A meter is given one int8 graph at a time and knows nothing of trials, policies or paths; what a
stream of frames takes is worked out from its answers in `stream`.

Units: milliseconds.
"""

from pathlib import Path
from typing import Protocol

from jejunet_nas.records import Latency


class LatencyMeter(Protocol):
    """Measures or predicts the latency of one int8 graph."""

    def measure(self, graph: Path) -> Latency:
        """Return the latency of one run of `graph`, a `.tflite` file with one frame in.

        Raise `SettingError` where the file or a setting of the meter is at fault, `DeviceError`
        where the device is.
        """
