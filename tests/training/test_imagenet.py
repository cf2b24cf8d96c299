"""Published weights are downloaded once, whole or not at all."""

import base64
import functools
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.training import imagenet
from jejunet_nas.training.imagenet import (
    file_name,
    imagenet_file,
    imagenet_width,
    read_imagenet,
)
from tests.training.weights import folded_weights, write_folded, write_keras


class Server(ThreadingHTTPServer):
    """Serves one content, and says of it what it is told to."""

    content = b""
    claims_bytes: int | None = None
    claims_md5: bytes | None = None
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if not self.server.content:
            self.send_error(404)
            return
        length = self.server.claims_bytes or len(self.server.content)
        md5 = self.server.claims_md5 or hashlib.md5(self.server.content).digest()
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.send_header("x-goog-hash", "crc32c=AAAAAA==")
        self.send_header("x-goog-hash", f"md5={base64.b64encode(md5).decode()}")
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as serving:
        serving.asked = []
        thread = threading.Thread(target=functools.partial(serving.serve_forever, 0.01))
        thread.start()
        address = f"http://127.0.0.1:{serving.server_port}/"
        monkeypatch.setattr(imagenet, "ADDRESS", address)
        monkeypatch.setattr(imagenet, "default_folder", lambda: tmp_path / "cache")
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_keras(tmp_path_factory.mktemp("keras") / "w.h5", 0.35)


def silence(what: str, done: int, total: int) -> None:
    pass


@pytest.mark.parametrize(
    ("depth_multiplier", "width"),
    [(0.1, 0.35), (0.25, 0.35), (0.35, 0.35), (0.6, 0.75), (1.0, 1.0), (1.1, 1.3), (1.4, 1.4)],
)
def test_a_network_is_cut_from_the_next_wider_weights(
    depth_multiplier: float, width: float
) -> None:
    assert imagenet_width(depth_multiplier) == width


def test_a_network_wider_than_any_is_refused() -> None:
    with pytest.raises(SettingError, match=r"is 1\.5 with init: imagenet; allowed: at most 1\.4"):
        imagenet_width(1.5)


def test_files_have_keras_names() -> None:
    assert file_name(1.0) == "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    assert file_name(0.35).endswith("_0.35_224_no_top.h5")


def test_a_file_is_downloaded_once_with_progress(server: Server, keras_file: Path) -> None:
    server.content = keras_file.read_bytes()
    told: list[tuple[str, int, int]] = []

    first = imagenet_file(0.35, lambda *news: told.append(news))
    again = imagenet_file(0.35, silence)

    assert first == again
    assert first.read_bytes() == server.content
    assert server.asked == [f"/{file_name(0.35)}"]
    assert told[-1][1] == told[-1][2] == len(server.content) // 1000
    assert {file.suffix for file in first.parent.iterdir()} <= {".h5", ".lock", ".sha256"}
    assert read_imagenet(first, 0.35).depth_multiplier == 0.35


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"\0" * len(b)])
def test_a_downloaded_file_that_is_cut_or_garbled_is_downloaded_again(
    spoil: Callable[[bytes], bytes], server: Server, keras_file: Path
) -> None:
    server.content = keras_file.read_bytes()
    file = imagenet_file(0.35, silence)
    file.write_bytes(spoil(server.content))

    again = imagenet_file(0.35, silence)

    assert again.read_bytes() == server.content
    assert len(server.asked) == 2


def test_a_file_beside_the_data_needs_no_download(server: Server, tmp_path: Path) -> None:
    file = tmp_path / file_name(0.35)
    file.touch()

    assert imagenet_file(0.35, silence, beside=tmp_path) == file
    assert server.asked == []


def test_the_part_of_a_killed_process_is_removed(server: Server, keras_file: Path) -> None:
    server.content = keras_file.read_bytes()
    part = imagenet.default_folder() / f".123.{file_name(0.35)}"
    part.parent.mkdir()
    part.write_bytes(b"half")

    file = imagenet_file(0.35, silence)

    assert file.read_bytes() == server.content
    assert not part.exists()


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"claims_bytes": 99_999_999}, r"\d+ of 99999999 bytes arrived|IncompleteRead"),
        ({"claims_md5": b"0" * 16}, "its MD5 differs from that of the server"),
        ({"content": b""}, "Not Found"),
    ],
    ids=["cut short", "damaged", "not there"],
)
def test_a_download_that_fails_names_address_and_place(
    claims: dict[str, object], words: str, server: Server, keras_file: Path
) -> None:
    server.content = keras_file.read_bytes()
    for name, value in claims.items():
        setattr(server, name, value)

    with pytest.raises(SettingError, match=rf"(?s)http://127.*no_top\.h5 failed .*({words})"):
        imagenet_file(0.35, silence)
    assert not (imagenet.default_folder() / file_name(0.35)).exists()


def test_without_a_network_one_line_names_address_and_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(imagenet, "ADDRESS", "http://127.0.0.1:9/")
    monkeypatch.setattr(imagenet, "default_folder", lambda: tmp_path)

    words = rf"^init is imagenet, but .* http.*:9/mobi.* to {tmp_path}/mob.*--init scratch.*\Z"
    with pytest.raises(SettingError, match=words):
        imagenet_file(1.0, silence)


def test_weights_of_another_width_are_not_taken(server: Server, keras_file: Path) -> None:
    server.content = keras_file.read_bytes()

    with pytest.raises(SettingError, match=r"holds MobileNetV2 0\.35; allowed: 0\.5 with its"):
        imagenet_file(0.5, silence)
    assert not (imagenet.default_folder() / file_name(0.5)).exists()


def test_folded_weights_are_not_what_keras_publishes(tmp_path: Path) -> None:
    file = write_folded(tmp_path / "w.npz", folded_weights(0.35))

    with pytest.raises(SettingError, match=r"holds MobileNetV2 0\.35, folded; allowed: 0\.35"):
        read_imagenet(file, 0.35)
