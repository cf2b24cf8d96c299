import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from jejunet_nas.media import output, sound
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
COPIED = {
    ("film.mp4", ".mp4"),
    ("film.ts", ".mp4"),
    ("film.mov", ".mp4"),
    ("film.mov", ".avi"),
    ("film.webm", ".mp4"),
    ("film.webm", ".webm"),
    ("film.avi", ".avi"),
}
ENCODERS = {".mp4": "aac", ".webm": "libopus", ".avi": "libmp3lame"}
# Of a click from its frame: an .avi notes no encoder's delay (MP3's is 23 ms), Matroska counts ms.
SYNC_S = 0.03


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


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".avi"])
@pytest.mark.parametrize("name", SOURCES)
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
    said = f"was encoded anew ({ENCODERS[suffix]}), for {suffix}."
    assert [note.split(" ", 3)[3] for note in sink.notes] == (
        [] if (name, suffix) in COPIED else [said]
    )


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(audio=0) if packet.size]


def test_sound_that_fits_is_copied_byte_by_byte(films: Path, tmp_path: Path) -> None:
    sink = copy(films / "film.mp4", tmp_path / "out.mp4")

    copied = packets(tmp_path / "out.mp4")
    assert copied == packets(films / "film.mp4")[: len(copied)]
    assert len(copied) > 80
    assert sink.notes == []


def test_sound_that_does_not_fit_is_encoded_anew_and_that_is_said(
    films: Path, tmp_path: Path
) -> None:
    sink = copy(films / "film.avi", tmp_path / "out.mp4")

    assert sound_of(tmp_path / "out.mp4")[0] == "aac"
    assert sink.notes == ["The sound, pcm_s16le, was encoded anew (aac), for .mp4."]


def test_a_video_cut_short_cuts_its_sound(films: Path, tmp_path: Path) -> None:
    copy(films / "film.mp4", tmp_path / "out.mp4", frames=7)

    _, wave, rate = sound_of(tmp_path / "out.mp4")
    assert len(wave) / rate == pytest.approx(0.7, abs=1 / FPS)
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert film.duration / av.time_base == pytest.approx(0.7, abs=1 / FPS)


def test_sound_that_cannot_be_had_leaves_the_video_and_a_note(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no such sound")

    monkeypatch.setattr(output, "carry_sound", refuse)

    sink = copy(films / "film.mp4", tmp_path / "out.mp4")

    assert sink.notes == ["The sound, aac, was left out (no such sound)."]
    assert len(read_back(tmp_path / "out.mp4")[0]) == FRAMES


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])  # copied, and encoded anew
def test_sound_that_breaks_off_leaves_the_video_whole_and_a_note(
    suffix: str, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sound.read_packets

    def tear(*streams: object) -> Iterator[object]:
        yield from itertools.islice(read(*streams), 30)
        raise av.error.InvalidDataError(1, "torn")

    monkeypatch.setattr(sound, "read_packets", tear)

    sink = copy(films / "film.mp4", tmp_path / f"out{suffix}")

    _, wave, rate = sound_of(tmp_path / f"out{suffix}")
    assert len(read_back(tmp_path / f"out{suffix}")[0]) == FRAMES
    assert len(wave) / rate == pytest.approx(30 * 1024 / 48_000, abs=0.05)
    assert sink.notes[-1] == "The sound breaks off (torn); the video goes on without."


def test_a_film_that_breaks_off_is_carried_as_far_as_it_goes(films: Path, tmp_path: Path) -> None:
    content = (films / "film.avi").read_bytes()
    (tmp_path / "torn.avi").write_bytes(content[: len(content) // 2])

    copy(tmp_path / "torn.avi", tmp_path / "out.mp4")

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
