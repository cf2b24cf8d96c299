import itertools
import os
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.media.decode import Decoder
from jejunet_nas.media.frames import ReadingEndedError
from jejunet_nas.media.source import open_source
from tests.media.films import (
    FPS,
    FRAMES,
    HEIGHT,
    LOSSLESS,
    WIDTH,
    ramp,
    turn,
    write_film,
)

VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
NOISE = [
    np.random.default_rng(n).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for n in range(FRAMES)
]


def test_a_film_gives_its_frames_in_order_and_what_is_known_of_it(tmp_path: Path) -> None:
    path = write_film(tmp_path / "walk.mp4", **LOSSLESS)

    with open_source(path) as source:
        frames = list(source)

    assert (source.name, source.fps, source.frame_count) == (str(path), FPS, FRAMES)
    assert (source.size, source.trouble) == ((HEIGHT, WIDTH), None)
    assert [frame.time_s for frame in frames] == pytest.approx([n / FPS for n in range(FRAMES)])
    for number, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.picture, ramp(number))


@pytest.mark.parametrize(
    ("suffix", "codec", "sound"),
    [
        (".avi", "mpeg4", "pcm_s16le"),
        (".webm", "libvpx-vp9", "libopus"),
        (".mkv", "libx264", "libopus"),
        (".mov", "mpeg4", "pcm_s16le"),
        (".ts", "libx264", "aac"),
    ],
)
def test_every_common_container_starts_at_0(
    suffix: str, codec: str, sound: str, tmp_path: Path
) -> None:
    path = write_film(tmp_path / f"walk{suffix}", codec=codec, sound=sound)

    with open_source(path) as source:
        times = [frame.time_s for frame in source]

    assert source.trouble is None
    assert source.fps == FPS
    assert source.frame_count in (FRAMES, None)
    assert times == pytest.approx([n / FPS for n in range(FRAMES)], abs=0.002)  # Matroska: ms


@pytest.mark.parametrize(
    ("matrix", "seen"),
    [
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),  # a phone held upright
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),  # a mirrored selfie
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    ],
)
def test_a_phones_film_is_turned_upright(
    matrix: tuple[int, int, int, int], seen: Any, tmp_path: Path
) -> None:
    path = turn(write_film(tmp_path / "walk.mp4", **LOSSLESS), matrix)

    with open_source(path) as source:
        first = next(iter(source))

    np.testing.assert_array_equal(first.picture, seen(ramp(0)))
    assert source.size == first.picture.shape[:2]


@pytest.mark.parametrize(("aspect", "size"), [("2", (48, 128)), ("2/3", (72, 64)), ("9", (48, 64))])
def test_pixels_are_made_square_by_stretching_their_short_side(
    aspect: str, size: tuple[int, int], tmp_path: Path
) -> None:
    path = write_film(tmp_path / "dvd.mp4", **LOSSLESS, pixel_aspect=Fraction(aspect))

    with open_source(path) as source:
        picture = next(iter(source)).picture

    assert source.size == picture.shape[:2] == size
    assert abs(picture[0, -1].astype(int) - ramp(0)[0, -1]).max() <= 2  # bilinear, at the rim


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt", "off"),
    [
        (".mp4", "libx264", "yuv420p10le", 12),  # colour at half the resolution, and lossy
        (".mp4", "libx264", "yuvj420p", 12),
        (".mkv", "ffv1", "bgra", 0),
        (".mkv", "ffv1", "gray", None),
        (".mkv", "ffv1", "gbrp16le", 1),
    ],
)
def test_ten_bits_alpha_and_grey_become_rgb(
    suffix: str, codec: str, pix_fmt: str, off: int | None, tmp_path: Path
) -> None:
    options = {"crf": "1"} if codec == "libx264" else {}
    path = write_film(tmp_path / f"walk{suffix}", codec=codec, pix_fmt=pix_fmt, options=options)

    with open_source(path) as source:
        picture = next(iter(source)).picture.astype(int)

    assert picture.shape == (HEIGHT, WIDTH, 3)
    if off is None:
        assert (picture == picture[..., :1]).all()
    else:
        assert abs(picture - ramp(0)).max() <= off


def test_odd_sizes_lose_no_pixel(tmp_path: Path) -> None:
    pictures = [ramp(n, 47, 63) for n in range(3)]
    path = write_film(tmp_path / "odd.mkv", pictures, codec="ffv1", pix_fmt="bgr0")

    with open_source(path) as source:
        np.testing.assert_array_equal([frame.picture for frame in source], pictures)


def test_colours_are_read_by_the_matrix_that_the_file_notes(tmp_path: Path) -> None:
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[..., 0] = 255
    path = tmp_path / "hd.mp4"
    with av.open(str(path), "w") as film:
        video = film.add_stream("libx264", rate=FPS, options={"crf": "0"})
        video.height, video.width, video.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        video.codec_context.colorspace = 1  # BT.709
        frame = av.VideoFrame.from_ndarray(red, "rgb24")
        film.mux(video.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        film.mux(video.encode())

    with open_source(path) as source:
        picture = next(iter(source)).picture.astype(int)

    assert abs(picture - red).max() <= 2  # BT.601 would be 23 off in green


def test_a_stream_that_switches_its_size_is_resized_to_its_first(tmp_path: Path) -> None:
    parts = [
        write_film(tmp_path / f"{size[0]}.h264", [ramp(n, *size) for n in range(4)], form="h264")
        for size in ((48, 64), (96, 128))
    ]
    path = tmp_path / "call.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))

    with open_source(path) as source:
        frames = list(source)

    assert {frame.picture.shape for frame in frames} == {(48, 64, 3)}
    assert len(frames) == 8
    assert abs(frames[-1].picture.astype(float) - ramp(3)).mean() < 3  # lossy, and scaled
    times = [frame.time_s for frame in frames]  # a raw stream has none
    assert times == pytest.approx([n / source.fps for n in range(8)])


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0, 0.1, 0.2, 0.5, 0.6, 0.65, 0.9, 1.0, 1.7, 1.75]
    path = write_film(tmp_path / "phone.mp4", [ramp(n) for n in range(10)], times=times)

    with open_source(path) as source:
        assert [frame.time_s for frame in source] == pytest.approx(times, abs=1e-4)

    assert source.trouble is None


@pytest.fixture(scope="module")
def noisy_films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films whose frames are about as many bytes each, so that half a film is half a file."""
    folder = tmp_path_factory.mktemp("noisy")
    write_film(folder / "walk.mp4", NOISE, options={"preset": "ultrafast"})
    write_film(folder / "walk.avi", NOISE, codec="mpeg4")
    fast = {"deadline": "realtime", "cpu-used": "8"}
    write_film(folder / "walk.webm", NOISE, codec="libvpx-vp9", options=fast)
    return folder


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("name", ["walk.mp4", "walk.avi", "walk.webm"])
def test_a_film_that_breaks_off_gives_what_there_is_and_says_how_much(
    name: str, share: float, noisy_films: Path, tmp_path: Path
) -> None:
    with open_source(noisy_films / name) as source:
        whole = [frame.picture for frame in source]
    content = (noisy_films / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(share * len(content))])

    with open_source(path) as source:
        read = [frame.picture for frame in source]

    assert 1 <= len(read) <= share * FRAMES + 2
    np.testing.assert_array_equal(read[:-1], whole[: len(read) - 1])  # the last may be half there
    were = "frame was" if len(read) == 1 else "frames were"
    assert source.trouble is not None
    assert source.trouble.startswith(f"{path} breaks off after ")
    assert source.trouble.endswith(f"{len(read)} {were} read.")
    assert "\n" not in source.trouble


class TornFilm:
    """A film that cannot be read beyond ten packets, as a disk or a network that fails."""

    def __init__(self, film: av.container.InputContainer) -> None:
        self.format, self.streams, self.duration = film.format, film.streams, film.duration
        self._film = film

    def demux(self, stream: av.VideoStream) -> Iterator[av.Packet]:
        yield from itertools.islice(self._film.demux(stream), 10)
        raise av.error.OSError(5, "Input/output error")


def test_a_disk_error_is_reported_after_the_frames_that_were_decoded_before(
    noisy_films: Path,
) -> None:
    with av.open(str(noisy_films / "walk.mp4")) as film:
        torn: Any = TornFilm(film)
        decoder = Decoder(container=torn, stream=film.streams.video[0], fix="try again.")
        frames = decoder.frames()
        read = [next(frames) for _ in range(10)]

        with pytest.raises(
            ReadingEndedError, match=r"after 1\.0 of 2\.0 s \(Input/output error\); try again\."
        ):
            next(frames)

    assert len(read) == 10


def test_a_packet_that_is_damaged_is_skipped_and_counted(tmp_path: Path) -> None:
    path = write_film(tmp_path / "walk.mp4", NOISE, options={"g": "1"})
    with av.open(str(path)) as film:
        packet = [packet for packet in film.demux(video=0) if packet.size][7]
        position, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[position : position + size] = bytes(size)
    path.write_bytes(data)

    with open_source(path) as source:
        read = list(source)

    assert len(read) == FRAMES - 1
    assert source.trouble is not None
    assert "is damaged: 1 packet could not be decoded; " in source.trouble
    assert source.trouble.endswith("19 frames were read.")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp4", b""),
        ("page.mp4", b"<html>Not found</html>\n" * 99),
        ("notes.txt", b"hello\n" * 99),  # FFmpeg would draw it as letters
        ("noise.m4v", np.random.default_rng(0).bytes(20_000)),  # taken for a raw stream
        ("noise.bin", np.random.default_rng(0).bytes(20_000)),
    ],
)
def test_what_is_no_video_is_named_and_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(DataError, match=rf"{name} cannot be read as a video .*Copy or "):
        open_source(path)


def test_a_film_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_film(tmp_path / "walk.mp4")
    path.write_bytes(path.read_bytes()[:300])

    with pytest.raises(DataError, match=r"walk\.mp4 (cannot be read as a video|has no video)"):
        open_source(path)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    with wave.open(str(path), "wb") as song:
        song.setparams((1, 2, 8000, 0, "NONE", ""))
        song.writeframes(bytes(16_000))

    with pytest.raises(DataError, match=r"song\.wav has no video stream, only sound\. Use a"):
        open_source(path)


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as song:
        sound = song.add_stream("aac", rate=48_000, layout="mono")
        cover = song.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = HEIGHT, WIDTH, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.rate = 48_000
        song.mux(cover.encode(av.VideoFrame.from_ndarray(ramp(0), "rgb24")))
        song.mux([*cover.encode(), *sound.encode(silence), *sound.encode()])

    with pytest.raises(DataError, match="has no video stream, only sound"):
        open_source(path)


def test_a_path_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    write_film(tmp_path / "walking.mp4", [ramp(0)])

    with pytest.raises(SettingError, match=r"walkin\.mp4 does not exist\. .*mean walking\.mp4\?"):
        open_source(tmp_path / "walkin.mp4")


def test_a_name_with_a_colon_is_no_network_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_film(tmp_path / "walk.mp4", [ramp(0)]).rename(tmp_path / "http:walk.mp4")
    monkeypatch.chdir(tmp_path)

    with open_source("http:walk.mp4") as source:
        assert len(list(source)) == 1


def test_a_pipe_is_not_said_to_be_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "walking.mp4")

    with pytest.raises(
        SettingError, match=r"walking\.mp4 is a pipe or a device\. Use a video file"
    ):
        open_source(tmp_path / "walking.mp4")


def test_a_source_that_is_left_early_and_closed_gives_no_more(tmp_path: Path) -> None:
    with open_source(write_film(tmp_path / "walk.mp4")) as source:
        next(iter(source))
        next(iter(source))

    assert list(source) == []
    assert (source.frames_read, source.trouble) == (2, None)


@pytest.mark.skipif(not VTEST.exists(), reason="opencv-doc, which holds this film, is not there")
def test_a_real_film_is_read_to_its_end() -> None:
    with open_source(VTEST) as source:
        times = [frame.time_s for frame in source]

    assert source.size == (576, 768)
    assert len(times) == source.frame_count == 795
    assert times[-1] == pytest.approx(79.4)
    assert source.trouble is None
