"""This computer times a graph with stated threads, and leaves no trace of it."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from jejunet_nas.compression.convert import convert_int8
from jejunet_nas.errors import SettingError
from jejunet_nas.latency import host_meter as host
from jejunet_nas.latency.host_meter import HostMeter
from jejunet_nas.litert import Graph
from tests.builders import noise, write_graph

DATA = Path(os.environ.get("JEJUNET_DATA", Path(__file__).parents[3] / "shared" / "data"))
SEED_GRAPH = DATA / "tflite" / "jejunet_mobilenet_v2_deeplab_v3_256_myquant.tflite"

pins = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot pin threads to processors"
)


class Clock:
    """Stands in for `time`: each run takes the next of `durations_ms`, and nothing else does."""

    def __init__(self, durations_ms: list[float]) -> None:
        ends = np.repeat(np.cumsum([0.0, *durations_ms]), 2)[1:-1] * 1e6
        self._reads = iter(map(round, ends))

    def perf_counter(self) -> float:
        return 0.0

    def perf_counter_ns(self) -> int:
        return next(self._reads)


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    return write_graph(tmp_path / "g.tflite", lambda x: {"y": tf.nn.relu(x)}, (1, 2, 2, 8))


def test_the_interval_spans_the_medians_of_five_rounds(
    relu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = [[3, 9, 3], [4, 4, 1], [5, 5, 5], [7, 6, 6], [5, 8, 8]]
    monkeypatch.setattr(host, "time", Clock([float(ms) for runs in rounds for ms in runs]))

    latency = HostMeter(runs=15, warmup_s=0).measure(relu)

    assert (latency.low_ms, latency.median_ms, latency.high_ms) == (3, 5, 8)


@pytest.mark.parametrize("runs", [1, 3, 7])
def test_few_runs_make_few_rounds(relu: Path, runs: int) -> None:
    latency = HostMeter(runs=runs, warmup_s=0).measure(relu)

    assert latency.runs == runs
    assert 0 < latency.low_ms <= latency.median_ms <= latency.high_ms


@pins
def test_the_graph_is_made_and_run_while_pinned(
    relu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, seen = os.sched_getaffinity(0), []

    class Watched(Graph):
        def __init__(self, file: Path, **how: Any) -> None:
            seen.append(os.sched_getaffinity(0))
            super().__init__(file, **how)

        def invoke(self) -> None:
            seen.append(os.sched_getaffinity(0))
            super().invoke()

    monkeypatch.setattr(host, "Graph", Watched)
    HostMeter(runs=1, warmup_s=0).measure(relu)

    assert seen == [{min(before)}] * 3
    assert os.sched_getaffinity(0) == before


@pins
def test_a_graph_that_fails_leaves_the_processors_as_they_were(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(SettingError, match=r"no\.tflite is not a file\. Check the path"):
        HostMeter().measure(tmp_path / "no.tflite")
    assert os.sched_getaffinity(0) == before


def test_a_system_that_cannot_pin_is_measured_and_told(
    relu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    said: list[str] = []

    HostMeter(runs=1, warmup_s=0, say=said.append).measure(relu)

    assert said == ["this system cannot pin threads to processors: latencies will scatter more"]


@pytest.mark.parametrize("threads", [0, 10_000])
def test_threads_that_this_computer_has_not_are_refused(threads: int) -> None:
    with pytest.raises(SettingError, match=rf"threads is {threads}; allowed .*: 1 to \d+\. Use"):
        HostMeter(threads=threads)


def test_no_runs_and_a_negative_warm_up_are_refused() -> None:
    with pytest.raises(SettingError, match=r"runs is 0; allowed: 1 or more"):
        HostMeter(runs=0)
    with pytest.raises(SettingError, match=r"warmup_s is -1; allowed: 0 or more"):
        HostMeter(warmup_s=-1)


def test_several_inputs_are_all_filled_with_the_same_noise_each_time(tmp_path: Path) -> None:
    shapes = {"a": (1, 4), "b": (1, 4)}
    run = {"a": noise(0, 1, 4), "b": noise(1, 1, 4)}
    graph = convert_int8(lambda a, b: {"y": a + b}, shapes, [run], int8_inputs=("b",))
    (tmp_path / "g.tflite").write_bytes(graph)

    assert HostMeter(runs=2, warmup_s=0).measure(tmp_path / "g.tflite").runs == 2
    one, other = Graph(tmp_path / "g.tflite"), Graph(tmp_path / "g.tflite")
    assert [one.tensors[name].dtype for name in "ab"] == [np.uint8, np.int8]
    for filled in (one, other):
        filled.fill_inputs(seed=1)
        filled.invoke()
    np.testing.assert_array_equal(one.run()["y"], other.run()["y"])


@pytest.mark.data
@pytest.mark.skipif(not SEED_GRAPH.is_file(), reason=f"there is no {SEED_GRAPH}")
def test_a_graph_that_the_delegate_refuses_is_timed_without_it() -> None:
    said: list[str] = []

    latency = HostMeter(runs=2, warmup_s=0, say=said.append).measure(SEED_GRAPH)

    assert (latency.source, latency.runs) == ("host", 2)
    assert len(said) == 1
    assert "without LiteRT's default delegate, which refuses it" in said[0]
