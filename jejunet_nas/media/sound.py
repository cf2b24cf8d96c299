"""The sound of one file, copied into another packet by packet.

It is read beside the frames up to a given time, so that both are close together in the file. Times
count from the video's first frame. Sound before it and after the last frame is left out. Jumps of
its clock are taken out as those of the frames are (see `clock`).

Units: times in seconds.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from jejunet_nas.media.clock import Clock
from jejunet_nas.media.decode import origin_s, reason, video_stream

_PRIMING_S = 0.1  # sound before time 0 that a decoder may need to start; players skip it


@dataclasses.dataclass(slots=True, kw_only=True)
class SoundTrack:
    """The sound of `source`; an error while it is copied ends it early and becomes a note."""

    source: InputContainer
    stream: AudioStream
    notes: list[str] = dataclasses.field(default_factory=list)
    _target: OutputContainer | None = None
    _packets: "Iterator[Packet[Stream]]" = dataclasses.field(init=False)
    _waiting: "Packet[Stream] | None" = None

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec, such as aac."""
        return self.stream.codec_context.codec.canonical_name

    def copy_into(self, target: OutputContainer) -> None:
        """Add a stream to `target`, whose header is not written yet.

        Raises `ValueError` or an error of FFmpeg's where the sound does not fit.
        """
        copied = target.add_stream_from_template(self.stream)
        self._target, self._packets = target, moved_packets(self.source, self.stream, copied)

    def feed(self, until_s: float) -> None:
        """Write the packets that start before `until_s`."""
        assert self._target is not None, "copy_into comes first"
        while packet := self._waiting or self._next():
            self._waiting = packet
            if _start_s(packet) >= until_s:
                return
            self._waiting = None
            try:
                self._target.mux(packet)
            except FFmpegError as error:
                if isinstance(error, OSError):  # a full disk, say, which stops the video too
                    raise
                self._stop(error)

    def _next(self) -> "Packet[Stream] | None":
        try:
            return next(self._packets, None)
        except FFmpegError as error:  # also of the disk that the source is on
            self._stop(error)
            return None

    def _stop(self, error: FFmpegError) -> None:
        self.notes.append(f"The sound stops early: {reason(error)}.")
        self._packets = iter(())

    def close(self) -> None:
        """Close the file that the sound is read from."""
        self.source.close()


def open_sound(path: Path) -> SoundTrack | None:
    """Return the best sound track of `path`; None for a file without sound, or no such file."""
    try:
        source = av.open(str(path.absolute()), "r", metadata_errors="replace")
    except (FFmpegError, OSError, ValueError):
        return None
    best = source.streams.best("audio")
    if isinstance(best, AudioStream) and best.codec_context:
        return SoundTrack(source=source, stream=best)
    source.close()
    return None


def moved_packets(
    source: InputContainer, stream: AudioStream, copied: AudioStream
) -> "Iterator[Packet[Stream]]":
    """Yield the packets of `stream` for `copied`; times count from the video's first frame.

    Raises an error of FFmpeg's if the file is truncated.
    """
    video = video_stream(source)
    begins_s = origin_s(video) if video else 0.0
    last: int | None = None
    clock: Clock | None = None
    for packet in source.demux(stream):
        if packet.pts is None or packet.dts is None:
            continue
        stated_s = float(packet.pts * packet.time_base) - begins_s
        clock = clock or Clock(0.0, time_s=stated_s)
        clock.at(stated_s)
        shift = round((begins_s - clock.shift_s) / packet.time_base)
        packet.pts -= shift
        packet.dts -= shift
        moved = cast("Packet[Stream]", packet)
        if _start_s(moved) < -_PRIMING_S or (last is not None and packet.dts <= last):
            continue
        last = packet.dts
        packet.stream = copied
        yield moved


def _start_s(packet: "Packet[Stream]") -> float:
    assert packet.pts is not None
    return float(packet.pts * packet.time_base)
