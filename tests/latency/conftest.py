from pathlib import Path

import platformdirs
import pytest
import tensorflow as tf

from jejunet_nas.latency import program
from tests.builders import write_graph

__all__ = ["cache", "graph"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder of this test alone: no program, no locks."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(program, "LITERT_CACHE", tmp_path / "litert-cli")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: folder / name)
    return folder / "jejunet_nas"


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph of one operator; who changes it works on a copy."""
    file = tmp_path_factory.mktemp("graph") / "relu.tflite"
    return write_graph(file, lambda x: {"y": tf.nn.relu(x)}, (1, 2, 2, 8))
