"""What a bundle's graphs took: `measurements.json` in its folder, written after the bundle was.

    measured   on phones, over adb: one a phone and number of threads, the newest
    host       on computers: for comparing graphs; no phone's figures, never held against a deadline

The manifest holds no hash of this file, which changes with every measurement; each measurement
holds the hash of the graph that it was taken of.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from jejunet_nas.errors import SettingError
from jejunet_nas.files import write_text_whole
from jejunet_nas.records import GraphName, Latency, from_json, to_json
from jejunet_nas.records.measurements import NetworkMeasurement

MEASUREMENTS = "measurements.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HostTiming:
    """A bundle's graphs timed on a computer; taken_at: UTC, ISO 8601."""

    graphs: Mapping[GraphName, Latency]
    processor: str
    taken_at: str

    @property
    def threads(self) -> int:
        """The number of threads."""
        return self.graphs["key"].threads


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleMeasurements:
    """All that was measured of a bundle, what is newest last."""

    measured: tuple[NetworkMeasurement, ...] = ()
    host: tuple[HostTiming, ...] = ()

    def with_one(self, taken: NetworkMeasurement | HostTiming) -> "BundleMeasurements":
        """Return these with `taken`, in the place of one of the same device and threads."""
        if isinstance(taken, HostTiming):
            device = (taken.processor, taken.threads)
            rest = tuple(t for t in self.host if (t.processor, t.threads) != device)
            return dataclasses.replace(self, host=(*rest, taken))
        phone = (taken.phone.serial_hash, taken.threads)
        others = (m for m in self.measured if (m.phone.serial_hash, m.threads) != phone)
        return dataclasses.replace(self, measured=(*others, taken))


def read_measurements(folder: Path) -> BundleMeasurements:
    """Return what was measured of the bundle in `folder`; nothing where it never was.

    Raises `SettingError` where the file cannot be read.
    """
    file = folder / MEASUREMENTS
    try:
        return from_json(BundleMeasurements, file.read_bytes())
    except FileNotFoundError:
        return BundleMeasurements()
    except (OSError, ValidationError) as error:
        raise SettingError(
            f"{file} cannot be read ({str(error).splitlines()[0]}); allowed: what `measure` "
            "writes. Remove it, and measure again."
        ) from None


def keep_measurement(taken: NetworkMeasurement | HostTiming, folder: Path) -> Path:
    """Add `taken` to what was measured of the bundle in `folder`; return the file.

    Raises `SettingError` where the file cannot be read or written.
    """
    file = folder / MEASUREMENTS
    text = to_json(read_measurements(folder).with_one(taken), indent=2)
    try:
        return write_text_whole(file, f"{text}\n")
    except OSError as error:
        raise SettingError(
            f"{file} cannot be written ({error.strerror}); allowed: a bundle's folder that can be "
            "written to. Copy the bundle, and measure the copy."
        ) from None
