"""A video file as a source of frames, in any format that FFmpeg reads: mp4, mov, webm, avi, ..."""

import itertools
from pathlib import Path

import av
from av.container import InputContainer

from jejunet_nas.errors import DataError
from jejunet_nas.media.decode import Decoder, promised_s, reason, stated_fps, video_stream
from jejunet_nas.media.frames import ReadingEndedError, Source

# FFmpeg's readers that draw text as pictures: they accept any text file.
_TEXT_AS_PICTURES = frozenset({"tty", "bin", "xbin", "adf", "idf"})


def open_video(path: Path) -> Source:
    """Return the video in `path`; raises `DataError` where no frame of it can be read."""
    container = open_container(path)
    try:
        return video_source(container, str(path))
    except BaseException:
        container.close()
        raise


def open_container(path: Path) -> InputContainer:
    """Open `path`, a file; raises `DataError` where FFmpeg does not support its format."""
    try:  # an absolute path, as `12:30.mp4` would be read as a network address
        container = av.open(str(path.absolute()), "r", metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(str(path), reason(error)) from error
    if container.format.name in _TEXT_AS_PICTURES:
        container.close()
        raise _unreadable(str(path), "it is text")
    return container


def video_source(container: InputContainer, name: str, *, live: bool = False) -> Source:
    """Return the frames of an open container; the first is decoded now, for its size."""
    stream = video_stream(container)
    if stream is None:
        but = ", only sound" if container.streams.audio else ""
        raise DataError(
            f"{name} has no video stream{but}. Use a video file, such as .mp4, "
            ".mov, .webm, .mkv or .avi."
        )
    fix = "plug it in again." if live else "copy or download it again for the rest."
    decoder = Decoder(container=container, stream=stream, fix=fix)
    frames = decoder.frames()
    try:
        first = next(frames)
    except (StopIteration, ReadingEndedError, av.FFmpegError) as error:
        raise _unreadable(name, "no frame can be decoded") from error

    def close() -> None:
        frames.close()  # first, because it reads from the container
        container.close()

    fps, lasts_s = stated_fps(stream), promised_s(container, stream)
    guess = round(lasts_s * fps) if lasts_s else None
    return Source(
        name=name,
        fps=fps,
        frame_count=None if live else stream.frames or guess,
        size=(first.picture.shape[0], first.picture.shape[1]),
        frames=itertools.chain([first], frames),
        close=close,
    )


def _unreadable(name: str, why: str) -> DataError:
    return DataError(
        f"{name} cannot be read as a video ({why}). Copy or download it again, or convert it with "
        "ffmpeg."
    )
