"""Networks that machines share: whole, once, and nothing else out of a foreign zip."""

import io
import zipfile
from pathlib import Path

import fsspec
import pytest

from jejunet_nas import faults
from jejunet_nas.errors import MachineError, SettingError
from jejunet_nas.trial import shared as module
from jejunet_nas.trial.shared import SharedNetworks
from jejunet_nas.video import archive as archive_module
from tests.builders import tiny_network
from tests.study.kept import made_network, write_network

NAME = "0123456789ab"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "STORAGE_GONE_S", 2.0)
    monkeypatch.setattr(faults, "_TRY_AGAIN_S", 0.01)


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place with folders, and one without."""
    fsspec.filesystem("memory").store.clear()
    return str(tmp_path / "store") if request.param == "folder" else "memory://store"


def network_in(networks: Path) -> Path:
    made = write_network(networks, made_network(tiny_network()))
    return made.rename(networks / NAME)


def content(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_what_one_machine_keeps_another_fetches_whole(url: str, tmp_path: Path) -> None:
    folder = network_in(tmp_path / "one")
    shared = SharedNetworks(url, "tiny")
    shared.keep(folder)
    shared.keep(folder)  # as two workers do that made the same network

    assert SharedNetworks(url, "tiny").fetch(NAME, tmp_path / "other")

    assert content(tmp_path / "other" / NAME) == content(folder)
    assert [each.name for each in (tmp_path / "other").iterdir()] == [NAME]


def test_what_is_not_there_or_is_of_another_study_is_not_fetched(url: str, tmp_path: Path) -> None:
    SharedNetworks(url, "other").keep(network_in(tmp_path / "one"))

    assert not SharedNetworks(url, "tiny").fetch(NAME, tmp_path / "here")

    assert not (tmp_path / "here").exists()


def test_only_what_is_missing_is_fetched(url: str, tmp_path: Path) -> None:
    shared = SharedNetworks(url, "tiny")
    shared.keep(network_in(tmp_path / "one"))
    kept = tmp_path / "here" / ("f" * 12)
    kept.mkdir(parents=True)

    shared.fetch_missing([NAME, kept.name, "e" * 12], tmp_path / "here")

    assert {each.name for each in (tmp_path / "here").iterdir()} == {NAME, kept.name}


@pytest.mark.parametrize("member", ["../outside", "/etc/outside", "folder/inside", ".."])
def test_a_zip_with_paths_is_no_network(member: str, tmp_path: Path) -> None:
    store = tmp_path / "store" / "tiny"
    store.mkdir(parents=True)
    with zipfile.ZipFile(store / f"{NAME}.zip", "w") as archive:
        archive.writestr(member, b"x")

    with pytest.raises(MachineError, match=r"0123456789ab\.zip contains .* A network has"):
        SharedNetworks(str(tmp_path / "store"), "tiny").fetch(NAME, tmp_path / "here")
    assert [*(tmp_path / "here").iterdir()] == []
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("most", [10, 2000])  # smaller than the zip, and than what is in it
def test_a_zip_that_has_more_than_a_network_is_refused(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npz", bytes(10_000))
    store = tmp_path / "store" / "tiny"
    store.mkdir(parents=True)
    (store / f"{NAME}.zip").write_bytes(memory.getvalue())
    monkeypatch.setattr(module, "MOST_BYTES", most)
    monkeypatch.setattr(archive_module, "MOST_BYTES", most)

    with pytest.raises(MachineError, match=r"it is no network|allowed: up to 64 files of 2000"):
        SharedNetworks(str(tmp_path / "store"), "tiny").fetch(NAME, tmp_path / "here")


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_a_damaged_zip_is_named(cut: int, tmp_path: Path) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("record.json", b"{}" * 100)
    store = tmp_path / "store" / "tiny"
    store.mkdir(parents=True)
    (store / f"{NAME}.zip").write_bytes(memory.getvalue()[:cut])

    with pytest.raises(MachineError, match=r"zip cannot be unpacked \(.*\)\. Remove it"):
        SharedNetworks(str(tmp_path / "store"), "tiny").fetch(NAME, tmp_path / "here")


def test_a_place_that_is_away_is_awaited_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, calls = SharedNetworks(str(tmp_path / "store"), "tiny"), iter(range(99))
    exists = shared._files.exists

    def back_soon(place: str) -> bool:
        if next(calls) < 2:
            raise ConnectionError("unreachable")
        return bool(exists(place))

    monkeypatch.setattr(shared._files, "exists", back_soon)
    shared.keep(network_in(tmp_path / "one"))
    assert shared.fetch(NAME, tmp_path / "other")

    monkeypatch.setattr(shared._files, "exists", lambda _: 1 / 0)
    with pytest.raises(MachineError, match="store cannot be used: ZeroDivisionError") as caught:
        shared.fetch(NAME, tmp_path / "another")
    assert type(caught.value) is MachineError  # a `StorageError` would be awaited again


def test_a_place_that_refuses_the_user_is_not_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = SharedNetworks(str(tmp_path / "store"), "tiny")

    def refuse(_: str) -> bool:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(shared._files, "exists", refuse)
    with pytest.raises(SettingError, match="store refuses this user"):
        shared.fetch(NAME, tmp_path / "other")


@pytest.mark.parametrize("url", ["nowhere://bucket", "s4://bucket"])
def test_a_place_that_fsspec_does_not_know_is_named(url: str) -> None:
    with pytest.raises(SettingError, match=f"--store is {url}, which cannot be opened"):
        SharedNetworks(url, "tiny")
