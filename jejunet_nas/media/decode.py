"""Frames out of an open container: its best video stream, decoded, upright and in RGB.

10 bits, grey, alpha and odd sizes all end up as 8-bit RGB: alpha is dropped, HDR is not
tone-mapped, the two fields of an interlaced frame stay woven. Pixels that are not square (a DVD's,
or an anamorphic camera's) are made so by stretching the picture along their short side: networks
see square pixels in training, and a video of them looks right in every player.

Units: times in seconds; sizes are (height, width) in pixels.
"""

import dataclasses
import math
import time
from collections.abc import Generator, Iterator

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from jejunet_nas.media.frames import Frame, Picture, ReadingEndedError, Size
from jejunet_nas.media.orientation import display_matrix, square_size, turned
from jejunet_nas.resize import resize_frame

_USUAL_FPS = 25.0  # where a file states none, or one that no camera has
_FASTEST_FPS = 300.0
_SLACK_FRAMES = 1.5  # that a header may promise too much: an AVI counts empty frames at its end
_CAMERA_PAUSE_S = 0.005


def video_stream(container: InputContainer) -> VideoStream | None:
    """Return the best video stream; None where there is none but a cover picture."""
    best = container.streams.best("video")
    if not isinstance(best, VideoStream) or best.disposition & Disposition.attached_pic:
        return None
    return best


def origin_s(stream: VideoStream) -> float:
    """Return where in the container's time the video begins: what `Frame.time_s` counts from."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


def stated_fps(stream: VideoStream) -> float:
    """Return the mean frame rate that the stream states."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and rate <= _FASTEST_FPS:
            return float(rate)
    return _USUAL_FPS


def promised_s(container: InputContainer, stream: VideoStream) -> float | None:
    """Return how long the video lasts by its header, None where that says nothing.

    An AVI's duration is guessed from the file's size, its number of frames is written down;
    Matroska notes the streams' durations in tags; else that of the file is the video's only where
    there is no other stream.
    """
    if "avi" in container.format.name and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if noted := _clock_s(stream.metadata.get("DURATION", "")):
        return noted
    alone = len(container.streams) == 1
    return container.duration / av.time_base if container.duration and alone else None


def _clock_s(words: str) -> float | None:
    """Return the seconds of '00:01:02.500'."""
    try:
        hours, minutes, seconds = words.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return None


@dataclasses.dataclass(slots=True, kw_only=True)
class Decoder:
    """Reads one video stream from its beginning; `size` is that of the first frame.

    Frames of another size (a stream that was switched) are resized to it. `fix` is what to do about
    a reading that ended too soon.
    """

    container: InputContainer
    stream: VideoStream
    fix: str
    size: Size | None = None
    problem: str | None = None  # why demultiplexing stopped
    damaged: int = 0  # packets that could not be decoded
    end_s: float = 0.0  # of the last frame, by its duration

    def frames(self) -> Generator[Frame, None, None]:
        """Yield all frames; raises `ReadingEndedError` after the last where something is missing.

        A time that is missing or goes back is replaced by the frame rate's.
        """
        step_s, origin = 1 / stated_fps(self.stream), origin_s(self.stream)
        time_s = -math.inf  # of the frame before
        for decoded in self._decoded():
            try:
                picture = self._picture(decoded)
            except FFmpegError:  # colours that FFmpeg's scaler does not know
                self.damaged += 1
                continue
            if self.stream.start_time is None and time_s < 0:
                origin = decoded.time or 0.0
            stated = -math.inf if decoded.pts is None else max(0.0, decoded.time - origin)
            time_s = stated if stated > time_s else max(0.0, time_s + step_s)
            base = decoded.time_base
            lasts = float(decoded.duration * base) if decoded.duration and base else step_s
            self.end_s = time_s + lasts
            yield Frame(time_s=time_s, picture=picture)
        self._check_end(step_s)

    def _decoded(self) -> Iterator[VideoFrame]:
        self.stream.thread_type = "AUTO"
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except BlockingIOError:  # what macOS says of a camera that has no new frame yet
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
        height, width = square_size(
            decoded.height, decoded.width, float(aspect) if aspect else None
        )
        stored = decoded.reformat(width=width, height=height, format="rgb24").to_ndarray()
        picture = turned(np.asarray(stored, np.uint8), display_matrix(decoded))
        self.size = self.size or (picture.shape[0], picture.shape[1])
        return np.ascontiguousarray(resize_frame(picture, *self.size))

    def _check_end(self, step_s: float) -> None:
        promised = promised_s(self.container, self.stream)
        missing_s = 0.0 if promised is None else promised - self.end_s
        if self.problem or missing_s > _SLACK_FRAMES * step_s:
            cause = f" ({self.problem})" if self.problem else ""
            whole = f" of {promised:.1f}" if promised else ""
            raise ReadingEndedError(
                f"breaks off after {self.end_s:.1f}{whole} s{cause}; {self.fix}"
            )
        if self.damaged:
            raise ReadingEndedError(
                f"is damaged: {self.damaged} of its packets cannot be decoded and were skipped; "
                f"{self.fix}"
            )


def reason(error: BaseException) -> str:
    """Return what FFmpeg or the system says of an error, in a few words on one line."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(words).split())
