"""The index of a cache entry, by which damage is noticed: index.json, written after all pictures.

    {"content": ..., "files": {"frames.npy": [BYTES, MODIFIED_NS]}, "check": CRC-32 of the two}

The content has a CRC-32 of each picture, which `StoredPictures` compares at every access. Reading
all pictures whenever a data set is opened would take long. So they are read then only if a file's
size or time differs, as after an edit or a copy.
"""

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jejunet_nas.datasets.pictures import StoredPictures
from jejunet_nas.documents.json_file import parse_json

INDEX = "index.json"


def write_index(folder: Path, content: Any) -> None:
    """Write the index of the files in `folder`, which are complete."""
    states = [(file.name, file.stat()) for file in sorted(folder.iterdir())]
    files = {name: [state.st_size, state.st_mtime_ns] for name, state in states}
    index = {"content": content, "files": files}
    (folder / INDEX).write_text(json.dumps({**index, "check": _check(index)}))


def read_index(folder: Path) -> tuple[Any, bool]:
    """Return the content of the index, and whether all files are as they were written.

    Raises OSError or ValueError where the index is missing or damaged, or a file is missing.
    """
    index = parse_json((folder / INDEX).read_bytes())
    if not isinstance(index, dict) or index.pop("check", None) != _check(index):
        raise ValueError(f"{folder / INDEX} is damaged")
    states = {name: (folder / name).stat() for name in index["files"]}
    now = {name: [state.st_size, state.st_mtime_ns] for name, state in states.items()}
    return index["content"], now == index["files"]


def check_pictures(pictures: Iterable[StoredPictures], untouched: bool) -> None:
    """Raise ValueError for a damaged picture, after reading all; none is read if `untouched`."""
    for each in () if untouched else pictures:
        each.check()


def _check(index: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(index, sort_keys=True).encode())
