"""The gate in front of LiteRT: no file ends this process.

A graph that this process wrote, or whose recorded hash was compared, passes (`vouch_for`). Any
other is read byte by byte first (`contents`), then loaded and run once in a process of its own:
what the reading cannot see ends that process only. A verdict holds for the content of a file, so a
graph is tried once a process: 0.15 to 0.3 s (two cores), and the graph's own run.
"""

import functools
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from jejunet_nas.errors import SettingError
from jejunet_nas.litert import contents
from jejunet_nas.litert.contents import Contents
from jejunet_nas.litert.flatbuffer import DamagedError

TIMEOUT_S = 120.0
MEMORY_BYTES = 6 << 30  # of addresses: LiteRT and numpy take 1 GiB before a graph is loaded
FIX = "The file is damaged, or not made for LiteRT. Convert it again, or download it again."
_TRIAL = Path(__file__).with_name("trial.py")
_vouched: set[str] = set()


def vouch_for(content: bytes | str) -> None:
    """Let a graph pass: its bytes, or their SHA-256 in hexadecimal, which a record has."""
    _vouched.add(content if isinstance(content, str) else hashlib.sha256(content).hexdigest())


def admit(file: Path, size: tuple[int, int] | None = None) -> Contents:
    """Return what the graph `file` holds, once it is known that LiteRT survives it.

    size: height and width, for inputs that leave them open. Raises `SettingError` if the file is
    missing, is not a graph, has several, does not load, or ends the process that loads it; and if
    `size` is missing, or is given to a graph that leaves nothing open.
    """
    if not file.is_file():
        raise SettingError(f"{file} is not a file. Check the path of the .tflite graph.")
    data = file.read_bytes()
    found = _read(data, str(file))
    if found.other_signatures:
        raise SettingError(
            f"{file} has several signatures, and {', '.join(found.other_signatures)} would be left "
            "out: only the first is run. Convert each signature to a file of its own."
        )
    _check_size(file, found, size)
    digest = hashlib.sha256(data).hexdigest()
    if digest not in _vouched and (fault := _fault(digest, file, size)):
        raise SettingError(f"{file} {fault}. {FIX}")
    return found


def metadata_buffer(graph: bytes, name: str) -> bytes:
    """Return the metadata buffer `name` of `graph`, a flatbuffer; empty without one.

    Raises `SettingError` if the bytes are not a graph.
    """
    _read(graph, "the file")
    return contents.metadata_buffer(graph, name)


def _read(data: bytes, file: str) -> Contents:
    try:
        return contents.contents_of(data)
    except DamagedError as reason:
        raise SettingError(f"{file} is not a .tflite graph: {reason}. {FIX}") from None


def _check_size(file: Path, found: Contents, size: tuple[int, int] | None) -> None:
    """Raise `SettingError` unless `size` closes what the inputs of a graph leave open."""
    open_inputs = [each for each in found.inputs if {*each.open_axes} - {0}]
    for each in open_inputs:
        if len(each.shape) != 4 or 3 in each.open_axes:
            raise SettingError(
                f"{file} leaves axes {', '.join(map(str, each.open_axes))} of its input "
                f"{each.name} open; allowed: batch, height and width of a picture. Convert it with "
                "a fixed shape."
            )
    if open_inputs and size is None:
        raise SettingError(
            f"{file} leaves height and width of its input {open_inputs[0].name} open. Measure it "
            "with a size, such as --input-size 256x256; for any other use convert it with one."
        )
    if size is not None and not open_inputs:
        shapes = ", ".join("x".join(map(str, each.shape)) for each in found.inputs)
        raise SettingError(
            f"--input-size is {size[0]}x{size[1]}, and the inputs of {file} are fixed: {shapes}. "
            "Leave it out."
        )


@functools.cache
def _fault(digest: str, file: Path, size: tuple[int, int] | None) -> str | None:
    """Return what is wrong with a graph by a trial in a process of its own, or None."""
    words = [sys.executable, "-P", str(_TRIAL), os.path.abspath(file), str(MEMORY_BYTES)]
    try:
        done = subprocess.run(
            [*words, *map(str, size or ())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            start_new_session=True,  # Ctrl-C is for this process
        )
    except subprocess.TimeoutExpired:
        return f"does not load and run within {TIMEOUT_S:g} s"
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return f"ends the interpreter (signal {-done.returncode}, {name})"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return f"ends the interpreter with exit code {done.returncode} ({last[0][:200]})"
    refusal = done.stdout.strip().splitlines()[:1]
    return f"does not load: {refusal[0][:200].rstrip('.')}" if refusal else None
