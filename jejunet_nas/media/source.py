"""Opens a video file, a folder of frames or a camera by its name."""

import math
from pathlib import Path

from jejunet_nas.errors import SettingError, closest
from jejunet_nas.media.camera import camera_index, open_camera
from jejunet_nas.media.folder import open_folder
from jejunet_nas.media.frames import Source
from jejunet_nas.media.video_file import open_video

FOLDER_FPS = 24.0


def open_source(what: str | int | Path, *, fps: float = FOLDER_FPS) -> Source:
    """Return the frames of a video file, of a folder of pictures, or of a camera.

    `fps` is the rate of a folder; files and cameras have their own. A number or /dev/video0 is a
    camera, unless a file of that name exists. Raises `SettingError` where nothing has that name,
    and `DataError` where it contains no frames.
    """
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        raise SettingError(f"fps is {fps}; allowed: above 0, to 1000. Use {FOLDER_FPS:g}.")
    if isinstance(what, int):
        return open_camera(what)
    path = Path(what)
    if path.is_dir():
        return open_folder(path, fps)
    if path.is_file():
        return open_video(path)
    index = camera_index(str(what))
    if index is not None:
        return open_camera(index)
    raise SettingError(
        f"{path} does not exist.{_nearest(path)} Use a video file, a folder of frames, or a "
        "camera's number."
    )


def _nearest(path: Path) -> str:
    try:
        return closest(path.name, [file.name for file in path.parent.iterdir()])
    except OSError:
        return ""
