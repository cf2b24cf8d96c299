"""The sound of one file carried into another: copied where the container takes it, or encoded anew.

It is read beside the pictures and handed out up to a time, so that both lie close together in the
file. Its times count from the video's first frame, as those of the frames do; what sounded before
is left out, and what sounds after the last frame too.

Units: times in seconds.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from jejunet_nas.media.containers import ContainerKind, first_encoder
from jejunet_nas.media.decode import origin_s, reason, video_stream

_ENCODED_HZ = 48_000  # what every encoder of ours takes
_CHUNK = 1024  # samples, for encoders that take any number


class Piece(NamedTuple):
    """Packets ready to be written, and when the first of them sounds."""

    start_s: float
    packets: "list[Packet[Stream]]"


@dataclasses.dataclass(slots=True, kw_only=True)
class SoundTrack:
    """Sound of `source` on its way into `target`; trouble ends it early and is noted, not raised.

    pieces: in the order of time. tail: the encoder whose last packets are still to be asked for.
    """

    source: InputContainer
    target: OutputContainer
    pieces: Iterator[Piece]
    tail: AudioStream | None = None
    note: str | None = None
    ended: bool = False
    waiting: Piece | None = None

    def feed(self, until_s: float) -> None:
        """Write what begins before `until_s`."""
        while not self.ended:
            try:
                self.waiting = self.waiting or next(self.pieces, None)
            except (FFmpegError, ValueError) as error:  # a format that changes is a ValueError
                self._break_off(error)
                return
            if self.waiting is None:
                self.ended = True
            elif self.waiting.start_s >= until_s:
                return
            else:
                self._write(self.waiting.packets)
                self.waiting = None

    def _write(self, packets: "list[Packet[Stream]]") -> None:
        try:
            self.target.mux(packets)
        except FFmpegError as error:
            if isinstance(error, OSError):  # no room, say: the video cannot go on either
                raise
            self._break_off(error)

    def _break_off(self, error: Exception) -> None:
        self.note = f"The sound breaks off ({reason(error)}); the video goes on without."
        self.ended = True

    def finish(self, end_s: float) -> None:
        """Write the rest up to the end of the video."""
        self.feed(end_s)
        if self.tail is not None:
            self.target.mux(self.tail.encode(None))

    def close(self) -> None:
        """Close the file that the sound is read from."""
        self.source.close()


def sound_stream(container: InputContainer) -> AudioStream | None:
    """Return the best sound stream that can be decoded, None for none."""
    best = container.streams.best("audio")
    return best if isinstance(best, AudioStream) and best.codec_context else None


def codec_of(path: Path) -> str | None:
    """Return the codec of the sound in `path`, None where it has none or is no such file."""
    try:
        with av.open(str(path.absolute()), "r", metadata_errors="replace") as container:
            stream = sound_stream(container)
            return stream.codec_context.codec.canonical_name if stream else None
    except (FFmpegError, OSError, ValueError):
        return None


def carry_sound(
    path: Path, target: OutputContainer, kind: ContainerKind, *, copied: bool
) -> SoundTrack:
    """Return the sound of `path`, which has some, on its way into `target`.

    Raises `ValueError` or an error of FFmpeg's where it does not fit in there; add it before the
    header is written.
    """
    source = av.open(str(path.absolute()), "r", metadata_errors="replace")
    try:
        stream = sound_stream(source)
        assert stream is not None, path
        video = video_stream(source)
        begins_s = origin_s(video) if video else 0.0
        if copied:
            kept = target.add_stream_from_template(stream)
            pieces = _copied(source, stream, kept, begins_s, kind.priming_s)
            return SoundTrack(source=source, target=target, pieces=pieces)
        name = first_encoder(kind.sound)
        if name is None:
            raise ValueError(f"this FFmpeg encodes no {' or '.join(kind.sound)}")
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        encoder = cast("AudioStream", target.add_stream(name, rate=_ENCODED_HZ, layout=layout))
        pieces = _encoded(source, stream, encoder, begins_s, kind.priming_s)
        return SoundTrack(source=source, target=target, pieces=pieces, tail=encoder)
    except BaseException:
        source.close()
        raise


def read_packets(source: InputContainer, stream: AudioStream) -> "Iterator[Packet[AudioStream]]":
    """Yield the packets of `stream`; raises an error of FFmpeg's where the file breaks off."""
    return source.demux(stream)


def _copied(
    source: InputContainer,
    stream: AudioStream,
    kept: AudioStream,
    begins_s: float,
    priming_s: float,
) -> Iterator[Piece]:
    last: int | None = None
    for packet in read_packets(source, stream):
        if packet.pts is None or packet.dts is None:
            continue
        shift = round(begins_s / packet.time_base)
        packet.pts -= shift
        packet.dts -= shift
        start_s = float(packet.pts * packet.time_base)
        if start_s < -priming_s or (last is not None and packet.dts <= last):
            continue
        last = packet.dts
        packet.stream = kept
        yield Piece(start_s, [cast("Packet[Stream]", packet)])


def _encoded(
    source: InputContainer,
    stream: AudioStream,
    encoder: AudioStream,
    begins_s: float,
    priming_s: float,
) -> Iterator[Piece]:
    resampler = AudioResampler(
        format=encoder.format,
        layout=encoder.layout,
        rate=_ENCODED_HZ,
        frame_size=encoder.codec_context.frame_size or _CHUNK,
    )
    last = -1
    for decoded in itertools.chain(_decoded(source, stream), [None]):
        for chunk in resampler.resample(decoded):
            assert chunk.pts is not None
            assert chunk.time_base is not None
            chunk.pts -= round(begins_s / chunk.time_base)
            start_s = float(chunk.pts * chunk.time_base)
            if chunk.pts <= last or start_s < 0:
                continue
            last = chunk.pts
            packets = [
                cast("Packet[Stream]", packet)
                for packet in encoder.encode(chunk)
                if packet.pts is not None and packet.pts * packet.time_base >= -priming_s
            ]
            yield Piece(start_s, packets)


def _decoded(source: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    for packet in read_packets(source, stream):
        try:
            yield from packet.decode()
        except FFmpegError:  # a packet that is damaged: silence for a moment
            continue
