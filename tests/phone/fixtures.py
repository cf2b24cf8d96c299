"""Fixtures for tests that need a phone; `tests/conftest.py` imports them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.phone.server import FOREIGN, AdbServer
from tests.phone.stand_in import StandIn


@pytest.fixture(scope="session")
def adb_server() -> Iterator[AdbServer]:
    """An adb server of this test run's own."""
    if shutil.which("adb") is None:
        pytest.skip("adb is not installed: apt-get install adb")
    with AdbServer() as server:
        yield server


@pytest.fixture
def phone(
    adb_server: AdbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StandIn]:
    """A fake phone, connected for any `adb` that this test starts."""
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    for name, value in adb_server.environment.items():
        monkeypatch.setenv(name, value)
    with StandIn(tmp_path / "phone") as stand_in:
        adb_server.connect(stand_in)
        yield stand_in
        adb_server.disconnect(stand_in)
