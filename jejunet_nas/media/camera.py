"""A camera as a source of frames: Video4Linux on Linux, AVFoundation on macOS.

The frames have the camera's own size and rate, and do not end by themselves.
"""

import re
import sys
from pathlib import Path

import av

from jejunet_nas.errors import SettingError
from jejunet_nas.media.decode import reason
from jejunet_nas.media.frames import Source
from jejunet_nas.media.video_file import video_source

_DEVICES = Path("/dev")
_MAC_FPS = "30"  # AVFoundation needs a rate that the camera supports


def camera_index(words: str) -> int | None:
    """Return the number in '0' or '/dev/video0', None for any other text."""
    match = re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", words)
    return int(match[1]) if match else None


def open_camera(index: int) -> Source:
    """Return the frames of a camera; raises `SettingError` where it cannot be opened."""
    name = f"camera {index}"
    try:
        if sys.platform == "darwin":
            options = {"framerate": _MAC_FPS}
            container = av.open(str(index), "r", format="avfoundation", options=options)
        else:
            container = av.open(str(_DEVICES / f"video{index}"), "r", format="v4l2")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _no_camera(name, error) from error
    try:
        return video_source(container, name, live=True)
    except BaseException:
        container.close()
        raise


def _no_camera(name: str, error: BaseException) -> SettingError:
    numbers = sorted(
        index
        for device in _DEVICES.glob("video*")
        if (index := camera_index(str(device))) is not None
    )
    allowed = f"; allowed: {', '.join(map(str, numbers))}" if numbers else "; no camera was found"
    fix = (
        "Add yourself to the group video, and log in again."
        if isinstance(error, PermissionError)
        else "Plug it in, or use a video file."
    )
    return SettingError(f"{name} cannot be opened ({reason(error)}){allowed}. {fix}")
