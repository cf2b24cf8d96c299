"""Ray: a study searched on a cluster of two nodes, one of which is lost (`tests.search.fast`)."""

from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.search import ray_executor
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

    with pytest.raises(SettingError, match=r"Ray is not installed: `pip install 'jejunet_nas\[ray"):
        ray_executor._connected(None)
