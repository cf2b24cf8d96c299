from pathlib import Path

import av
import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.media import source as sources
from jejunet_nas.media.source import open_source
from tests.media.films import ramp, write_film


@pytest.mark.parametrize("what", ["97", "/dev/video97"])
def test_a_camera_that_is_not_there_is_named_in_one_line(what: str) -> None:
    with pytest.raises(SettingError, match=r"^camera 97 cannot be opened \(.+\); .+\. Plug it in"):
        open_source(what)


def test_the_cameras_that_are_there_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("video10", "video2", "video-dec0"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sources, "_DEVICES", tmp_path)

    with pytest.raises(SettingError, match=r"allowed: 2, 10\. Plug it in"):
        open_source("97")


def test_a_camera_that_may_not_be_used_says_how_to_be_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sources.av, "open", refuse)

    with pytest.raises(SettingError, match=r"\(Permission denied\).* Add yourself to the group"):
        open_source("0")


def test_a_file_with_a_number_for_a_name_is_no_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_film(tmp_path / "walk.mp4", [ramp(0)]).rename(tmp_path / "0")
    monkeypatch.chdir(tmp_path)

    with open_source("0") as source:
        assert len(list(source)) == 1


def test_a_camera_that_is_unplugged_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_film(tmp_path / "walk.webm", codec="libvpx-vp9")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    film = av.open(str(path))
    asked = []
    monkeypatch.setattr(sources.av, "open", lambda *what, **how: asked.append((what, how)) or film)
    monkeypatch.setattr(sources.sys, "platform", "linux")

    with open_source("/dev/video3") as source:
        read = len(list(source))

    assert asked == [(("/dev/video3", "r"), {"format": "v4l2"})]
    assert (source.name, source.frame_count) == ("camera 3", None)
    assert source.trouble is not None
    assert source.trouble.startswith("camera 3 breaks off after ")
    assert source.trouble.endswith(f"plug it in again. {read} frames were read.")
