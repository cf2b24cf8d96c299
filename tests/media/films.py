"""Tiny films for tests: 64x48 pixels, a colour ramp in each frame."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
HEIGHT, WIDTH, FRAMES, FPS = 48, 64, 20, 10
CLICK_S, CLICK_FRAME = 1.0, 10  # where a film with sound flashes and clicks
LOSSLESS = {"codec": "libx264rgb", "pix_fmt": "rgb24", "options": {"qp": "0"}}
_FINE_HZ = 60_000
_MATRIX_AT = 44  # bytes after the letters tkhd, in its version 0


def ramp(number: int, height: int = HEIGHT, width: int = WIDTH) -> Picture:
    """Return a picture that is itself in one of the eight orientations only."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 250, width, dtype=np.uint8)
    picture[..., 1] = np.linspace(0, 120, height, dtype=np.uint8)[:, None]
    picture[..., 2] = 10 * number % 256
    return picture


def write_film(
    path: Path,
    pictures: Sequence[Picture] | None = None,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    times: Sequence[float] | None = None,
    pixel_aspect: Fraction | None = None,
    sound: str | None = None,
    rate: int = 48_000,
    form: str | None = None,
) -> Path:
    """Write a film; `sound` names a codec, which clicks at `CLICK_S` and outlasts the pictures."""
    pictures = [ramp(n) for n in range(FRAMES)] if pictures is None else pictures
    faststart = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", format=form, container_options=faststart) as film:
        video = film.add_stream(codec, rate=FPS, options=options or {})
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = pix_fmt
        if times is not None:
            video.codec_context.time_base = Fraction(1, _FINE_HZ)
        if pixel_aspect is not None:
            video.codec_context.sample_aspect_ratio = pixel_aspect
        track = film.add_stream(sound, rate=rate, layout="mono") if sound else None
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            if times is not None:
                frame.pts = round(times[number] * _FINE_HZ)
                frame.time_base = Fraction(1, _FINE_HZ)
            film.mux(video.encode(frame))
        film.mux(video.encode())
        if track is not None:
            _write_click(film, track, rate, len(pictures) / FPS + 1)
    return path


def _write_click(film: av.container.OutputContainer, track, rate: int, lasts_s: float) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    wave = np.zeros((1, int(lasts_s * rate)), np.int16)
    click = np.arange(rate // 50)
    wave[0, int(CLICK_S * rate) + click] = 20_000 * np.sin(click * 0.4)
    whole = av.AudioFrame.from_ndarray(wave, "s16", "mono")
    whole.rate, whole.pts, whole.time_base = rate, 0, Fraction(1, rate)
    size = track.codec_context.frame_size or 1024
    resampler = av.AudioResampler(track.format, track.layout, rate, frame_size=size)
    for chunk in [*resampler.resample(whole), *resampler.resample(None)]:
        film.mux(track.encode(chunk))
    film.mux(track.encode())


def write_flash(path: Path, *, codec: str, sound: str, options: dict[str, str]) -> Path:
    """Write a black film that flashes white when it clicks."""
    pictures = [np.zeros((HEIGHT, WIDTH, 3), np.uint8) for _ in range(FRAMES)]
    pictures[CLICK_FRAME] += 255
    return write_film(path, pictures, codec=codec, sound=sound, options=options)


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Patch a, b, c, d into the track header of an mp4, as phones write them."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + _MATRIX_AT
    a, b, c, d = (65_536 * value for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def read_back(path: Path) -> tuple[list[float], list[Picture]]:
    """Return the times and pictures of a film, read by nothing of ours."""
    with av.open(str(path)) as film:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]
    return [time for time, _ in frames], [np.asarray(picture, np.uint8) for _, picture in frames]


def sound_of(path: Path) -> tuple[str, npt.NDArray[np.float64], int]:
    """Return the codec of a film's sound, its wave from time 0 on, and its rate."""
    with av.open(str(path)) as film:
        track = film.streams.audio[0]
        rate = track.codec_context.sample_rate
        resampler = av.AudioResampler("s16", "mono", rate)
        wave = np.zeros(10 * rate)
        end = 0
        for frame in film.decode(track):
            for chunk in resampler.resample(frame):
                values = chunk.to_ndarray()[0]
                start = round(float(chunk.pts * chunk.time_base) * rate)
                end = start + len(values)
                wave[max(0, start) : end] = values[max(0, -start) :]
        return track.codec_context.codec.canonical_name, wave[:end], rate
