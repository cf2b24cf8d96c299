"""What was measured of a bundle stays with it, each device's figures apart."""

import json
from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.video.bundle import (
    MEASUREMENTS,
    BundleMeasurements,
    add_measurement,
    read_measurements,
)
from tests.search.measured import OTHER_PHONE, network_measurement


def test_what_was_never_measured_is_empty(tmp_path: Path) -> None:
    assert read_measurements(tmp_path) == BundleMeasurements()


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    taken = network_measurement(20.0)

    file = add_measurement(taken, tmp_path)

    assert file == tmp_path / MEASUREMENTS
    assert [each.name for each in tmp_path.iterdir()] == [MEASUREMENTS]
    assert read_measurements(tmp_path) == BundleMeasurements(measured=(taken,))


def test_a_phone_keeps_its_newest_measurement_and_others_keep_theirs(tmp_path: Path) -> None:
    other, threads = network_measurement(9.0, phone=OTHER_PHONE), network_measurement(8, threads=4)
    newest = network_measurement(21.0, second=9)
    for taken in (network_measurement(20.0), other, threads, newest):
        add_measurement(taken, tmp_path)

    found = read_measurements(tmp_path)

    assert found.measured == (other, threads, newest)


@pytest.mark.parametrize("text", ["", "{", '{"measured": [{}]}'])
def test_a_file_that_cannot_be_read_is_neither_believed_nor_overwritten(
    text: str, tmp_path: Path
) -> None:
    (tmp_path / MEASUREMENTS).write_text(text)

    for attempt in (
        lambda: read_measurements(tmp_path),
        lambda: add_measurement(network_measurement(2.0), tmp_path),
    ):
        with pytest.raises(SettingError, match=r"measurements\.json cannot be read .* Remove it"):
            attempt()
    assert (tmp_path / MEASUREMENTS).read_text() == text


def test_a_file_of_an_older_version_that_also_timed_computers_is_read(tmp_path: Path) -> None:
    file = add_measurement(network_measurement(20.0), tmp_path)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"host": [{"processor": "x86_64"}]}))

    assert read_measurements(tmp_path) == BundleMeasurements(measured=(network_measurement(20.0),))
