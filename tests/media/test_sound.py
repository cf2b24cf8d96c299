import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from jejunet_nas.media import sound
from jejunet_nas.media.sink import VideoSink
from jejunet_nas.media.source import open_source
from tests.media.films import (
    FPS,
    FRAMES,
    HEIGHT,
    WIDTH,
    ramp,
    read_back,
    sound_of,
    write_film,
    write_flash,
)

SOURCES = {
    "film.mp4": ("libx264", "aac", {}),
    "film.ts": ("libx264", "aac", {}),  # begins at 1.4 s of its own clock, the sound before
    "film.avi": ("mpeg4", "pcm_s16le", {}),
    "film.mov": ("mpeg4", "libmp3lame", {}),
    "film.webm": ("libvpx-vp9", "libopus", {"deadline": "realtime", "cpu-used": "8"}),
}
COPIED = [
    ("film.mp4", ".mp4"),
    ("film.ts", ".mp4"),
    ("film.mov", ".mp4"),
    ("film.webm", ".mp4"),
    ("film.webm", ".webm"),
]
LEFT_OUT = [
    ("film.avi", ".mp4", "pcm_s16le", "aac, mp3, ac3, eac3, opus"),
    ("film.mp4", ".webm", "aac", "opus, vorbis"),
    ("film.mov", ".webm", "mp3", "opus, vorbis"),
]
SYNC_S = 0.03  # of a click from its frame: MP3's encoder delays by 23 ms, Matroska counts ms


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, (codec, track, options) in SOURCES.items():
        write_flash(folder / name, codec=codec, sound=track, options=options)
    return folder


def copy(source: Path, target: Path, *, frames: int = FRAMES) -> VideoSink:
    with open_source(source) as film, VideoSink(target, film.size, film.fps, source) as sink:
        for _, frame in zip(range(frames), film, strict=False):
            sink.write(frame.picture, frame.time_s)
    return sink


@pytest.mark.parametrize(("name", "suffix"), COPIED)
def test_the_sound_is_kept_in_sync_and_ends_with_the_video(
    name: str, suffix: str, films: Path, tmp_path: Path
) -> None:
    sink = copy(films / name, tmp_path / f"out{suffix}")

    times, pictures = read_back(tmp_path / f"out{suffix}")
    _, wave, rate = sound_of(tmp_path / f"out{suffix}")
    flash = max(zip(times, pictures, strict=True), key=lambda frame: frame[1].mean())[0]
    click = int(np.argmax(abs(wave) > abs(wave).max() / 2)) / rate
    assert len(times) == FRAMES
    assert click == pytest.approx(flash, abs=SYNC_S)
    assert len(wave) / rate == pytest.approx(FRAMES / FPS, abs=1 / FPS)
    assert sink.notes == []


@pytest.mark.parametrize(("name", "suffix", "codec", "taken"), LEFT_OUT)
def test_sound_that_the_container_does_not_take_is_left_out_with_a_note(
    name: str, suffix: str, codec: str, taken: str, films: Path, tmp_path: Path
) -> None:
    sink = copy(films / name, tmp_path / f"out{suffix}")

    with av.open(str(tmp_path / f"out{suffix}")) as film:
        assert not film.streams.audio
    assert len(read_back(tmp_path / f"out{suffix}")[0]) == FRAMES
    assert sink.notes == [f"The sound ({codec}) was left out: {suffix} takes {taken}."]


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(audio=0) if packet.size]


def test_sound_that_fits_is_copied_byte_by_byte(films: Path, tmp_path: Path) -> None:
    sink = copy(films / "film.mp4", tmp_path / "out.mp4")

    copied = packets(tmp_path / "out.mp4")
    assert copied == packets(films / "film.mp4")[: len(copied)]
    assert len(copied) > 80
    assert sink.notes == []


def test_a_video_cut_short_cuts_its_sound(films: Path, tmp_path: Path) -> None:
    copy(films / "film.mp4", tmp_path / "out.mp4", frames=7)

    _, wave, rate = sound_of(tmp_path / "out.mp4")
    assert len(wave) / rate == pytest.approx(0.7, abs=1 / FPS)
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert film.duration / av.time_base == pytest.approx(0.7, abs=1 / FPS)


def test_sound_that_cannot_be_copied_leaves_the_video_and_a_note(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no such sound")

    monkeypatch.setattr(sound.SoundTrack, "copy_into", refuse)

    sink = copy(films / "film.mp4", tmp_path / "out.mp4")

    assert sink.notes == ["The sound (aac) was left out: no such sound."]
    assert len(read_back(tmp_path / "out.mp4")[0]) == FRAMES


@pytest.mark.parametrize(
    "torn", [av.error.InvalidDataError(1, "torn"), av.error.OSError(5, "torn")]
)
def test_sound_that_breaks_off_leaves_the_video_whole_and_a_note(
    torn: av.error.FFmpegError, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sound.moved_packets

    def tear(*streams: object) -> Iterator[object]:
        yield from itertools.islice(read(*streams), 30)
        raise torn

    monkeypatch.setattr(sound, "moved_packets", tear)

    sink = copy(films / "film.mp4", tmp_path / "out.mp4")

    _, wave, rate = sound_of(tmp_path / "out.mp4")
    assert len(read_back(tmp_path / "out.mp4")[0]) == FRAMES
    assert len(wave) / rate == pytest.approx(30 * 1024 / 48_000, abs=0.05)
    assert sink.notes == ["The sound stops early: torn."]


def test_a_film_that_breaks_off_is_carried_as_far_as_it_goes(films: Path, tmp_path: Path) -> None:
    content = (films / "film.ts").read_bytes()
    (tmp_path / "torn.ts").write_bytes(content[: len(content) // 2])

    copy(tmp_path / "torn.ts", tmp_path / "out.mp4")

    times, _ = read_back(tmp_path / "out.mp4")
    _, wave, rate = sound_of(tmp_path / "out.mp4")
    assert 5 < len(times) < FRAMES
    assert len(wave) / rate <= (len(times) + 1) / FPS


def test_a_film_without_sound_or_no_film_at_all_makes_a_silent_video(tmp_path: Path) -> None:
    silent = write_film(tmp_path / "silent.mp4")
    for source in (silent, tmp_path, tmp_path / "nowhere.mp4"):
        with VideoSink(tmp_path / "out.mp4", (HEIGHT, WIDTH), FPS, source) as sink:
            sink.write(ramp(0))

        with av.open(str(tmp_path / "out.mp4")) as film:
            assert not film.streams.audio
        assert sink.notes == []
