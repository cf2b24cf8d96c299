"""An open output file: one video stream, and the sound of another file beside it."""

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from jejunet_nas.media.containers import ContainerKind, VideoEncoder, first_encoder
from jejunet_nas.media.decode import reason
from jejunet_nas.media.frames import Size
from jejunet_nas.media.sound import SoundTrack, carry_sound, codec_of

_BT709, _LIMITED = 1, 1  # FFmpeg's numbers for HD colours, and for luma from 16 to 235
_STORED = "yuv420p"


@dataclasses.dataclass(slots=True, kw_only=True)
class Output:
    """A file whose header is written; `notes` says what became of the sound."""

    container: OutputContainer
    video: VideoStream
    sound: SoundTrack | None
    notes_colours: bool
    notes: list[str]

    def write(self, frame: VideoFrame, tick: int, tick_s: Fraction) -> None:
        """Encode a frame in RGB at its time, and write the sound up to there."""
        if self.notes_colours:
            stored = frame.reformat(format=_STORED, dst_colorspace=_BT709, dst_color_range=_LIMITED)
        else:
            stored = frame.reformat(format=_STORED)
        stored.pts, stored.time_base = tick, tick_s
        self.container.mux(self.video.encode(stored))
        if self.sound:
            self.sound.feed(float(tick * tick_s))

    def finish(self, end_s: Fraction) -> None:
        """Write what the encoders hold back, and the sound up to the video's end."""
        self.container.mux(self.video.encode(None))
        if self.sound:
            self.sound.finish(float(end_s))

    def close(self) -> None:
        """Close the file, with its index if there is anything in it."""
        try:
            self.container.close()
        finally:
            if self.sound:
                self.sound.close()
                self.notes += [self.sound.note] if self.sound.note else []


def open_output(
    part: Path,
    kind: ContainerKind,
    size: Size,
    rate: Fraction,
    tick_s: Fraction,
    sound_from: Path | None,
) -> Output:
    """Open `part` and write its header, with the sound if it can be had in any way.

    Raises an error of FFmpeg's, `OSError` or `ValueError` where even the video alone cannot.
    """
    failure = ""
    encoder = _video_encoder(kind)
    for copied, notes in _attempts(kind, sound_from, codec_of(sound_from) if sound_from else None):
        container = av.open(str(part.absolute()), "w", container_options=kind.options)
        sound = None
        try:
            video = _add_video(container, encoder, size, rate, tick_s)
            if copied is not None and sound_from is not None:
                sound = carry_sound(sound_from, container, kind, copied=copied)
            container.start_encoding()
        except (FFmpegError, OSError, ValueError) as error:
            container.close()
            if sound:
                sound.close()
            if copied is None:
                raise
            failure = f" ({reason(error)})"
            continue
        return Output(
            container=container,
            video=video,
            sound=sound,
            notes_colours=encoder.notes_colours,
            notes=[note.format(failure=failure) for note in notes],
        )
    raise AssertionError("the last attempt returns or raises")


def _attempts(
    kind: ContainerKind, path: Path | None, codec: str | None
) -> Iterator[tuple[bool | None, list[str]]]:
    """Yield the ways to keep the sound, best first: whether to copy, and what there is to say."""
    if path is None or codec is None:
        yield None, []
        return
    if codec in kind.copied_sound:
        yield True, []
    name = first_encoder(kind.sound)
    yield False, [f"The sound, {codec}, was encoded anew ({name}), for {kind.suffix}."]
    yield None, [f"The sound, {codec}, was left out{{failure}}."]


def _video_encoder(kind: ContainerKind) -> VideoEncoder:
    name = first_encoder(encoder.name for encoder in kind.video)
    for encoder in kind.video:
        if encoder.name == name:
            return encoder
    raise ValueError(f"this FFmpeg encodes no {' or '.join(each.name for each in kind.video)}")


def _add_video(
    container: OutputContainer,
    encoder: VideoEncoder,
    size: Size,
    rate: Fraction,
    tick_s: Fraction,
) -> VideoStream:
    stream = container.add_stream(encoder.name, rate=rate, options=encoder.options)
    video = cast("VideoStream", stream)
    video.height, video.width = size
    video.pix_fmt = _STORED
    context = video.codec_context
    context.time_base = tick_s
    if encoder.notes_colours:
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
    return video
