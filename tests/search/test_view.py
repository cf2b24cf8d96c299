"""What a person sees of a running search."""

import dataclasses
import io

import pytest
from rich.console import Console

from jejunet_nas.search.view import SearchProgress, duration, make_view

PROGRESS = SearchProgress(
    study="tiny",
    complete=3,
    wanted=12,
    refused=1,
    failed=0,
    target_fps=24.0,
    best_miou=0.7184,
    hypervolume=14.25,
    left_s=300.0,
)


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=200), written


def test_a_progress_says_how_far_the_search_is_and_what_it_has_found() -> None:
    assert PROGRESS.words() == (
        "3 of 12 trials (1 refused); best at 24 fps: 71.8 mIoU; "
        "hypervolume 14.25 mIoU x ms, about 5 min left"
    )


def test_a_progress_without_a_feasible_trial_says_none_yet() -> None:
    early = dataclasses.replace(PROGRESS, best_miou=None, left_s=None)

    assert early.words() == "3 of 12 trials (1 refused); best at 24 fps: none yet"


def test_a_progress_names_only_what_has_happened() -> None:
    quiet = dataclasses.replace(PROGRESS, refused=0, left_s=None)
    busy = dataclasses.replace(PROGRESS, added=20, held=2, failed=1)

    assert quiet.words().startswith("3 of 12 trials; best at 24 fps")
    assert "trials (20 added, 2 more in this round, 1 refused, 1 failed); best" in busy.words()


@pytest.mark.parametrize(
    ("seconds", "words"), [(45, "45 s"), (720, "12 min"), (12600, "3.5 h"), (89.4, "89 s")]
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_where_there_is_no_terminal_plain_lines_are_written() -> None:
    target, written = console(terminal=False)

    with make_view(target) as view:
        view.progress(PROGRESS)
        view.say("trial 4: [odd] words stay as they are")

    assert written.getvalue() == (
        f"tiny: {PROGRESS.words()}\ntrial 4: [odd] words stay as they are\n"
    )


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which a test sets."""
    time_s = [0.0]
    monkeypatch.setattr("jejunet_nas.search.view.time.monotonic", lambda: time_s[0])
    return time_s


def test_a_stage_that_takes_long_says_how_far_it_is_and_what_is_left(now: list[float]) -> None:
    target, written = console(terminal=False)

    with make_view(target) as view:
        for now[0], done, loss in ((1.0, 0, 0.7), (11.0, 100, 0.5), (31.0, 300, 0.4)):
            view.stage(f"train, loss {loss}", done, 400)

    assert written.getvalue() == "  train, loss 0.4: 300 of 400, about 10 s left\n"


def test_the_time_left_is_that_of_a_training_which_went_on_after_something_else(
    now: list[float],
) -> None:
    target, written = console(terminal=False)

    with make_view(target) as view:
        for now[0], what, done, total in (
            (1.0, "train, loss 0.7", 1000, 2000),  # resumed here
            (11.0, "train, loss 0.6", 1100, 2000),
            (12.0, "validate", 0, 1),
            (19.0, "train, loss 0.5, 61.0 mIoU after 1100 steps", 1101, 2000),
            (30.0, "train, loss 0.5, 61.0 mIoU after 1100 steps", 1200, 2000),
            (70.0, "validate", 0, 1),
            (80.0, "train, loss 0.5", 1200, 2000),  # no step since: no time left is known
        ):
            view.stage(what, done, total)

    assert written.getvalue() == (
        "  train, loss 0.5, 61.0 mIoU after 1100 steps: 1200 of 2000, about 89 s left\n"
        "  train, loss 0.5: 1200 of 2000\n"
    )


def test_on_a_terminal_the_progress_and_the_stage_are_kept_in_place() -> None:
    target, written = console(terminal=True)

    with make_view(target) as view:
        view.progress(PROGRESS)
        view.stage("train, loss 0.5", 100, 400)
        view.say("trial 4 refused")

    shown = written.getvalue()
    assert "trial 4 refused" in shown
    assert "71.8 mIoU" in shown
