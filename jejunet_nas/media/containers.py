"""Writing video files: `.mp4` to share, `.webm` for the web, undisturbed by Ctrl-C.

Each container has one encoder, which PyAV's wheels bring.
"""

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import av

from jejunet_nas.errors import SettingError
from jejunet_nas.faults import ENDING, disk_fault
from jejunet_nas.media.decode import reason


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerKind:
    """The encoder of one kind of file, and the sound codecs that it takes.

    sound: the codecs that players of such files can play; FFmpeg would write more.
    """

    suffix: str
    encoder: str
    encoder_options: dict[str, str]
    sound: tuple[str, ...]
    options: dict[str, str] = dataclasses.field(default_factory=dict)


# Near the source's quality, and faster than the networks: 100 frames of 768x576 took 1.0 s in H.264
# (2.2 s with the preset `medium`, a file no smaller) and 1.2 s in VP9 (11 s with the deadline
# `good`), on two cores.
_H264 = {"crf": "18", "preset": "veryfast"}
_VP9 = {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}

CONTAINERS = (
    ContainerKind(
        suffix=".mp4",
        encoder="libx264",
        encoder_options=_H264,
        sound=("aac", "mp3", "ac3", "eac3", "opus"),
        options={"movflags": "faststart"},
    ),
    ContainerKind(
        suffix=".webm",
        encoder="libvpx-vp9",
        encoder_options=_VP9,
        sound=("opus", "vorbis"),
    ),
)


def check_target(path: Path, source: Path | None = None) -> ContainerKind:
    """Return the kind of file that `path` names; an existing file will be replaced.

    Raises `SettingError` for an unknown suffix, a folder, `source` (the video that is read) under
    any name, and a missing encoder.
    """
    kinds = {kind.suffix: kind for kind in CONTAINERS}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        ends = f"ends in {path.suffix}" if path.suffix else "has no suffix"
        raise SettingError(
            f"{path} {ends}; allowed: {' or '.join(kinds)}. Use {path.with_suffix('.mp4')}."
        )
    if path.is_dir():
        raise cannot_write(path, "it is a folder", f"Use {path / 'segmented.mp4'}.")
    part = part_of(path)
    if source is not None and any(is_same(each, source) for each in (path, part)):
        other = path.with_stem(f"{path.stem}-segmented")
        raise cannot_write(path, f"it would overwrite the input {source}", f"Use {other}.")
    try:
        av.Codec(kind.encoder, "w")
    except ValueError as error:  # av.codec.codec.UnknownCodecError
        raise SettingError(
            f"PyAV has no encoder {kind.encoder}, which {kind.suffix} needs. Install PyAV's wheel: "
            "pip install --force-reinstall --only-binary av av"
        ) from error
    return kind


def part_of(path: Path) -> Path:
    """Return the name under which `path` is written until it is complete."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


def is_same(one: Path, other: Path) -> bool:
    """Whether both paths lead to one existing file or folder."""
    return one.exists() and other.exists() and one.samefile(other)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Run the block to its end, then deliver a Ctrl-C or a request to end that came meanwhile.

    Otherwise `KeyboardInterrupt` is raised as soon as an encoder returns, and its packets are lost.
    Later packets depend on them, so a second of the video would be garbage.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    before = {number: handler for number, handler in before.items() if callable(handler)}
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    for number in before:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextlib.contextmanager
def writing(path: Path, part: Path | None = None) -> Iterator[None]:
    """Run a block that writes `path`, undisturbed by Ctrl-C; an error removes `part`.

    Raises `SettingError` for an error of FFmpeg or the system.
    """
    try:
        with undisturbed():
            yield
    except (av.FFmpegError, OSError, ValueError) as error:
        with contextlib.suppress(OSError):
            if part is not None:
                part.unlink()
        fix = "Free some disk space, or use another folder."
        if not path.parent.exists():
            fix = "Create its folder first."
        raise disk_fault(path, error) or cannot_write(path, reason(error), fix) from error


def cannot_write(path: Path, why: str, fix: str) -> SettingError:
    """Return the error for an output that cannot be written."""
    return SettingError(f"{path} cannot be written: {why}. {fix}")
