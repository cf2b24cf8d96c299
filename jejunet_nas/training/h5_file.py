"""Reads the layers of a Keras `.h5` in a process of its own.

HDF5 is a file system in a file, read by C code: a damaged one can make it loop for minutes, take
all memory, or end the process. So `read_h5` runs this module as a program with a time limit, and
takes the arrays from an .npz that the program leaves.

    python -m jejunet_nas.training.h5_file WEIGHTS.h5 ARRAYS.npz
"""

import contextlib
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jejunet_nas.documents.arrays import MOST_BYTES, read_arrays
from jejunet_nas.documents.bounds import shortened
from jejunet_nas.documents.json_file import parse_json

TIMEOUT_S = 60.0  # the largest published file takes 1 s
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_PLACES = (0, 512, 1024, 2048)  # of the signature; a user block may come before it
_MOST_LAYERS = 10_000
_INDEX = "index"  # the array with the JSON text of names and configuration


class H5Layers(NamedTuple):
    """layers: names with arrays, in the order of the file. config: Keras' model_config, or None."""

    layers: list[tuple[str, list[npt.NDArray[np.float32]]]]
    config: Any


def is_h5(file: Path) -> bool:
    """Whether `file` begins as HDF5 files do."""
    with file.open("rb") as opened:
        start = opened.read(_PLACES[-1] + len(_SIGNATURE))
    return any(start.startswith(_SIGNATURE, place) for place in _PLACES)


def read_h5(file: Path, *, timeout_s: float = TIMEOUT_S) -> H5Layers:
    """Return the layers that Keras' `save_weights` or `save` wrote. Raises ValueError, in words."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "arrays.npz"
        # -P: a module in the working folder must not take the place of one of Python's.
        command = [sys.executable, "-P", "-m", __name__, str(file.absolute()), str(out)]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"it is damaged: reading did not end in {timeout_s:.0f} s") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            signal = f"the reader ended with code {done.returncode}"
            raise ValueError(f"it is damaged: {shortened(said[-1]) if said else signal}")
        arrays = read_arrays(out)
    index = parse_json(str(arrays[_INDEX]))
    layers = [
        (name, [arrays[f"{number}/{n}"] for n in range(count)])
        for number, (name, count) in enumerate(index["layers"])
    ]
    return H5Layers(layers=layers, config=parse_json(index["config"] or "null"))


def _layers(opened: Any) -> Iterator[tuple[str, list[Any]]]:
    group = opened.get("model_weights", opened)  # of `save`, and of `save_weights`
    if "layer_names" not in group.attrs:
        raise ValueError("it has no attribute layer_names")
    left = MOST_BYTES
    for name in map(_text, group.attrs["layer_names"][:_MOST_LAYERS]):
        stored = [group[name][_text(weight)] for weight in group[name].attrs["weight_names"]]
        left -= sum(4 * math.prod(each.shape) for each in stored)
        if left < 0:
            raise ValueError(f"its arrays have more than {MOST_BYTES} bytes")
        yield name, [np.asarray(each, np.float32) for each in stored]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def main(file: str, out: str) -> None:
    """Write the layers of `file` to `out`."""
    import h5py  # type: ignore[import-untyped]

    with h5py.File(file, "r") as opened:
        layers = list(_layers(opened))
        config = opened.attrs.get("model_config")
    index = {
        "layers": [(name, len(values)) for name, values in layers],
        "config": None if config is None else _text(config),
    }
    arrays: dict[str, Any] = {_INDEX: np.array(json.dumps(index))}
    for number, (_, values) in enumerate(layers):
        arrays |= {f"{number}/{n}": array for n, array in enumerate(values)}
    np.savez(out, **arrays)


if __name__ == "__main__":
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (4 * MOST_BYTES, 4 * MOST_BYTES))
    try:
        main(*sys.argv[1:])
    except Exception as reason:
        sys.exit(str(reason) or type(reason).__name__)
