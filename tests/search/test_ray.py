"""Ray: a study searched on a cluster of two nodes, one of which is lost (`tests.search.fast`)."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from jejunet_nas.errors import DeviceAwayError, MachineError, SettingError
from jejunet_nas.search.ray_cluster import cluster as connected
from jejunet_nas.search.ray_phone import PHONE, ClusterPhone
from jejunet_nas.study.settings import LatencySettings
from tests.builders import write_graph
from tests.latency.build import prints
from tests.phone.stand_in import StandIn
from tests.search.fast import SECONDS
from tests.search.test_workers import assert_whole, ended, networks_in, searches, study_in, until

__all__ = ["searches"]
pytest.importorskip("ray", reason="Ray is not installed: pip install 'jejunet_nas[ray]'")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cluster of two nodes of this machine, each with one CPU."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    found.add_node(num_cpus=1)
    yield found
    found.shutdown()


@pytest.mark.slow
def test_a_study_in_ray_is_whole_though_one_of_two_nodes_is_killed(
    tmp_path: Path, cluster: Any, searches: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "1.5")
    study = study_in(tmp_path, 12)
    search = searches(study, tmp_path / "tiny", None, None, None, cluster.address)
    until(lambda: networks_in(study) >= 3, "no network is made")

    cluster.remove_node(next(each for each in cluster.worker_nodes), allow_graceful=False)

    assert ended(search) == 0
    assert assert_whole(study, 12).failed == ()


def test_a_search_in_ray_without_ray_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)

    with (
        pytest.raises(SettingError, match=r"Ray is not installed: `pip install 'jejunet_nas\[ray"),
        connected(None),
    ):
        pass


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "[::1]:1", "nowhere"])
def test_an_address_where_no_cluster_answers_is_named(address: str) -> None:
    with pytest.raises(MachineError, match=f"no Ray cluster answers at {re.escape(address)} "):  # noqa: SIM117
        with connected(address):
            pass


def take_until_lost(meter: ClusterPhone, graph: Path) -> None:
    """Measure again and again: the process that holds the phone outlives its node for a moment."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        meter.take(graph)


@pytest.mark.slow
def test_graphs_are_measured_on_the_phone_of_a_node(
    tmp_path: Path, phone: StandIn, cluster: Any
) -> None:
    graph = write_graph(tmp_path / "key.tflite", lambda x: {"y": tf.nn.relu(x)}, (1, 2, 2, 1))
    latency = LatencySettings(backend="adb", benchmark_binary=str(prints(tmp_path, 30_000)))
    node = cluster.add_node(num_cpus=1, resources={PHONE: 1})
    with connected(cluster.address) as ray:
        assert ray.cluster_resources()[PHONE] == 1
        with pytest.raises(SettingError, match="gone, which is not a file"):
            ClusterPhone(ray, latency.model_copy(update={"benchmark_binary": "gone"}), print)
        meter = ClusterPhone(ray, latency, print)

        taken = meter.take(graph)

        assert meter.phone_info == taken.phone
        assert (taken.phone.name, taken.latency.source) == ("Google Pixel 2", "measured")
        assert [*map(Path, phone.pushed)][-1].suffix == ".tflite"
        (broken := tmp_path / "broken.tflite").write_bytes(b"no graph")
        with pytest.raises(SettingError, match=r"broken\.tflite"):
            meter.take(broken)
        cluster.remove_node(node, allow_graceful=False)
        with pytest.raises(DeviceAwayError, match="node with the phone is lost"):
            take_until_lost(meter, graph)
