"""Decodes the best video stream of an open container into upright RGB frames.

10 bits, grey, alpha and odd sizes all become 8-bit RGB: alpha is dropped, HDR is not tone-mapped,
interlaced frames are not deinterlaced. Pixels that are not square (of a DVD, or an anamorphic
camera) are made square by stretching the picture along their short side, because networks see
square pixels in training.

A phone films in its sensor's orientation and stores the rotation in a display matrix, which maps a
stored pixel (x, y) to (a x + c y, b x + d y). In practice it is one of the eight made of quarter
turns and mirrors; any other matrix is replaced by the nearest of them.

Units: times in seconds; sizes are (height, width) in pixels.
"""

import dataclasses
import time
from collections.abc import Generator, Iterator, Mapping
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import SideData, Type
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from jejunet_nas.media.clock import LONGEST_GAP_S, Clock
from jejunet_nas.media.frames import Frame, Picture, ReadingEndedError, Size
from jejunet_nas.records.words import counted
from jejunet_nas.resize import resize_frame

_USUAL_FPS = 25.0  # where a file states no rate, or one that no camera has
_FASTEST_FPS = 300.0
_SLOWEST_FPS = 1.0  # a mean below it may be due to a gap in the file
_SLACK_FRAMES = 1.5  # of error in a header: an AVI counts empty frames at its end
_CAMERA_PAUSE_S = 0.005
_WIDEST_PIXEL = 4.0  # a wider pixel aspect is an error in the file


def video_stream(container: InputContainer) -> VideoStream | None:
    """Return the best video stream; None where there is no video or only a cover picture."""
    best = container.streams.best("video")
    if not isinstance(best, VideoStream) or best.disposition & Disposition.attached_pic:
        return None
    return best


def origin_s(stream: VideoStream) -> float:
    """Return the container's time at which the video starts; `Frame.time_s` counts from it."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


def stated_fps(stream: VideoStream) -> float:
    """Return the mean frame rate in the stream's header, 25 if it has none.

    A mean of less than a frame a second is that of a file whose clock jumps, or of a time lapse;
    the largest rate that is stated tells the two apart.
    """
    stated = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    rates = [float(rate) for rate in stated if rate and rate <= _FASTEST_FPS]
    if not rates:
        return _USUAL_FPS
    return rates[0] if rates[0] >= _SLOWEST_FPS else max(rates)


def promised_s(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the video's duration by its header, None where the header has none.

    FFmpeg guesses an AVI's duration from the file's size, but its number of frames is stored.
    Matroska stores the streams' durations in tags. The file's duration is used only where there is
    no other stream.
    """
    if "avi" in container.format.name and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if noted := _clock_s(stream.metadata.get("DURATION", "")):
        return max(0.0, noted - origin_s(stream))  # Matroska counts from 0, not from the start
    alone = len(container.streams) == 1
    if not (container.duration and alone):
        return None
    late = origin_s(stream) if "matroska" in container.format.name else 0.0
    return max(0.0, container.duration / av.time_base - late)


def _clock_s(words: str) -> float | None:
    try:
        hours, minutes, seconds = words.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return None


@dataclasses.dataclass(slots=True, kw_only=True)
class Decoder:
    """Decodes one video stream from its start; `size` is that of the first frame.

    Later frames of another size are resized to it. `fix`: the advice in the error of a video that
    breaks off.
    """

    container: InputContainer
    stream: VideoStream
    fix: str
    size: Size | None = None
    problem: str | None = None  # why demultiplexing stopped
    damaged: int = 0  # packets that could not be decoded
    end_s: float = 0.0  # of the last frame, by its duration

    def frames(self) -> Generator[Frame, None, None]:
        """Yield all frames; raises `ReadingEndedError` after the last if some are missing.

        A time that is missing or does not increase is computed from the frame rate.
        """
        step_s, origin = 1 / stated_fps(self.stream), origin_s(self.stream)
        clock = Clock(step_s)
        for decoded in self._decoded():
            try:
                picture = self._picture(decoded)
            except FFmpegError:  # a pixel format that FFmpeg's scaler does not support
                self.damaged += 1
                continue
            if self.stream.start_time is None and clock.time_s < 0:
                origin = decoded.time or 0.0
            stated = None if decoded.pts is None else max(0.0, decoded.time - origin)
            time_s = clock.at(stated)
            base = decoded.time_base
            lasts = float(decoded.duration * base) if decoded.duration and base else step_s
            self.end_s = time_s + min(lasts, LONGEST_GAP_S)
            yield Frame(time_s=time_s, picture=picture)
        self._check_end(step_s, clock)

    def _decoded(self) -> Iterator[VideoFrame]:
        self.stream.thread_type = "AUTO"
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except BlockingIOError:  # macOS: the camera has no new frame yet
                time.sleep(_CAMERA_PAUSE_S)
                packets = self.container.demux(self.stream)
                continue
            except FFmpegError as error:
                self.problem = reason(error)
                yield from self.stream.decode(None)
                return
            if packet is None:
                return
            try:
                yield from packet.decode()
            except FFmpegError:
                self.damaged += 1

    def _picture(self, decoded: VideoFrame) -> Picture:
        aspect = self.stream.sample_aspect_ratio
        height, width = _square_size(
            decoded.height, decoded.width, float(aspect) if aspect else None
        )
        stored = decoded.reformat(width=width, height=height, format="rgb24").to_ndarray()
        picture = _turned(np.asarray(stored, np.uint8), _display_matrix(decoded))
        self.size = self.size or (picture.shape[0], picture.shape[1])
        return np.ascontiguousarray(resize_frame(picture, *self.size))

    def _check_end(self, step_s: float, clock: Clock) -> None:
        promised = promised_s(self.container, self.stream)
        if promised is not None and clock.gaps:  # the header counts the jumps, or is wrong too
            promised = max(self.end_s, promised - clock.cut_s) if clock.cut_s > 0 else None
        missing_s = 0.0 if promised is None else promised - self.end_s
        if self.problem or missing_s > _SLACK_FRAMES * step_s:
            cause = f" ({self.problem})" if self.problem else ""
            whole = f" of {promised:.1f}" if promised else ""
            raise ReadingEndedError(
                f"breaks off after {self.end_s:.1f}{whole} s{cause}; {self.fix}"
            )
        if self.damaged:
            packets = counted(self.damaged, "packet")
            raise ReadingEndedError(f"is damaged: {packets} could not be decoded; {self.fix}")
        if clock.gaps:
            raise ReadingEndedError(f"{clock.words}; its frames were joined without a gap.")


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return a, b, c, d of the frame's display matrix, in 1/65536; the identity if it has none."""
    notes = cast("Mapping[Type, SideData]", frame.side_data)  # PyAV types it as a sequence
    note = notes.get(Type.DISPLAYMATRIX)
    if note is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(bytes(note), np.int32)
    return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])


def _turned(picture: Picture, matrix: tuple[int, int, int, int]) -> Picture:
    """Return a picture [height, width, 3] rotated and mirrored by `matrix`."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture, across, down = picture.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def _square_size(height: int, width: int, pixel_aspect: float | None) -> tuple[int, int]:
    """Return the (height, width) with square pixels; the shorter side grows."""
    aspect = pixel_aspect or 1.0
    if not 1 / _WIDEST_PIXEL <= aspect <= _WIDEST_PIXEL:
        aspect = 1.0
    return (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)


def reason(error: BaseException) -> str:
    """Return the message of an error of FFmpeg or the system on one line."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(words).split())
