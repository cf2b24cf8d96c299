"""Keras' ImageNet weights of MobileNetV2, downloaded once into the user's cache.

The files are those of `keras.applications.MobileNetV2(include_top=False)`, trained at 224 px. Keras
publishes no hashes of them, so a download is checked against the length and the MD5 in the server's
headers, and then by reading it. Its own hash is kept beside it: a file that changed since is
downloaded again.
"""

import base64
import hashlib
import http.client
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from jejunet_nas.errors import SettingError
from jejunet_nas.files import sha256_of, write_text_whole, write_whole
from jejunet_nas.progress import Tell
from jejunet_nas.training.source import Source, source_of
from jejunet_nas.training.weights_file import PUBLISHED_WIDTHS, read_weights

ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
TIMEOUT_S = 30.0  # without receiving data
_CHUNK_BYTES = 2**18


def imagenet_width(depth_multiplier: float) -> float:
    """Return the narrowest published width that is at least `depth_multiplier`."""
    wide_enough = [width for width in PUBLISHED_WIDTHS if width >= depth_multiplier]
    if not wide_enough:
        raise SettingError(
            f"depth_multiplier is {depth_multiplier} with init: imagenet; allowed: at most "
            f"{PUBLISHED_WIDTHS[-1]}. Use a narrower network, or init: scratch."
        )
    return wide_enough[0]


def file_name(width: float) -> str:
    """Return Keras' file name of the weights of `width`."""
    return f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(width)}_224_no_top.h5"


def default_folder() -> Path:
    """Return the folder of the weights in the user's cache."""
    return Path(platformdirs.user_cache_dir("jejunet_nas")) / "weights"


def imagenet_file(width: float, tell: Tell, *, beside: Path | None = None) -> Path:
    """Return the file of the weights of `width`: in the folder `beside`, or in the cache.

    It is downloaded if it is in neither, or if the cached one is damaged. Raises `SettingError`
    with the address, the path for a manual copy, and the other choices.
    """
    if beside is not None and (beside / file_name(width)).is_file():
        return beside / file_name(width)
    folder = default_folder()
    file = folder / file_name(width)
    if _is_whole(file):
        return file

    def download(part: Path) -> None:
        _download(ADDRESS + file.name, part, tell)
        read_imagenet(part, width)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock"):
            for part in folder.glob(f".*.{file.name}"):  # of processes that were killed
                part.unlink()
            if not _is_whole(file):  # another process may have downloaded it
                for damaged in (file, _hash_file(file)):
                    damaged.unlink(missing_ok=True)
                write_whole(file, download)
                write_text_whole(_hash_file(file), sha256_of(file))
    except (OSError, http.client.HTTPException, ValueError) as reason:
        words = str(getattr(reason, "reason", None) or reason or type(reason).__name__)
        raise SettingError(
            f"init is imagenet, but the download of {ADDRESS}{file.name} failed "
            f"({' '.join(words.split())}). Download the file by hand to {file}, give MobileNetV2 "
            "weights that you have with --init FILE (.npz, .h5), or use --init scratch, which "
            "costs mIoU."
        ) from reason
    return file


def _is_whole(file: Path) -> bool:
    """Whether `file` is there and as it was downloaded; one that was put there by hand counts."""
    noted = _hash_file(file)
    return file.is_file() and (
        not noted.is_file()
        or noted.read_text(encoding="ascii", errors="replace").strip() == sha256_of(file)
    )


def _hash_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def read_imagenet(file: Path, width: float) -> Source:
    """Return the weights in `file`. Raises `SettingError` if they are not Keras' of `width`."""
    weights = read_weights(file)
    source = source_of(weights) if not weights.folded else None
    if source is None or not source.is_as_wide_as(width):
        raise SettingError(
            f"{file} holds MobileNetV2 {weights.depth_multiplier}"
            f"{', folded' if weights.folded else ''}; allowed: {width} with its batch norm. "
            f"Remove it to download {ADDRESS}{file_name(width)} again."
        )
    return source


def _download(address: str, part: Path, tell: Tell) -> None:
    """Download `address` to `part`. Raises ValueError if the data are incomplete or damaged."""
    md5, done = hashlib.md5(usedforsecurity=False), 0
    with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer, part.open("wb") as file:
        total = int(answer.headers.get("Content-Length") or 0)
        free = shutil.disk_usage(part.parent).free
        if total > free:
            raise ValueError(f"it has {total / 1e6:.0f} MB, the disk {free / 1e6:.0f} MB free")
        while chunk := answer.read(_CHUNK_BYTES):
            file.write(chunk)
            md5.update(chunk)
            done += len(chunk)
            tell(f"download {address.rsplit('/', 1)[-1]}, kB", done // 1000, total // 1000)
        stated = _stated_md5(answer.headers)
    if total and done != total:
        raise ValueError(f"only {done} of {total} bytes arrived")
    if stated is not None and stated != md5.digest():
        raise ValueError("its MD5 differs from that of the server")


def _stated_md5(headers: Any) -> bytes | None:
    """Return the MD5 in Google Cloud Storage's headers `x-goog-hash: crc32c=...,md5=...`."""
    for line in headers.get_all("x-goog-hash") or ():
        for entry in line.split(","):
            kind, _, value = entry.strip().partition("=")
            if kind == "md5":
                return base64.b64decode(value)
    return None
