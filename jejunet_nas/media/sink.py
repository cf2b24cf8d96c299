"""The outputs of segmented frames: a video file, or a folder of masks.

    with VideoSink(Path("out.mp4"), source.size, source.fps, Path("in.mp4")) as sink:
        for frame in source:
            sink.write(draw(frame.picture), frame.time_s)

Units: times in seconds; sizes are (height, width) in pixels.
"""

import contextlib
import math
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.video.frame import VideoFrame
from PIL import Image

from jejunet_nas.errors import SettingError
from jejunet_nas.media.containers import cannot_write, check_target, part_of
from jejunet_nas.media.decode import reason
from jejunet_nas.media.frames import Picture, Size
from jejunet_nas.media.interrupts import undisturbed
from jejunet_nas.media.output import TICK_S, Output, open_output


class VideoSink:
    """A video file, written as `out.part.mp4` and renamed when it is complete.

    As a context manager it keeps the video at the block's end and on Ctrl-C; then the video holds
    the frames written so far. Any other exception removes the new file and leaves an older one as
    it was. `notes`: one line for each part of the sound that is missing.
    """

    def __init__(self, path: Path, size: Size, fps: float, sound_from: Path | None = None) -> None:
        """Open the file; raises `SettingError` where it cannot be written (see `check_target`).

        `sound_from`: the video whose sound is copied, if it has any, up to the last frame.
        """
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise SettingError(f"fps is {fps}; allowed: above 0, to 1000. Use 25.")
        assert min(size) > 0, size
        self._path, self._size, self._rate = path, size, whole_rate(fps)
        self._last_tick = -1
        self._time_s = -1 / fps
        self.frames = 0
        self.notes: list[str] = []
        self._output: Output | None = None
        kind = check_target(path, sound_from)
        try:
            with undisturbed():
                self._output = open_output(part_of(path), kind, even(size), self._rate, sound_from)
        except (FFmpegError, OSError, ValueError) as error:
            with contextlib.suppress(OSError):
                part_of(path).unlink()
            raise cannot_write(path, reason(error)) from error
        except BaseException:
            self.close(keep=False)
            raise
        self.notes = self._output.notes

    def write(self, picture: Picture, time_s: float | None = None) -> None:
        """Add a picture, uint8 [height, width, 3] RGB of the sink's size, shown from `time_s` on.

        Without a time it follows the last picture at the frame rate. A time that does not increase
        is moved by a tick of the clock.
        """
        assert picture.shape == (*self._size, 3), picture.shape
        assert self._output is not None, "the sink is closed"
        self._time_s = self._time_s + 1 / float(self._rate) if time_s is None else time_s
        self._last_tick = max(self._last_tick + 1, round(Fraction(self._time_s) / TICK_S))
        frame = VideoFrame.from_ndarray(padded(picture), "rgb24")
        try:
            with undisturbed():
                self._output.write(frame, self._last_tick)
                self.frames += 1
        except (FFmpegError, OSError) as error:
            raise cannot_write(self._path, reason(error)) from error

    def close(self, *, keep: bool = True) -> None:
        """Finish and rename the video; or remove it, unless `keep`, or if it has no frames."""
        output, self._output = self._output, None
        if output is None:
            return
        part = part_of(self._path)
        keep = keep and self.frames > 0
        with undisturbed():
            try:
                try:
                    if keep:
                        output.finish(self._last_tick * TICK_S + 1 / self._rate)
                finally:
                    output.close()
                if keep:
                    part.replace(self._path)
            except (FFmpegError, OSError) as error:
                if keep:
                    raise cannot_write(self._path, reason(error)) from error
            finally:
                part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(keep=kind is None or issubclass(kind, KeyboardInterrupt))


def whole_rate(fps: float) -> Fraction:
    """Return `fps` as a fraction of small numbers: 29.97 as 30000/1001."""
    return Fraction(fps).limit_denominator(1001) or Fraction(1, 1001)


def even(size: Size) -> Size:
    """Return `size` with both numbers even: the codecs store one colour for 2x2 pixels."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def padded(picture: Picture) -> Picture:
    """Return a picture of even size, its last row and column repeated: no pixel is lost."""
    below, right = picture.shape[0] % 2, picture.shape[1] % 2
    if not (below or right):
        return picture
    return np.pad(picture, ((0, below), (0, right), (0, 0)), mode="edge")


class MaskSink:
    """A folder of masks as PNGs of palette indices: `00000.png`, `00001.png`, ...

    palette: uint8 [n, 3], the colour of each index. The folder is created if it is missing. Raises
    `SettingError` where that fails, and where it contains PNGs: those of a longer video would stay.
    """

    def __init__(self, folder: Path, palette: npt.NDArray[np.uint8]) -> None:
        assert palette.shape == (len(palette), 3), palette.shape
        self._folder, self._palette = folder, palette
        self.frames = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            count = sum(1 for _ in folder.glob("*.png"))
        except OSError as error:
            raise cannot_write(folder, reason(error)) from error
        if count:
            raise SettingError(
                f"{folder} contains {count} PNG file{'s' * (count != 1)}, which would be mixed "
                "with the new masks. Remove them, or use another folder."
            )

    def write(self, mask: npt.NDArray[np.uint8]) -> None:
        """Add a mask, uint8 [height, width], of indices into the palette."""
        assert mask.ndim == 2, mask.shape
        assert int(mask.max()) < len(self._palette), mask.max()
        image = Image.fromarray(mask)
        image.putpalette(self._palette.tobytes())
        file = self._folder / f"{self.frames:05d}.png"
        try:
            with undisturbed():
                image.save(file)
                self.frames += 1
        except OSError as error:
            file.unlink(missing_ok=True)
            raise cannot_write(self._folder, reason(error)) from error
