"""What several commands print alike."""

import pytest

from jejunet_nas.cli.arguments import MOST_LINES, show_front
from jejunet_nas.cli.printer import Printer
from tests.reporting.build import history, trial


def test_of_a_long_front_a_terminal_shows_some_trials_with_both_ends(
    capfd: pytest.CaptureFixture[str],
) -> None:
    long = history(*(trial(n, 0.5 + n / 1000, 10.0 + n / 10) for n in range(60)))

    show_front(long, Printer())

    first, *lines = capfd.readouterr().out.splitlines()
    assert first == f"{len(lines)} of 60 trials on the front; a report's front.csv has all:"
    assert MOST_LINES <= len(lines) <= MOST_LINES + 1
    assert lines[0].startswith("  trial 59: ")
    assert lines[-1].startswith("  trial 0: ")


def test_a_short_front_is_shown_whole(capfd: pytest.CaptureFixture[str]) -> None:
    show_front(history(trial(0, 0.5, 10), trial(1, 0.6, 20)), Printer())

    assert [line[:9] for line in capfd.readouterr().out.splitlines()] == ["  trial 1", "  trial 0"]
