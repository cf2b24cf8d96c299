"""What was measured of a bundle stays with it, each device's figures apart."""

from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.records import GRAPH_NAMES, Latency
from jejunet_nas.video.bundle_measurements import (
    MEASUREMENTS,
    BundleMeasurements,
    HostTiming,
    add_measurement,
    read_measurements,
)
from tests.search.measured import OTHER_PHONE, network_measurement


def host_timing(ms: float, *, processor: str = "x86_64", threads: int = 1) -> HostTiming:
    latency = Latency(median_ms=ms, low_ms=ms, high_ms=ms, source="host", threads=threads, runs=50)
    return HostTiming(
        graphs=dict.fromkeys(GRAPH_NAMES, latency),
        processor=processor,
        taken_at="2024-01-01T00:00:00+00:00",
    )


def test_what_was_never_measured_is_empty(tmp_path: Path) -> None:
    assert read_measurements(tmp_path) == BundleMeasurements()


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    taken, timed = network_measurement(20.0), host_timing(2.0)

    file = add_measurement(taken, tmp_path)
    add_measurement(timed, tmp_path)

    assert file == tmp_path / MEASUREMENTS
    assert [each.name for each in tmp_path.iterdir()] == [MEASUREMENTS]
    assert read_measurements(tmp_path) == BundleMeasurements(measured=(taken,), host=(timed,))


def test_a_device_keeps_its_newest_figures_and_leaves_the_others_theirs(tmp_path: Path) -> None:
    other, threads = network_measurement(9.0, phone=OTHER_PHONE), network_measurement(8, threads=4)
    newest = network_measurement(21.0, second=9)
    for taken in (network_measurement(20.0), other, threads, newest):
        add_measurement(taken, tmp_path)
    for timed in (host_timing(2.0), host_timing(4.0, processor="arm64"), host_timing(3.0)):
        add_measurement(timed, tmp_path)

    found = read_measurements(tmp_path)

    assert found.measured == (other, threads, newest)
    assert [each.graphs["key"].median_ms for each in found.host] == [4.0, 3.0]


@pytest.mark.parametrize("text", ["", "{", '{"measured": [{}]}'])
def test_a_file_that_cannot_be_read_is_neither_believed_nor_overwritten(
    text: str, tmp_path: Path
) -> None:
    (tmp_path / MEASUREMENTS).write_text(text)

    for attempt in (
        lambda: read_measurements(tmp_path),
        lambda: add_measurement(host_timing(2.0), tmp_path),
    ):
        with pytest.raises(SettingError, match=r"measurements\.json cannot be read .* Remove it"):
            attempt()
    assert (tmp_path / MEASUREMENTS).read_text() == text
