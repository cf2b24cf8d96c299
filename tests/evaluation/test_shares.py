"""Clips are divided evenly among threads; their results come back in order, or an error at once."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.evaluation.shares import MOST_THREADS, Progress, divide, run, threads_for


def quiet(frames: int = 0) -> Progress:
    return Progress(lambda what, done, total: None, frames)


@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=30), data=st.data())
def test_each_clip_is_in_one_share_and_no_share_is_much_longer(
    lengths: list[int], data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, min(4, len(lengths))))

    shares = divide(lengths, count)

    assert sorted(index for share in shares for index in share) == [*range(len(lengths))]
    sums = [sum(lengths[index] for index in share) for share in shares]
    assert min(sums) > 0
    assert max(sums) - min(sums) <= max(lengths)


def test_there_are_as_many_threads_as_clips_and_processors_at_most() -> None:
    assert threads_for(1) == 1
    assert 1 <= threads_for(100) <= MOST_THREADS


@pytest.mark.parametrize("shares", [[[0, 1, 2, 3]], [[1, 3], [0, 2]]])
def test_results_come_in_the_order_of_the_clips(shares: list[list[int]]) -> None:
    assert run(shares, lambda index: index * index, quiet()) == [0, 1, 4, 9]


def test_shares_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=20)

    assert run([[0], [1]], lambda index: both.wait() >= 0, quiet()) == [True, True]


def test_the_first_error_ends_all_threads() -> None:
    progress, seen = quiet(), []

    def work(index: int) -> None:
        if index == 0:
            raise ValueError("a bad clip")
        for frame in range(10_000):
            time.sleep(0.001)
            seen.append(frame)
            progress.seen(index, frame)

    with pytest.raises(ValueError, match="a bad clip"):
        run([[0], [1]], work, progress)
    assert len(seen) < 10_000


def test_ctrl_c_ends_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(futures: object) -> None:
        raise KeyboardInterrupt

    progress, ended = quiet(), []

    def work(index: int) -> None:
        try:
            for frame in range(10_000):
                time.sleep(0.001)
                progress.seen(index, frame)
        finally:
            ended.append(index)

    monkeypatch.setattr("jejunet_nas.evaluation.shares.wait", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        run([[0], [1]], work, progress)
    assert {*ended} <= {0, 1}


def test_progress_is_that_of_all_clips_together() -> None:
    told: list[tuple[str, int, int]] = []
    progress = Progress(lambda *news: told.append(news), 8)

    for clip, done in ((0, 0), (1, 2), (0, 3), (0, 1)):
        progress.seen(clip, done)

    assert told == [("evaluate", done, 8) for done in (0, 2, 5, 5)]
