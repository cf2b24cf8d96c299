"""Chaos in its short form: a few kills, and nothing is lost."""

import random
from pathlib import Path

import pytest

from tests.benchmarks.chaos import Found, Kills, fast_chaos, page
from tests.search.fast import SECONDS


@pytest.mark.slow
def test_a_study_whose_processes_are_killed_at_random_is_whole_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECONDS, "1.5")

    kills, found = fast_chaos(tmp_path, kills=8, trials=50, url=None, dice=random.Random(3))

    assert kills.workers + kills.searches == 8
    assert (found.trials, found.doubled, found.failed, found.damaged) == (50, 0, 0, ())
    assert found.as_recorded


def test_the_page_has_a_row_for_each_study() -> None:
    kills = Kills(workers=30, searches=20, seconds=600)
    found = Found(
        trials=300, added=290, doubled=0, failed=1, damaged=("x",), left_over=(), as_recorded=True
    )

    text = page([("fast networks", kills, found)], 0, "make chaos")

    assert "| fast networks | 30 | 20 | 10.0 | 300 | 290 | 0 | 1 | 1 | 0 | yes |" in text
