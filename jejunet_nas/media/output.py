"""An open output file: one video stream, and the sound of another file beside it."""

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from jejunet_nas.media.containers import ContainerKind
from jejunet_nas.media.decode import reason
from jejunet_nas.media.frames import Size
from jejunet_nas.media.sound import SoundTrack, open_sound

TICK_S = Fraction(1, 90_000)  # MPEG's clock: 24, 25, 30 and 30000/1001 fps are whole ticks of it
_BT709, _LIMITED = 1, 1  # FFmpeg's numbers for HD colours, and for luma from 16 to 235
_STORED = "yuv420p"


@dataclasses.dataclass(slots=True, kw_only=True)
class Output:
    """A file whose header is written; `notes` says which sound is missing."""

    container: OutputContainer
    video: VideoStream
    sound: SoundTrack | None
    notes: list[str]

    def write(self, frame: VideoFrame, tick: int) -> None:
        """Encode a frame in RGB, and copy the sound up to its time."""
        # Players take HD for BT.709 whatever a file says, so all sizes are stored in it.
        stored = frame.reformat(format=_STORED, dst_colorspace=_BT709, dst_color_range=_LIMITED)
        stored.pts, stored.time_base = tick, TICK_S
        self.container.mux(self.video.encode(stored))
        if self.sound:
            self.sound.feed(float(tick * TICK_S))

    def finish(self, end_s: Fraction) -> None:
        """Write the frames that the encoder holds back, and the sound up to the video's end."""
        self.container.mux(self.video.encode(None))
        if self.sound:
            self.sound.feed(float(end_s))

    def close(self) -> None:
        """Close the file; writes its index if it has frames."""
        try:
            self.container.close()
        finally:
            if self.sound:
                self.sound.close()
                self.notes += [self.sound.note] if self.sound.note else []


def open_output(
    part: Path, kind: ContainerKind, size: Size, rate: Fraction, sound_from: Path | None
) -> Output:
    """Open `part` and write its header; the sound of `sound_from` is added where the file takes it.

    Raises an error of FFmpeg's, `OSError` or `ValueError` where the file cannot be written.
    """
    sound = open_sound(sound_from) if sound_from else None
    if sound is None:
        return _open(part, kind, size, rate, None)
    try:
        if sound.codec not in kind.sound:
            raise ValueError(f"{kind.suffix} takes {', '.join(kind.sound)}")
        return _open(part, kind, size, rate, sound)
    except (FFmpegError, ValueError) as error:
        sound.close()
        output = _open(part, kind, size, rate, None)
        output.notes.append(f"The sound ({sound.codec}) was left out: {reason(error)}.")
        return output


def _open(
    part: Path, kind: ContainerKind, size: Size, rate: Fraction, sound: SoundTrack | None
) -> Output:
    container = av.open(str(part.absolute()), "w", container_options=kind.options)
    try:
        video = _add_video(container, kind, size, rate)
        if sound:
            sound.copy_into(container)
        container.start_encoding()
    except BaseException:
        container.close()
        raise
    return Output(container=container, video=video, sound=sound, notes=[])


def _add_video(
    container: OutputContainer, kind: ContainerKind, size: Size, rate: Fraction
) -> VideoStream:
    stream = container.add_stream(kind.encoder, rate=rate, options=kind.encoder_options)
    video = cast("VideoStream", stream)
    video.height, video.width = size
    video.pix_fmt = _STORED
    context = video.codec_context
    context.time_base = TICK_S
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return video
