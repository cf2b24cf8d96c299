"""Outputs of segmented frames: a video file with the sound of their source, a folder of masks.

    with VideoSink(Path("out.mp4"), source.size, source.fps, Path("in.mp4")) as sink:
        for frame in source:
            sink.write(draw(frame.picture), frame.time_s)

Units: times in seconds; sizes are (height, width) in pixels.
"""

import contextlib
import math
from fractions import Fraction
from pathlib import Path
from typing import Self, cast

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from jejunet_nas.errors import SettingError
from jejunet_nas.media.containers import (
    ContainerKind,
    check_target,
    part_of,
    undisturbed,
    writing,
)
from jejunet_nas.media.decode import reason
from jejunet_nas.media.frames import Picture, Size
from jejunet_nas.media.sound import SoundTrack, open_sound
from jejunet_nas.records.words import counted

_TICK_S = Fraction(1, 120_000)  # whole ticks at 24, 25, 30, 50 and 60 fps, and at 1000/1001 of it
_BT709, _LIMITED = 1, 1  # FFmpeg's numbers for HD colours, and for luma from 16 to 235
_STORED = "yuv420p"


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
        self._kind = check_target(path, sound_from)
        self._last_tick = -1
        self._time_s = -1 / fps
        self._sound = open_sound(sound_from) if sound_from else None
        self._open = False
        self.frames = 0
        self.notes: list[str] = []
        try:
            with writing(path, part_of(path)):
                self._container, self._video = self._start()
                self._open = True
        except BaseException:
            self.close(keep=False)
            raise

    def write(self, picture: Picture, time_s: float | None = None) -> None:
        """Add a picture, uint8 [height, width, 3] RGB of the sink's size, shown from `time_s` on.

        Without a time it follows the last picture at the frame rate. A time that does not increase
        is moved by a tick of the clock.
        """
        assert picture.shape == (*self._size, 3), picture.shape
        assert self._open, "the sink is closed"
        self._time_s = self._time_s + 1 / float(self._rate) if time_s is None else time_s
        self._last_tick = max(self._last_tick + 1, round(Fraction(self._time_s) / _TICK_S))
        frame = VideoFrame.from_ndarray(padded(picture), "rgb24")
        # Players take HD for BT.709 whatever a file says, so all sizes are stored in it.
        stored = frame.reformat(format=_STORED, dst_colorspace=_BT709, dst_color_range=_LIMITED)
        stored.pts, stored.time_base = self._last_tick, _TICK_S
        with writing(self._path):
            self._container.mux(self._video.encode(stored))
            if self._sound:
                self._sound.feed(self._time_s)
            self.frames += 1

    def close(self, *, keep: bool = True) -> None:
        """Finish and rename the video; or remove it, unless `keep`, or if it has no frames."""
        was_open, self._open = self._open, False
        part = part_of(self._path)
        try:
            if was_open and keep and self.frames:
                with writing(self._path, part):
                    with contextlib.closing(self._container):
                        self._finish()
                    part.replace(self._path)
            elif was_open:
                with undisturbed(), contextlib.suppress(FFmpegError, OSError):
                    self._container.close()
                part.unlink(missing_ok=True)
        finally:
            if self._sound:
                self._sound.close()
                self.notes += self._sound.notes
                self._sound = None

    def _start(self) -> tuple[OutputContainer, VideoStream]:
        """Write the header, with the sound if the container takes it."""
        sound = self._sound
        if sound is not None:
            try:
                if sound.codec not in self._kind.sound:
                    raise ValueError(f"{self._kind.suffix} takes {', '.join(self._kind.sound)}")
                return self._with(sound)
            except (FFmpegError, ValueError) as error:
                self.notes.append(f"The sound ({sound.codec}) was left out: {reason(error)}.")
                sound.close()
                self._sound = None
        return self._with(None)

    def _with(self, sound: SoundTrack | None) -> tuple[OutputContainer, VideoStream]:
        part = str(part_of(self._path).absolute())
        container = av.open(part, "w", container_options=self._kind.options)
        try:
            video = _add_video(container, self._kind, even(self._size), self._rate)
            if sound:
                sound.copy_into(container)
            container.start_encoding()
        except BaseException:
            container.close()
            raise
        return container, video

    def _finish(self) -> None:
        """Write the frames that the encoder holds back, and the sound up to the video's end."""
        self._container.mux(self._video.encode(None))
        if self._sound:
            self._sound.feed(float(self._last_tick * _TICK_S + 1 / self._rate))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(keep=kind is None or issubclass(kind, KeyboardInterrupt))


class MaskSink:
    """A folder of masks as PNGs of palette indices, named after their frames, else `00000.png`, ...

    palette: uint8 [n, 3], the colour of each index. The folder is created if it is missing. Raises
    `SettingError` where that fails, and where it contains PNGs: those of a longer video would stay.
    """

    def __init__(self, folder: Path, palette: npt.NDArray[np.uint8]) -> None:
        assert palette.shape == (len(palette), 3), palette.shape
        self._folder, self._palette = folder, palette
        self.frames = 0
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            count = sum(1 for _ in folder.glob("*.png"))
        if count:
            raise SettingError(
                f"{folder} contains {counted(count, 'PNG file')}, which would be mixed with the "
                "new masks. Remove them, or use another folder."
            )

    def write(self, mask: npt.NDArray[np.uint8], name: str = "") -> None:
        """Add a mask, uint8 [height, width], of indices into the palette; `name`: of its frame."""
        assert int(mask.max()) < len(self._palette), mask.max()
        image = Image.fromarray(mask)
        image.putpalette(self._palette.tobytes())
        file = self._folder / f"{name or f'{self.frames:05d}'}.png"
        with writing(self._folder, file):
            image.save(file)
            self.frames += 1


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


def _add_video(
    container: OutputContainer, kind: ContainerKind, size: Size, rate: Fraction
) -> VideoStream:
    stream = container.add_stream(kind.encoder, rate=rate, options=kind.encoder_options)
    video = cast("VideoStream", stream)
    video.height, video.width = size
    video.pix_fmt = _STORED
    context = video.codec_context
    context.time_base = _TICK_S
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return video
