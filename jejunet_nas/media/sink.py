"""Where segmented frames go: a video file, or a folder of masks.

    with VideoSink(Path("out.mp4"), source.size, source.fps, Path("in.mp4")) as sink:
        for frame in source:
            sink.write(draw(frame.picture), frame.time_s)

Units: times in seconds; sizes are (height, width) in pixels.
"""

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
from jejunet_nas.media.containers import check_target, part_of
from jejunet_nas.media.decode import reason
from jejunet_nas.media.frames import Picture, Size
from jejunet_nas.media.interrupts import undisturbed
from jejunet_nas.media.output import Output, open_output

_FINEST_HZ = 65_535  # of a clock: MPEG-4 counts time in no finer steps


class VideoSink:
    """A video file, written beside its name (`out.part.mp4`) and renamed when it is whole.

    As a context it keeps the video at the block's end and on Ctrl-C, when what was written so far
    is closed properly and worth having; any other exception leaves nothing, and a file that was
    there stays as it was. `notes` says what became of the sound, and of times that do not fit.
    """

    def __init__(self, path: Path, size: Size, fps: float, sound_from: Path | None = None) -> None:
        """Open the file; raises `SettingError` where it cannot be written (see `check_target`).

        `sound_from`: the video whose sound is kept, if it has any, up to the last frame.
        """
        if not (math.isfinite(fps) and 0 < fps <= 1000):
            raise SettingError(f"fps is {fps}; allowed: above 0, to 1000. Use 25.")
        assert min(size) > 0, size
        self._path, self._size = path, size
        self._kind = check_target(path, sound_from)
        self._rate = whole_rate(fps)
        finer = 1 if self._kind.constant_rate else max(1, _FINEST_HZ // self._rate.numerator)
        frame_ticks = 1 if self._kind.constant_rate else self._rate.denominator * finer
        self._tick = 1 / (self._rate * frame_ticks)
        self._last_tick = -1
        self._time_s = -1 / fps
        self._moved = 0
        self.frames = 0
        self.notes: list[str] = []
        self._output: Output | None = None
        try:
            with undisturbed():
                self._output = open_output(
                    part_of(path), self._kind, even(size), self._rate, self._tick, sound_from
                )
        except (FFmpegError, OSError, ValueError) as error:
            part_of(path).unlink(missing_ok=True)
            raise self._cannot_write(error) from error
        except BaseException:
            self.close(keep=False)
            raise
        self.notes += self._output.notes

    def write(self, picture: Picture, time_s: float | None = None) -> None:
        """Add a picture, uint8 [height, width, 3] RGB of the sink's size, seen from `time_s` on.

        Without a time it follows the last at the frame rate. Times go up; one that does not, or in
        an .avi one whose place is taken, is moved to the next free place.
        """
        assert picture.shape == (*self._size, 3), picture.shape
        assert self._output is not None, "the sink is closed"
        self._time_s = self._time_s + 1 / float(self._rate) if time_s is None else time_s
        wanted = round(Fraction(self._time_s) / self._tick)
        tick = max(self._last_tick + 1, wanted)
        self._moved += tick != wanted
        self._last_tick = tick
        frame = VideoFrame.from_ndarray(padded(picture), "rgb24")
        try:
            with undisturbed():
                self._output.write(frame, tick, self._tick)
                self.frames += 1
        except (FFmpegError, OSError) as error:
            raise self._cannot_write(error) from error

    def close(self, *, keep: bool = True) -> None:
        """Finish the video and give it its name; or remove it, unless `keep`, or if it is empty."""
        output, self._output = self._output, None
        if output is None:
            return
        part = part_of(self._path)
        keep = keep and self.frames > 0
        with undisturbed():
            try:
                try:
                    if keep:
                        output.finish(self._last_tick * self._tick + 1 / self._rate)
                finally:
                    output.close()
                if keep:
                    part.replace(self._path)
            except (FFmpegError, OSError) as error:
                if keep:
                    raise self._cannot_write(error) from error
            finally:
                part.unlink(missing_ok=True)
            self.notes = output.notes + self._time_notes()

    def _time_notes(self) -> list[str]:
        if not self._moved:
            return []
        return [
            f"{self._moved} of {self.frames} frames were moved in time: {self._kind.suffix} takes "
            f"one every {1000 * float(self._tick):.3g} ms at most."
        ]

    def _cannot_write(self, error: BaseException) -> SettingError:
        return SettingError(
            f"{self._path} cannot be written ({reason(error)}); expected: a folder with room for a "
            "video. Free some room, or give another folder."
        )

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
    """Return `fps` as encoders count: 29.97 as 30000/1001, and no more than 65535 above."""
    rates = (Fraction(fps).limit_denominator(most) for most in (1001, 500, 65))
    return next((rate for rate in rates if 0 < rate.numerator <= _FINEST_HZ), Fraction(1, 1001))


def even(size: Size) -> Size:
    """Return `size` with both numbers even: the codecs store one colour for 2x2 pixels."""
    return size[0] + size[0] % 2, size[1] + size[1] % 2


def padded(picture: Picture) -> Picture:
    """Return a picture of even size, its last row and column repeated: no pixel is lost."""
    height, width = picture.shape[:2]
    if even((height, width)) == (height, width):
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


class MaskSink:
    """A folder of masks as PNGs of palette indices: `00000.png`, `00001.png`, ...

    palette: uint8 [n, 3], the colour of each index. The folder is made if need be; raises
    `SettingError` where that fails, and where it holds PNGs: those of a longer video would remain.
    """

    def __init__(self, folder: Path, palette: npt.NDArray[np.uint8]) -> None:
        assert palette.ndim == 2, palette.shape
        assert palette.shape[1] == 3, palette.shape
        assert 0 < len(palette) <= 256, palette.shape
        self._folder, self._palette = folder, palette
        self.frames = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = sum(1 for _ in folder.glob("*.png"))
        except OSError as error:
            raise self._cannot_write(error) from error
        if held:
            raise SettingError(
                f"{folder} holds {held} PNG{'s' * (held != 1)}; allowed: a folder without. Remove "
                "them, or give another folder."
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
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: BaseException) -> SettingError:
        return SettingError(
            f"{self._folder} cannot be written ({reason(error)}); expected: a folder with room for "
            "masks. Free some room, or give another folder."
        )
