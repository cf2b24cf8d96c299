"""Sources of frames by name: a video file, a folder of pictures or a camera.

Video files are of any format that FFmpeg reads: mp4, mov, webm, avi, ... Cameras are opened by
Video4Linux on Linux and AVFoundation on macOS; they have their own size and rate and do not end.
"""

import contextlib
import itertools
import math
import re
import sys
from pathlib import Path

import av
from av.container import InputContainer

from jejunet_nas.errors import DataError, SettingError, closest
from jejunet_nas.media.decode import Decoder, promised_s, reason, stated_fps, video_stream
from jejunet_nas.media.folder import open_folder
from jejunet_nas.media.frames import ReadingEndedError, Source

FOLDER_FPS = 24.0
# FFmpeg's readers that draw text as pictures: they accept any text file.
_TEXT_AS_PICTURES = frozenset({"tty", "bin", "xbin", "adf", "idf"})
_DEVICES = Path("/dev")
_MAC_FPS = "30"  # AVFoundation needs a rate that the camera supports


def open_source(what: str | Path, *, fps: float = FOLDER_FPS) -> Source:
    """Return the frames of a video file, of a folder of pictures, or of a camera.

    `fps` is the rate of a folder; files and cameras have their own. A number or /dev/video0 is a
    camera, unless a file of that name exists. Raises `SettingError` if nothing has that name or the
    camera cannot be opened, and `DataError` if there is no frame.
    """
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        raise SettingError(f"fps is {fps}; allowed: above 0, to 1000. Use {FOLDER_FPS:g}.")
    path = Path(what)
    if path.is_dir():
        return open_folder(path, fps)
    if path.is_file():
        return _open_video(path)
    index = camera_index(str(what))
    if index is not None:
        return _open_camera(index)
    if path.exists():
        raise SettingError(
            f"{path} is a pipe or a device. Use a video file, a folder of frames, or a camera's "
            "number."
        )
    try:
        nearest = closest(path.name, [file.name for file in path.parent.iterdir()])
    except OSError:
        nearest = ""
    raise SettingError(
        f"{path} does not exist.{nearest} Use a video file, a folder of frames, or a camera's "
        "number."
    )


def camera_index(words: str) -> int | None:
    """Return the number in '0' or '/dev/video0', None for any other text."""
    match = re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", words)
    return int(match[1]) if match else None


def _open_video(path: Path) -> Source:
    try:  # an absolute path, as `12:30.mp4` would be read as a network address
        container = av.open(str(path.absolute()), "r", metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(str(path), reason(error)) from error
    return _video_source(container, str(path))


def _open_camera(index: int) -> Source:
    name = f"camera {index}"
    try:
        if sys.platform == "darwin":
            options = {"framerate": _MAC_FPS}
            container = av.open(str(index), "r", format="avfoundation", options=options)
        else:
            container = av.open(str(_DEVICES / f"video{index}"), "r", format="v4l2")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _no_camera(name, error) from error
    return _video_source(container, name, live=True)


def _video_source(container: InputContainer, name: str, *, live: bool = False) -> Source:
    """Return the frames of an open container; the first is decoded now, for its size."""
    with contextlib.ExitStack() as opened:
        opened.callback(container.close)
        if container.format.name in _TEXT_AS_PICTURES:
            raise _unreadable(name, "it is text")
        stream = video_stream(container)
        if stream is None:
            but = ", only sound" if container.streams.audio else ""
            raise DataError(
                f"{name} has no video stream{but}. Use a video file, such as .mp4, .mov, .webm, "
                ".mkv or .avi."
            )
        fix = "plug it in again." if live else "copy or download it again for the rest."
        frames = Decoder(container=container, stream=stream, fix=fix).frames()
        opened.callback(frames.close)  # called before the container closes, which it reads
        try:
            first = next(frames)
        except (StopIteration, ReadingEndedError, av.FFmpegError) as error:
            raise _unreadable(name, "no frame can be decoded") from error
        fps, lasts_s = stated_fps(stream), promised_s(container, stream)
        guess = round(lasts_s * fps) if lasts_s else None
        return Source(
            name=name,
            fps=fps,
            frame_count=None if live else stream.frames or guess,
            size=(first.picture.shape[0], first.picture.shape[1]),
            frames=itertools.chain([first], frames),
            close=opened.pop_all().close,
        )


def _unreadable(name: str, why: str) -> DataError:
    return DataError(
        f"{name} cannot be read as a video ({why}). Copy or download it again, or convert it with "
        "ffmpeg."
    )


def _no_camera(name: str, error: BaseException) -> SettingError:
    found = (camera_index(f"/dev/{device.name}") for device in _DEVICES.glob("video*"))
    numbers = sorted(index for index in found if index is not None)
    allowed = f"; allowed: {', '.join(map(str, numbers))}" if numbers else "; no camera was found"
    fix = (
        "Add yourself to the group video, and log in again."
        if isinstance(error, PermissionError)
        else "Plug it in, or use a video file."
    )
    return SettingError(f"{name} cannot be opened ({reason(error)}){allowed}. {fix}")
