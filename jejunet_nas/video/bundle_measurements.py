"""A phone's measurements of a bundle's graphs: `measurements.json` in its folder.

The manifest has no hash of this file, which changes with every measurement. Each measurement has
the hash of its graph.
"""

import dataclasses
from pathlib import Path

from pydantic import ValidationError

from jejunet_nas.errors import SettingError
from jejunet_nas.files import write_text_whole
from jejunet_nas.records import from_json, to_json
from jejunet_nas.records.measurements import NetworkMeasurement

MEASUREMENTS = "measurements.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleMeasurements:
    """The newest measurement of a bundle for each phone and number of threads, newest last."""

    measured: tuple[NetworkMeasurement, ...] = ()

    def with_one(self, taken: NetworkMeasurement) -> "BundleMeasurements":
        """Return these with `taken`, which replaces one of the same phone and threads."""
        phone = (taken.phone.serial_hash, taken.threads)
        others = (m for m in self.measured if (m.phone.serial_hash, m.threads) != phone)
        return BundleMeasurements(measured=(*others, taken))


def read_measurements(folder: Path) -> BundleMeasurements:
    """Return the measurements of the bundle in `folder`.

    Raises `SettingError` if the file cannot be read.
    """
    file = folder / MEASUREMENTS
    try:
        return from_json(BundleMeasurements, file.read_bytes())
    except FileNotFoundError:
        return BundleMeasurements()
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise SettingError(
            f"{file} cannot be read ({reason}). Remove it, and measure again."
        ) from None


def add_measurement(taken: NetworkMeasurement, folder: Path) -> Path:
    """Add `taken` to the measurements of the bundle in `folder`; return the file.

    Raises `SettingError` if the file cannot be read or written.
    """
    file = folder / MEASUREMENTS
    text = to_json(read_measurements(folder).with_one(taken), indent=2)
    try:
        return write_text_whole(file, f"{text}\n")
    except OSError as error:
        raise SettingError(
            f"{file} cannot be written ({error.strerror}). Copy the bundle, and measure the copy."
        ) from None
