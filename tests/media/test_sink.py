import dataclasses
import os
import signal
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.cli.signals import ending_signals
from jejunet_nas.errors import MachineError, SettingError
from jejunet_nas.faults import ENDING
from jejunet_nas.media import containers
from jejunet_nas.media.containers import check_target
from jejunet_nas.media.sink import VideoSink, whole_rate
from jejunet_nas.media.source import open_source
from tests.media.films import FPS, FRAMES, HEIGHT, WIDTH, ramp, read_back, write_film

SIZE = (HEIGHT, WIDTH)
SUFFIXES = [".mp4", ".webm"]
# Mean over a picture: colours are stored at half the resolution, and encoders lose some more.
OFF = 3.0
UNEVEN = [0.0, 0.1, 0.2, 0.5, 0.6, 0.65, 0.9, 1.0, 1.7, 1.75]


def is_near(picture: np.ndarray, expected: np.ndarray) -> bool:
    return bool(abs(picture.astype(float) - expected).mean() < OFF)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"

    with VideoSink(path, SIZE, FPS) as sink:
        for number in range(FRAMES):
            sink.write(ramp(number))

    times, pictures = read_back(path)
    assert times == pytest.approx([n / FPS for n in range(FRAMES)], abs=0.001)
    assert all(is_near(picture, ramp(n)) for n, picture in enumerate(pictures))
    with av.open(str(path)) as film:
        assert film.duration / av.time_base == pytest.approx(FRAMES / FPS, abs=0.001)
    assert (sink.frames, sink.notes) == (FRAMES, [])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_mp4_is_h264_that_every_player_and_browser_takes(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"

    with VideoSink(path, SIZE, FPS) as sink:
        sink.write(ramp(0))

    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it starts before all of it has arrived
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frame = next(film.decode(stream))
        assert (stream.codec_context.name, frame.format.name) == ("h264", "yuv420p")
        assert (frame.colorspace, frame.color_range) == (1, 1)  # BT.709, limited: said, and so


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_strong_colours_survive_in_every_container(suffix: str, tmp_path: Path) -> None:
    colours = [(255, 0, 0), (0, 200, 0), (30, 60, 250), (180, 180, 180)]
    bars = np.repeat(np.array(colours, np.uint8)[None], 16, axis=1).repeat(HEIGHT, axis=0)

    with VideoSink(tmp_path / f"out{suffix}", SIZE, FPS) as sink:
        for _ in range(3):
            sink.write(bars)

    with open_source(tmp_path / f"out{suffix}") as source:
        picture = next(iter(source)).picture.astype(int)
    assert abs(picture[24, 8::16] - colours).max() <= 6  # the wrong matrix would be 23 off or more


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_odd_sizes_are_padded_with_their_rim_to_even_ones(suffix: str, tmp_path: Path) -> None:
    with VideoSink(tmp_path / f"out{suffix}", (47, 63), FPS) as sink:
        sink.write(ramp(3, 47, 63))

    (picture,) = read_back(tmp_path / f"out{suffix}")[1]
    assert picture.shape == (48, 64, 3)
    assert is_near(picture[:47, :63], ramp(3, 47, 63))
    assert is_near(picture[47], picture[46])
    assert is_near(picture[:, 63], picture[:, 62])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_uneven_times_are_kept(suffix: str, tmp_path: Path) -> None:
    with VideoSink(tmp_path / f"out{suffix}", SIZE, FPS) as sink:
        for number, time_s in enumerate(UNEVEN):
            sink.write(ramp(number), time_s)

    assert read_back(tmp_path / f"out{suffix}")[0] == pytest.approx(UNEVEN, abs=0.001)
    assert sink.notes == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_encoder_is_named(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = [dataclasses.replace(kind, encoder="libnone") for kind in containers.CONTAINERS]
    monkeypatch.setattr(containers, "CONTAINERS", without)

    with pytest.raises(
        SettingError, match=rf"^PyAV has no encoder libnone, which \{suffix} needs\. Install PyAV"
    ):
        VideoSink(tmp_path / f"out{suffix}", SIZE, FPS)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_times_that_do_not_increase_are_moved(suffix: str, tmp_path: Path) -> None:
    with VideoSink(tmp_path / f"out{suffix}", SIZE, FPS) as sink:
        for time_s in (0.0, 0.5, 0.5, 0.4, 0.8):
            sink.write(ramp(0), time_s)

    times, _ = read_back(tmp_path / f"out{suffix}")
    assert times == pytest.approx([0, 0.5, 0.5, 0.5, 0.8], abs=0.001)
    assert times == sorted(times)


@given(st.floats(0.01, 1000))
def test_every_rate_is_near_a_fraction_of_small_numbers(fps: float) -> None:
    rate = whole_rate(fps)

    assert 0 < rate.denominator <= 1001
    assert abs(float(rate) - fps) <= max(fps * 0.001, 0.001)


@pytest.mark.parametrize(("fps", "words"), [(29.97, "30000/1001"), (23.976, "24000/1001")])
def test_the_rates_of_television_are_whole(fps: float, words: str) -> None:
    numerator, denominator = map(int, words.split("/"))

    assert str(whole_rate(numerator / denominator)) == words
    assert float(whole_rate(fps)) == pytest.approx(fps, abs=1e-4)


@pytest.mark.parametrize("rate", ["24", "24000/1001", "25", "30000/1001", "50", "60000/1001"])
def test_usual_rates_are_stored_exactly(rate: str, tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", SIZE, float(Fraction(rate))) as sink:
        for number in range(50):
            sink.write(ramp(number % FRAMES))

    with av.open(str(tmp_path / "out.mp4")) as film:
        assert str(film.streams.video[0].average_rate) == rate


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"what was there before")
    return path


def test_an_exception_leaves_what_was_there_and_nothing_else(old_file: Path) -> None:
    def break_down() -> None:
        with VideoSink(old_file, SIZE, FPS) as sink:
            sink.write(ramp(0))
            raise ZeroDivisionError("a bug of the caller's")

    with pytest.raises(ZeroDivisionError, match="caller"):
        break_down()

    assert old_file.read_bytes() == b"what was there before"
    assert list(old_file.parent.iterdir()) == [old_file]


def test_a_video_that_cannot_be_finished_closes_the_film_that_its_sound_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "walk.mp4", sound="aac")
    sink = VideoSink(tmp_path / "out.mp4", SIZE, FPS, film)
    sink.write(ramp(0))
    track = sink._sound
    assert track is not None
    track.notes.append("torn")

    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(MachineError, match=r"out\.mp4 cannot be written: the disk is full"):
        sink.close()

    assert sink.notes == ["torn"]
    with pytest.raises(AssertionError, match="Container is not open"):
        track.source.decode(track.stream).__next__()


def test_a_video_without_frames_is_not_kept(old_file: Path) -> None:
    with VideoSink(old_file, SIZE, FPS):
        pass

    assert old_file.read_bytes() == b"what was there before"
    assert list(old_file.parent.iterdir()) == [old_file]


def test_nothing_has_the_final_name_before_the_end(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "out.mp4", SIZE, FPS) as sink:
        sink.write(ramp(0))
        assert not (tmp_path / "out.mp4").exists()
        assert (tmp_path / "out.part.mp4").exists()

    assert (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_that_ends_the_command_keeps_every_frame_that_was_written(
    number: signal.Signals, tmp_path: Path
) -> None:
    path = tmp_path / "out.mp4"
    press = threading.Timer(0.3, os.kill, (os.getpid(), number))
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)

    def film_for_ever(sink: VideoSink) -> None:
        with sink:
            sink.write(noise)
            press.start()
            stop = time.monotonic() + 10
            while time.monotonic() < stop:
                sink.write(noise)

    sink = VideoSink(path, (240, 320), FPS)
    with ending_signals(), pytest.raises(KeyboardInterrupt):
        film_for_ever(sink)
    press.join()

    assert sink.frames > 0
    assert len(read_back(path)[0]) == sink.frames
    assert list(tmp_path.iterdir()) == [path]


def test_the_caller_may_drop_a_video(old_file: Path) -> None:
    sink = VideoSink(old_file, SIZE, FPS)
    sink.write(ramp(0))

    sink.close(keep=False)
    sink.close()

    assert list(old_file.parent.iterdir()) == [old_file]
    assert old_file.read_bytes() == b"what was there before"


@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_reported_in_one_line(suffix: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def fill() -> None:
        with VideoSink(tmp_path / f"out{suffix}", (240, 320), FPS) as sink:
            for _ in range(12):
                sink.write(rng.integers(0, 256, (240, 320, 3), np.uint8))

    with pytest.raises(SettingError, match=r"out\.\w+ cannot be written: .+\. Free some"):
        fill()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.gif", r"out\.gif ends in \.gif; allowed: \.mp4 or \.webm\. Use .*out\.mp4"),
        ("out", r"out has no suffix; allowed: \.mp4 or .* Use .*out\.mp4"),
        ("nowhere/out.mp4", r"written: No such file or directory\. Create its folder first"),
        ("file/out.mp4", r"written: Not a directory\. .* use another folder"),
        ("folder.mp4", r"it is a folder\. Use .*folder\.mp4/segmented\.mp4"),
    ],
)
def test_a_place_that_takes_no_video_is_named(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.mp4").mkdir()

    with pytest.raises(SettingError, match=message):
        VideoSink(tmp_path / name, SIZE, FPS)

    assert {file.name for file in tmp_path.iterdir()} == {"file", "folder.mp4"}


def test_the_video_that_is_read_is_not_written_by_any_name(tmp_path: Path) -> None:
    source = write_film(tmp_path / "walk.mp4", [ramp(0)])
    alias = tmp_path / "alias.mp4"
    alias.symlink_to(source)
    content = source.read_bytes()

    for target in (source, alias):
        with pytest.raises(
            SettingError, match=r"overwrite the input .*walk\.mp4\. .*-segmented\.mp4"
        ):
            check_target(target, source)
        with pytest.raises(SettingError, match=r"would overwrite the input .*walk\.mp4\."):
            VideoSink(target, SIZE, FPS, source)
    assert source.read_bytes() == content


def test_the_name_of_the_unfinished_video_may_not_be_the_one_that_is_read(tmp_path: Path) -> None:
    source = write_film(tmp_path / "walk.part.mp4", [ramp(0)])

    with pytest.raises(SettingError, match=r"would overwrite the input .*walk\.part\.mp4\."):
        VideoSink(tmp_path / "walk.mp4", SIZE, FPS, source)

    assert source.exists()


@pytest.mark.parametrize("fps", [0, -5, float("nan"), float("inf"), 1001])
def test_a_rate_that_no_video_has_is_refused(fps: float, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"fps is .*; allowed: above 0, to 1000"):
        VideoSink(tmp_path / "out.mp4", SIZE, fps)
