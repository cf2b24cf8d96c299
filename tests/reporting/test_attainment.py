"""Attainment: stairs under the target, and two studies held against one reference point."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.records import StudyHistory
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.reporting.attainment import attained, compare, staircase
from jejunet_nas.scoring.front import Point, hypervolume
from tests.made_up import scored
from tests.reporting.build import history, measured, trial

# Few values, so that ties and twins are drawn often; the target leaves 40 ms.
POINT = st.tuples(st.integers(0, 8).map(lambda i: i / 8), st.integers(1, 9).map(lambda i: i * 5.0))
POINTS = st.lists(POINT, max_size=10)


def study(name: str, *points: Point, **changes: Any) -> StudyHistory:
    made = history(*(trial(number, *point) for number, point in enumerate(points)), study=name)
    return dataclasses.replace(made, **changes)


@given(points=POINTS, mean_ms=st.integers(0, 9).map(lambda i: i * 5.0))
def test_what_is_attained_is_the_best_trial_that_takes_no_longer(
    points: list[Point], mean_ms: float
) -> None:
    steps = staircase(study("a", *points), 40.0)

    feasible = [miou for miou, ms in points if ms <= min(mean_ms, 40.0)]
    assert attained(steps, mean_ms) == max(feasible, default=None)
    assert steps == sorted(steps)
    assert [miou for _, miou in steps] == sorted({miou for _, miou in steps})


def test_the_reference_is_the_slowest_target_s_deadline() -> None:
    fast, slow = study("fast", (0.5, 20.0)), study("slow", (0.6, 90.0), target_fps=10.0)

    found = compare([fast, slow])

    assert found.reference == (0.0, 100.0)
    assert found.hypervolumes == pytest.approx((0.5 * 80, 0.6 * 10))
    assert found.best == (0, 0)
    assert found.range_ms == (20.0, 100.0)
    assert [each.mean_ms for each in found.within] == [20, 30, 40, 50, 75, 100]
    assert [each.mious for each in found.within][-2:] == [(0.5, None), (0.5, 0.6)]


def test_shares_of_the_range_say_where_a_study_is_ahead_and_by_how_much() -> None:
    one, other = study("one", (0.5, 10.0)), study("other", (0.4, 20.0), (0.7, 30.0))

    (lead,) = compare([one, other]).leads

    # From 10 to 30 ms the first, from 30 to 40 the other; both attain something from 20 ms on.
    assert (lead.ahead, lead.behind) == pytest.approx((1 / 3, 2 / 3))
    assert lead.mean_miou == pytest.approx((-0.1 * 10 + 0.2 * 10) / 20)


@given(one=POINTS, other=POINTS)
def test_the_second_study_is_ahead_where_the_first_is_behind(
    one: list[Point], other: list[Point]
) -> None:
    first, second = study("one", *one), study("other", *other)

    (there,), (back,) = compare([first, second]).leads, compare([second, first]).leads

    assert (there.ahead, there.behind) == pytest.approx((back.behind, back.ahead))
    assert there.ahead + there.behind <= 1 + 1e-9
    if there.mean_miou is not None:
        assert back.mean_miou == pytest.approx(-there.mean_miou)


@given(points=POINTS)
def test_a_study_is_level_with_itself(points: list[Point]) -> None:
    found = compare([study("a", *points), study("b", *points)])

    assert (found.leads[0].ahead, found.leads[0].behind) == (0.0, 0.0)
    assert found.hypervolumes[0] == pytest.approx(hypervolume(points, (0.0, 40.0)))


def test_the_best_trials_are_compared_clip_by_clip() -> None:
    ours, theirs = study("ours", (0.6, 30.0)), study("theirs", (0.4, 30.0))
    scored = [with_clips(each, miou) for each, miou in ((theirs, 0.4), (ours, 0.6))]

    best = compare(scored).leads[0].best

    assert best is not None
    assert best.miou == pytest.approx(0.2)
    assert best.is_significant_gain


def test_best_trials_of_other_clips_have_no_difference() -> None:
    ours, theirs = with_clips(study("a", (0.6, 30.0)), 0.6), study("b", (0.4, 30.0))

    assert compare([ours, theirs]).leads[0].best is None


def with_clips(made: StudyHistory, miou: float) -> StudyHistory:
    """Return a study of one trial that scored `miou` on each of five clips."""
    clips = tuple(
        ClipScore(
            name=name, frames=1, annotated=(100,), intersection=(round(100 * miou),), union=(100,)
        )
        for name in "abcde"
    )
    (only,) = made.complete
    score = dataclasses.replace(only.score, clips=clips)
    return dataclasses.replace(made, complete=(scored(only, score),))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"dataset": "CamVid"},
            r"^the data set of b is CamVid, and of a DAVIS 2016; both must",
        ),
        ({"class_names": ("sky",)}, r"^the list of classes of b is sky, and of a background, obj"),
        ({"device": "Pixel 3"}, r"^the device of b is Pixel 3, and of a Pixel 2; both must"),
        (
            {"threads": 4},
            r"^the number of threads of b is 4, and of a 1; both must be the same\. Sea",
        ),
        (
            {"complete": (measured(trial(0, 0.5, 30.0), 33.0),), "phone": "Pixel 2 (ab12)"},
            r"^the latency source of b is measured, and of a predicted; both must be",
        ),
    ],
)
def test_what_is_not_to_be_compared_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        compare([study("a", (0.5, 30.0)), study("b", (0.5, 30.0), **changes)])


def test_studies_on_two_phones_are_refused() -> None:
    on = [measured(trial(0, 0.5, 30.0), 33.0)]
    one, other = (history(*on, study=name, phone=name) for name in ("a", "b"))

    with pytest.raises(SettingError, match=r"^the phone of b is b, and of a a; both must"):
        compare([one, other])


def test_studies_in_which_nothing_meets_the_target_attain_nothing() -> None:
    found = compare([study("a"), study("b", (0.5, 50.0))])

    assert found.hypervolumes == (0.0, 0.0)
    assert found.best == (None, None)
    assert (found.leads[0].mean_miou, found.leads[0].best) == (None, None)
