"""What every `LatencyMeter` promises, asked of each: a new one adds a line to `METERS`."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import tensorflow as tf

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.host_meter import HostMeter
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.records import GRAPH_NAMES, LatencySource
from jejunet_nas.records.measurements import NetworkMeasurement
from tests.builders import noise, write_graph
from tests.latency.build import meter_of, prints

THREADS = 1
KERNEL = noise(0, 3, 3, 8, 4)
SHAPE = (1, 6, 4, 8)

Make = Callable[[pytest.FixtureRequest], LatencyMeter]


def phones_meter(request: pytest.FixtureRequest) -> LatencyMeter:
    """Return the meter of a fake phone whose program prints fixed figures."""
    program = prints(request.getfixturevalue("tmp_path"), 1010, 1000)
    return meter_of(request.getfixturevalue("phone"), program)


METERS: list[tuple[LatencySource, Make, tuple[pytest.MarkDecorator, ...]]] = [
    ("predicted", lambda _: PredictedMeter(profile=load_profile("pixel2")), ()),
    ("host", lambda _: HostMeter(runs=10, warmup_s=0), ()),
    ("measured", phones_meter, (pytest.mark.adb,)),
]
meters = pytest.mark.parametrize(
    ("meter", "source"),
    [pytest.param(make, source, marks=marks, id=source) for source, make, marks in METERS],
    indirect=["meter"],
)


@pytest.fixture
def meter(request: pytest.FixtureRequest) -> LatencyMeter:
    """A meter; the phone's is skipped where its fixture is, without adb."""
    make: Make = request.param
    return make(request)


def write_int8(file: Path) -> Path:
    return write_graph(file, lambda x: {"y": tf.nn.conv2d(x, KERNEL, 2, "SAME")}, SHAPE, int8=True)


def write_float(file: Path) -> Path:
    function = tf.function(lambda x: {"y": tf.nn.conv2d(x, KERNEL, 2, "SAME")}, autograph=False)
    traced = function.get_concrete_function(tf.TensorSpec(SHAPE, tf.float32, name="x"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced])
    file.write_bytes(converter.convert())
    return file


@meters
@pytest.mark.parametrize("write", [write_int8, write_float], ids=["int8", "float"])
def test_a_graph_has_a_median_in_its_interval_and_a_source(
    tmp_path: Path, meter: LatencyMeter, source: LatencySource, write: Callable[[Path], Path]
) -> None:
    latency = meter.measure(write(tmp_path / "g.tflite"))

    assert latency.median_ms > 0
    assert 0 <= latency.low_ms <= latency.median_ms <= latency.high_ms
    assert (latency.source, latency.threads) == (source, THREADS)
    assert (latency.runs == 0) == (source == "predicted")
    assert source in get_args(LatencySource)


@meters
def test_only_a_phones_measurement_is_there_to_be_saved(
    tmp_path: Path, meter: LatencyMeter, source: LatencySource
) -> None:
    taken = meter.take(write_int8(tmp_path / "g.tflite"))

    assert (taken is not None) == (source == "measured")
    assert (meter.phone_info is not None) == (source == "measured")
    if taken is not None:
        assert meter.repeats(NetworkMeasurement(graphs=dict.fromkeys(GRAPH_NAMES, taken)))
        assert taken.phone == meter.phone_info


@meters
def test_a_meter_is_closed_at_the_end_of_its_block(
    meter: LatencyMeter, source: LatencySource
) -> None:
    with meter as entered:
        assert entered is meter


@meters
def test_a_missing_file_is_named(tmp_path: Path, meter: LatencyMeter, source: str) -> None:
    with pytest.raises(SettingError, match=r"missing\.tflite .*\. [A-Z]"):
        meter.measure(tmp_path / "missing.tflite")


@meters
def test_a_file_that_is_no_graph_is_named(tmp_path: Path, meter: LatencyMeter, source: str) -> None:
    (tmp_path / "words.tflite").write_text("no graph at all")

    with pytest.raises(SettingError, match=r"words\.tflite .*\. [A-Z]"):
        meter.measure(tmp_path / "words.tflite")
