"""Clocks of files that start late or jump: no hours of one frame, and a sentence that says so."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.media.clock import LONGEST_GAP_S, Clock
from jejunet_nas.media.sink import VideoSink
from jejunet_nas.media.source import open_source
from tests.media.films import FPS, ramp, read_back, write_film

HOURS_S = 3 * 3600.0
CONTAINERS = pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mov", "mpeg4"), (".mkv", "libx264"), (".ts", "libx264")],
)


def even(count: int = 20) -> list[float]:
    return [n / FPS for n in range(count)]


def film(path: Path, codec: str, times: list[float]) -> Path:
    return write_film(path, [ramp(n) for n in range(len(times))], codec=codec, times=times)


@CONTAINERS
def test_a_film_that_starts_late_starts_at_0(suffix: str, codec: str, tmp_path: Path) -> None:
    path = film(tmp_path / f"late{suffix}", codec, [HOURS_S + t for t in even()])

    with open_source(path) as source:
        times = [frame.time_s for frame in source]

    assert times == pytest.approx(even(), abs=0.002)
    assert source.trouble is None


@CONTAINERS
def test_a_jump_of_hours_is_cut_and_said(suffix: str, codec: str, tmp_path: Path) -> None:
    times = [t + (HOURS_S if t >= 1 else 0) for t in even()]
    path = film(tmp_path / f"jump{suffix}", codec, times)

    with open_source(path) as source:
        seen = [frame.time_s for frame in source]

    assert source.fps == FPS
    assert seen == pytest.approx(even(), abs=0.002)
    assert source.trouble == (
        f"{path} has a clock that jumps 1 time, by 3.0 h at 1.0 s; its frames were joined without "
        "a gap. 20 frames were read."
    )


def test_a_film_with_a_jump_is_written_as_short_as_it_is(tmp_path: Path) -> None:
    times = [t + (HOURS_S if t >= 1 else 0) for t in even()]
    path = film(tmp_path / "jump.mp4", "libx264", times)

    with (
        open_source(path) as source,
        VideoSink(tmp_path / "out.mp4", source.size, source.fps) as sink,
    ):
        for frame in source:
            sink.write(frame.picture, frame.time_s)

    written, _ = read_back(tmp_path / "out.mp4")
    assert written == pytest.approx(even(), abs=0.01)


def test_joined_files_whose_clock_starts_again_go_on(tmp_path: Path) -> None:
    one = film(tmp_path / "one.ts", "libx264", [n / FPS + 5 for n in range(20)])
    two = film(tmp_path / "two.ts", "libx264", even())
    path = tmp_path / "both.ts"
    path.write_bytes(one.read_bytes() + two.read_bytes())

    with open_source(path) as source:
        times = [frame.time_s for frame in source]

    assert len(times) == 40
    assert times == pytest.approx(even(40), abs=0.15)
    assert source.trouble is not None
    assert re.search(r"has a clock that jumps \d times?, by -2\.0 s at 2\.0 s; ", source.trouble)


def test_slides_of_half_a_minute_are_kept(tmp_path: Path) -> None:
    path = film(tmp_path / "slides.mkv", "libx264", [30.0 * n for n in range(4)])

    with open_source(path) as source:
        assert [frame.time_s for frame in source] == pytest.approx([0, 30, 60, 90], abs=0.002)

    assert source.trouble is None


@given(
    st.floats(0.001, 1),
    st.lists(st.none() | st.floats(0, 1e7), max_size=30),
)
def test_times_always_increase_by_less_than_the_longest_gap(
    step_s: float, stated: list[float | None]
) -> None:
    clock = Clock(step_s)

    times = [clock.at(each) for each in stated]

    assert times[:1] <= [LONGEST_GAP_S]
    for before, after in itertools.pairwise(times):  # sums of large floats are rounded
        assert after - before <= LONGEST_GAP_S + step_s + 0.001
    assert all(after > before for before, after in itertools.pairwise(times))
