"""Pictures, the cache of decoded ones, and videos."""

import functools
import gc
import io
import itertools
import json
import os
import random
import shutil
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from jejunet_nas.media.frames import ReadingEndedError
from tests.fuzz.attempt import Parser
from tests.fuzz.makers import of_bytes, of_values, put

_GREY = ("L", "P", "I;16", "1")
_FORMATS = (
    *((mode, "PNG") for mode in ("RGB", "RGBA", *_GREY)),
    *(("RGB", "JPEG"), ("CMYK", "JPEG"), ("RGB", "WEBP"), ("RGB", "BMP"), ("P", "BMP")),
    *(("RGB", "TIFF"), ("I;16", "TIFF"), ("F", "TIFF"), ("P", "TIFF")),
)
_WRITTEN_NS = 1_700_000_000_000_000_000  # when the cache's files are said to be written
_MOST_FRAMES = 200  # that are read of one video
_CLIP, _PHOTO = (1, 8, 8, 3), (1, 8, 8)


@functools.cache
def _pictures() -> tuple[bytes, ...]:
    from PIL import Image

    rng = np.random.default_rng(0)
    plain = Image.fromarray(rng.integers(0, 3, (16, 24, 3)).astype(np.uint8))
    grey = Image.fromarray(rng.integers(0, 3, (16, 24)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    made = []
    for mode, kind in _FORMATS:
        image = (grey if mode in _GREY else plain).convert(mode)
        made += [_saved(image, kind), _saved(image, kind, exif=exif)] if kind != "BMP" else []
        made += [_saved(image, "BMP")] if kind == "BMP" else []
    deflated = _saved(plain, "TIFF", compression="tiff_adobe_deflate")
    return (*made, deflated, _saved(plain, "JPEG", progressive=True))


def _saved(image: Any, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _picture(data: bytes, folder: Path) -> None:
    from jejunet_nas.datasets.clip_files import mask_code, picture_size, read_frame, read_mask

    file = put(folder, "p.png", data)
    height, width = picture_size(file)
    read_frame(file, (min(height, 64), min(width, 64)))
    read_mask(file, mask_code({0: 0, 1: 1, 2: 2, 255: 255}, fix="Fix it."))


def _frame(data: bytes, folder: Path) -> None:
    from jejunet_nas.errors import DataError
    from jejunet_nas.images.read import picture_size, read_rgb, read_values

    file = put(folder, "p.png", data)
    size, picture = picture_size(file), read_rgb(file)
    assert (picture.shape, picture.dtype) == ((*size, 3), np.uint8)
    assert read_values(file, colours_as_grey=True).shape == size
    assert read_rgb(file, at_least=(4, 4)).ndim == 3
    try:
        read_values(file)
    except DataError:
        assert picture.size  # a mask may not have colours


def _frames(data: bytes, folder: Path) -> None:
    from jejunet_nas.media.source import open_source

    put(folder, "p.png", data)
    for _ in open_source(folder).frames:
        pass


def _npy(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(shape, np.uint8))
    return file.getvalue()


def _place(shape: tuple[int, ...]) -> list[Any]:
    pixels = bytes(int(np.prod(shape[1:])))
    return [len(_npy(shape)) - len(pixels), list(shape), [zlib.crc32(pixels)]]


def _clip_content() -> dict[str, Any]:
    return {"frames.npy": _place(_CLIP), "masks.npy": _place(_PHOTO), "classes": [0]}


def _index_of(content: Any, files: dict[str, bytes]) -> dict[str, Any]:
    """Return the index of `files`, without its check."""
    states = {name: [len(data), _WRITTEN_NS] for name, data in files.items()}
    return {"content": content, "files": states}


def _clip_files() -> dict[str, bytes]:
    return {"frames.npy": _npy(_CLIP), "masks.npy": _npy(_PHOTO)}


def _photo_files() -> dict[str, bytes]:
    return {"pictures.bin": bytes(8 * 8 * 4)}


def _photo_content() -> list[Any]:
    return [[0, 8, 8, 8, 8, [zlib.crc32(bytes(192)), zlib.crc32(bytes(64))], [0]]]


def _put_cache(folder: Path, files: dict[str, bytes], index: bytes) -> None:
    """Write the files of a cache, and an index with a right check, so that its values are used."""
    from jejunet_nas.datasets.index import _check

    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        os.utime(put(folder, name, data), ns=(_WRITTEN_NS, _WRITTEN_NS))
    try:
        plain = json.loads(index)
        text = json.dumps({**plain, "check": _check(plain)}) if isinstance(plain, dict) else index
    except (ValueError, RecursionError):
        text = index
    put(folder, "index.json", text if isinstance(text, bytes) else text.encode())


def _open(entry: Any) -> Iterable[Any]:
    """Open a folder of the cache as the cache does: what is damaged is made again."""
    from jejunet_nas.datasets.write_once import _open

    return _open(entry) or ()


def _use(clips: Iterable[Any]) -> None:
    for clip in clips:
        for pictures in (clip.frames, clip.masks):
            assert pictures[0].shape == pictures.shape[1:]
            assert len(pictures[:]) == len(pictures)


def _clip_entry(folder: Path) -> Any:
    from jejunet_nas.datasets.clip_files import ClipFiles, Storage, mask_code
    from jejunet_nas.datasets.stored import StoredClip

    code = mask_code({0: 0}, fix="Fix it.")
    files = ClipFiles(name="a", frames=(folder / "x",), masks=(None,), mask_code=code, fps=24.0)
    return StoredClip(files=[files], folder=folder, storage=Storage())


def _cached_file(data: bytes, folder: Path) -> None:
    files = {**_clip_files(), "frames.npy": data}
    index = json.dumps(_index_of(_clip_content(), files)).encode()
    _put_cache(folder / "clip", files, index)
    _use(_open(_clip_entry(folder / "clip")))


def _clip_index(data: bytes, folder: Path) -> None:
    _put_cache(folder / "clip", _clip_files(), data)
    _use(_open(_clip_entry(folder / "clip")))


def _photo_index(data: bytes, folder: Path) -> None:
    from jejunet_nas.datasets.camera import Motion
    from jejunet_nas.datasets.clip_files import Storage, mask_code, photo_files
    from jejunet_nas.datasets.stored import StoredPhotos

    place = folder / "photos"
    _put_cache(place, _photo_files(), data)
    photo = photo_files(place / "x.jpg", place / "x.png", mask_code({0: 0}, fix="Fix it."))
    for motion in (Motion(frames=1), Motion(frames=2)):
        entry = StoredPhotos(files=[photo], folder=place, storage=Storage(), motion=motion)
        _use(_open(entry))


def _small_index(data: bytes, folder: Path) -> None:
    from jejunet_nas.datasets.input_frames import _Resized
    from jejunet_nas.datasets.pictures import StoredPictures

    place = folder / "small"
    _put_cache(place, {"frames.bin": bytes(48)}, data)
    source = StoredPictures(folder / "x", 0, (1, 8, 8, 3))
    for pictures in _open(_Resized(folder=place, copies=[(source, (4, 4))])):
        assert pictures[0].shape == (4, 4, 3)


def _videos() -> tuple[bytes, ...]:
    return (
        _film("mp4", "libx264", sound="aac"),
        _film("webm", "libvpx-vp9", sound="libopus"),
        _film("mov", "mjpeg", "yuvj420p"),
        _film("avi", "mpeg4"),
        _film("matroska", "ffv1"),
        _film("gif", "gif", "rgb8"),
    )


def _film(form: str, codec: str, pixels: str = "yuv420p", sound: str | None = None) -> bytes:
    """Return a film of four frames of 32 x 32 pixels; the same one each time."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=form, options={"fflags": "+bitexact"}) as film:
        video = film.add_stream(codec, rate=10)
        video.width = video.height = 32
        video.pix_fmt = pixels
        track = film.add_stream(sound, rate=48_000, layout="mono") if sound else None
        for number in range(4):
            picture = np.full((32, 32, 3), 60 * number, np.uint8)
            film.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        film.mux(video.encode())
        if track is not None:
            form = track.codec_context.format.name
            resampler = av.AudioResampler(form, "mono", 48_000, track.codec_context.frame_size)
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 19_200), np.int16), "s16", "mono")
            wave.rate, wave.pts = 48_000, 0
            for chunk in [*resampler.resample(wave), *resampler.resample(None)]:
                film.mux(track.encode(chunk))
            film.mux(track.encode())
    return file.getvalue()


def _video(data: bytes, folder: Path) -> None:
    """Read a video as `segment` does, and write the first frames with its sound."""
    from jejunet_nas.media.sink import VideoSink
    from jejunet_nas.media.source import open_source

    gc.collect(1)  # PyAV's closed files keep their threads until then
    file = put(folder, "in.video", data)
    with open_source(file) as source:
        small = source.size if max(source.size) <= 128 else (16, 16)
        with VideoSink(folder / "out.mp4", small, source.fps, file) as sink:
            for frame in itertools.islice(source, _MOST_FRAMES):
                assert frame.picture.shape == (*source.size, 3)
                if sink.frames < 8:
                    sink.write(frame.picture[: small[0], : small[1]], frame.time_s)


def _load_video(_: Path) -> None:
    import av

    import jejunet_nas.media.sink
    import jejunet_nas.media.source  # noqa: F401

    av.logging.set_level(None)


def _flat_index(rng: random.Random) -> bytes:
    files = {"frames.bin": bytes(48)}
    return of_values(_index_of([zlib.crc32(bytes(48))], files))(rng)


def parsers() -> list[Parser]:
    """Return the parsers of pictures and videos."""
    clip = _index_of(_clip_content(), _clip_files())
    photo = _index_of(_photo_content(), _photo_files())
    ended = (ReadingEndedError,)
    return [
        Parser(
            name="video", make=of_bytes(_videos), feed=_video, prepare=_load_video, seconds=20.0
        ),
        Parser(name="training picture", make=of_bytes(_pictures), feed=_picture, share=1.5),
        Parser(name="picture", make=of_bytes(_pictures), feed=_frame, share=1.5),
        Parser(
            name="picture folder", make=of_bytes(_pictures), feed=_frames, allowed=ended, share=0.7
        ),
        Parser(name="cached pictures", make=of_bytes(lambda: (_npy(_CLIP),)), feed=_cached_file),
        Parser(name="cached clip", make=of_values(clip), feed=_clip_index),
        Parser(name="cached photos", make=of_values(photo), feed=_photo_index),
        Parser(name="cached small frames", make=_flat_index, feed=_small_index, share=0.5),
    ]
