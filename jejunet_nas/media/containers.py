"""What can be written: for each suffix the encoders in order of preference, and which sound fits.

`.mp4` is for sharing, `.webm` for the web without patents, `.avi` for old programs; that one holds
a constant frame rate only.
"""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

import av

from jejunet_nas.errors import SettingError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VideoEncoder:
    """One of FFmpeg's encoders, and what it is told.

    notes_colours: whether a file says by which matrix its colours are stored. BT.709 is, as players
    take HD for it anyway; what cannot say so is stored, and read, in BT.601.
    """

    name: str
    options: dict[str, str]
    notes_colours: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContainerKind:
    """What files of one suffix hold.

    copied_sound: codecs that are taken as they are: those that players of such files know, which
    are fewer than FFmpeg would write. priming_s: sound of a negative time, which decoders need to
    begin with, is kept where the container can hide it.
    """

    suffix: str
    video: tuple[VideoEncoder, ...]
    copied_sound: frozenset[str]
    sound: tuple[str, ...]
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    constant_rate: bool = False
    priming_s: float = 0.1


# Near the source's quality, and so fast that the networks are what one waits for: 100 frames of
# 768x576 took 1.0 s in H.264 (2.2 s with the preset `medium`, a file no smaller) and 1.2 s in VP9
# (11 s with the deadline `good`), on two cores.
_H264 = VideoEncoder(name="libx264", options={"crf": "18", "preset": "veryfast"})
_VP9 = VideoEncoder(
    name="libvpx-vp9",
    options={"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
)
_VP8 = VideoEncoder(
    name="libvpx",
    options={"crf": "10", "b": "8000000", "deadline": "realtime", "cpu-used": "4"},
    notes_colours=False,
)
_MPEG4 = VideoEncoder(name="mpeg4", options={"flags": "+qscale", "global_quality": str(3 * 118)})

CONTAINERS = (
    ContainerKind(
        suffix=".mp4",
        video=(_H264, _MPEG4),
        copied_sound=frozenset({"aac", "mp3", "ac3", "eac3", "opus"}),
        sound=("aac",),
        options={"movflags": "faststart"},
    ),
    ContainerKind(
        suffix=".webm",
        video=(_VP9, _VP8),
        copied_sound=frozenset({"opus", "vorbis"}),
        sound=("libopus", "libvorbis"),
    ),
    ContainerKind(
        suffix=".avi",
        video=(dataclasses.replace(_MPEG4, notes_colours=False),),
        copied_sound=frozenset({"mp3", "ac3", "pcm_s16le", "pcm_u8"}),
        sound=("libmp3lame", "pcm_s16le"),
        constant_rate=True,
        priming_s=0.0,
    ),
)


def check_target(path: Path, source: Path | None = None) -> ContainerKind:
    """Return what `path` is to hold; raises `SettingError` where it cannot be written.

    That is: an unknown suffix, a place that is no folder or takes no file, or `source`, the video
    that is read, by whatever name. A file that is there will be replaced.
    """
    kinds = {kind.suffix: kind for kind in CONTAINERS}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        ends = f"ends in {path.suffix}" if path.suffix else "has no suffix"
        raise SettingError(
            f"{path} {ends}; allowed: {', '.join(kinds)}. Use {path.with_suffix('.mp4')}."
        )
    if path.is_dir():
        raise _cannot(path, "it is a folder", f"Give a file in it, as {path / 'segmented.mp4'}.")
    part = part_of(path)
    if source is not None and (_same(path, source) or _same(part, source)):
        other = path.with_stem(f"{path.stem}-segmented")
        raise _cannot(path, f"it would overwrite {source}, which is read", f"Use {other}.")
    fresh = not part.exists()
    try:
        with part.open("ab"):
            pass
        if fresh:
            part.unlink()
    except OSError as error:
        fix = "Create that folder first" if not path.parent.exists() else "Give another folder"
        raise _cannot(path, os.strerror(error.errno or 0), f"{fix}.") from error
    return kind


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def part_of(path: Path) -> Path:
    """Return the name under which `path` is written until it is whole."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


def first_encoder(names: Iterable[str]) -> str | None:
    """Return the first encoder that this FFmpeg was built with."""
    for name in names:
        try:
            return av.Codec(name, "w").name
        except ValueError:  # av.codec.codec.UnknownCodecError
            continue
    return None


def _cannot(path: Path, why: str, fix: str) -> SettingError:
    return SettingError(
        f"{path} cannot be written ({why}); allowed: a new file, or one to be replaced, in a "
        f"writable folder. {fix}"
    )
