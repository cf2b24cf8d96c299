"""Shared networks: a place where the machines of a search leave their networks and find others'.

It is a folder, or any other place that fsspec opens, such as an S3 bucket. A network is one zip,
which appears whole: a place without folders writes it at once, others under another name first.
"""

import contextlib
import io
import os
import shutil
import socket
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from jejunet_nas.errors import MachineError, SettingError, StorageError
from jejunet_nas.faults import insist, masked
from jejunet_nas.video.archive import MOST_BYTES, Kind, unpack

_NETWORK = Kind(
    what="network",
    fix="Remove it; the network is made again.",
    again="Remove it, or free disk space.",
)

_NO_ACCESS = ("NoCredentialsError", "NoAuthTokenError")  # of libraries that are not imported here


class SharedNetworks:
    """The networks that the machines of one study share."""

    def __init__(self, url: str, study: str) -> None:
        """Use the folder `study` at `url`. Raises `SettingError` if fsspec cannot open it."""
        self.url = url
        try:
            from fsspec.core import url_to_fs

            self._files, root = url_to_fs(url)
        except ImportError as error:
            fix = "pip install 'jejunet_nas[store]'" if error.name == "fsspec" else str(error)
            raise SettingError(
                f"--store is {masked(url)}, for which a package is missing: {fix}."
            ) from None
        except (ValueError, OSError) as error:
            raise SettingError(
                f"--store is {masked(url)}, which cannot be opened ({error}). Use a folder, or a "
                "URL that fsspec opens, such as s3://bucket/folder."
            ) from None
        self._root = f"{root.rstrip('/')}/{study}"

    def keep(self, folder: Path) -> None:
        """Leave the network in `folder`, unless it is there. Raises `StorageError`."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(each for each in folder.iterdir() if each.is_file()):
                archive.write(file, file.name)
        insist(lambda: self._keep(self._place(folder.name), content.getvalue()))

    def fetch(self, name: str, networks: Path) -> bool:
        """Fetch the network `name` into its folder in `networks`; False where it is not there.

        Raises `StorageError` while the place is away, `MachineError` if the zip is damaged.
        """
        part = networks / f"{name}.{socket.gethostname()}-{os.getpid()}.part"
        shutil.rmtree(part, ignore_errors=True)
        place, archive = self._place(name), part / f"{name}.zip"
        content = insist(lambda: self._read(place))
        if content is None:
            return False
        try:
            part.mkdir(parents=True)
            archive.write_bytes(content)
            unpack_network(archive, part, place)
            archive.unlink()
            shutil.rmtree(networks / name, ignore_errors=True)
            part.rename(networks / name)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return True

    def fetch_missing(self, names: Iterable[str], networks: Path) -> None:
        """Fetch those networks of `names` that `networks` has not."""
        for name in names:
            if not (networks / name).is_dir():
                self.fetch(name, networks)

    def _keep(self, place: str, content: bytes) -> None:
        with self._wording():
            if self._files.exists(place):
                return
            self._files.makedirs(self._root, exist_ok=True)
            beside = f"{place}.{socket.gethostname()}-{os.getpid()}.part"
            self._files.pipe_file(beside, content)
            self._files.mv(beside, place)

    def _read(self, place: str) -> bytes | None:
        """Return what is at `place`; None where nothing is."""
        with self._wording():
            if not self._files.exists(place):
                return None
            if (size := self._files.size(place)) > MOST_BYTES:
                raise MachineError(f"{place} has {size} bytes: it is no network. {_NETWORK.fix}")
            return bytes(self._files.cat_file(place))

    def _place(self, name: str) -> str:
        return f"{self._root}/{name}.zip"

    @contextlib.contextmanager
    def _wording(self) -> Iterator[None]:
        """Word what the place's own library raises; it may be back later."""
        try:
            yield
        except MachineError:
            raise
        except Exception as error:
            if isinstance(error, PermissionError) or type(error).__name__ in _NO_ACCESS:
                raise SettingError(
                    f"{masked(self.url)} refuses this user ({error!r}). Give the credentials as "
                    "fsspec's documentation says, or change the permissions."
                ) from error
            raise StorageError(
                f"{masked(self.url)} cannot be used: {error!r}. Check the store, then run the same "
                "command again; finished work is kept."
            ) from error


def unpack_network(archive: Path, folder: Path, place: str) -> None:
    """Unpack the zip of a network. Raises `MachineError` if it is damaged, or not a network's."""
    try:
        unpack(archive, folder, _NETWORK, place=place)
    except SettingError as error:  # of the store, not of the user
        raise MachineError(f"{error}") from error
