"""Progress over networks and over time is that of the front's own hypervolume, prefix by prefix."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import FailedTrial, as_added
from jejunet_nas.reporting.site.charts import progress
from jejunet_nas.scoring.front import Point, hypervolume
from tests.reporting.build import history, many_trials, refused, trial

# Few values, so that ties and twins are drawn often; the target leaves 40 ms.
POINT = st.tuples(st.integers(0, 8).map(lambda i: i / 8), st.integers(1, 9).map(lambda i: i * 5.0))


@given(points=st.lists(POINT, max_size=12))
def test_after_each_trial_the_hypervolume_is_that_of_all_trials_until_then(
    points: list[Point],
) -> None:
    study = history(*(trial(number, *point) for number, point in enumerate(points)))

    found = progress(study).hypervolumes

    wanted = [hypervolume(points[: end + 1], (0.0, 40.0)) for end in range(len(points))]
    assert found == pytest.approx(wanted, abs=1e-9)  # rounding of twelve areas of at most 40


def test_progress_never_falls_and_ends_at_the_study_s_hypervolume() -> None:
    trials = many_trials(300, seed=1)

    found = progress(history(*trials)).hypervolumes

    points = [(each.score.miou, each.latency.mean_ms) for each in trials]
    assert list(found) == sorted(found)
    assert found[-1] == pytest.approx(hypervolume(points, (0.0, 40.0)))


def test_refused_and_failed_trials_take_time_and_cover_nothing() -> None:
    broken = FailedTrial(number=0, architecture=None, reason="it broke")
    study = history(trial(1, 0.5, 30.0), refused=(refused(2, 99.0),), failed=(broken,))
    study = dataclasses.replace(study, spent_s={0: 7.0, 1: 60.0, 2: 0.5})

    found = progress(study)

    assert found.networks == (0, 1, 1)
    assert found.spent_s == (7.0, 67.0, 67.5)
    assert found.hypervolumes == pytest.approx((0.0, 5.0, 5.0))


def test_added_policies_are_no_steps_and_count_with_their_network() -> None:
    first, second = trial(0, 0.5, 30.0), trial(1, 0.6, 35.0)
    added = [
        dataclasses.replace(as_added(trial(number, 0.4, 10.0)), network=drawn.network)
        for number, drawn in ((2, second), (3, first))
    ]
    failed = FailedTrial(number=4, architecture=None, reason="it broke")
    study = history(first, second, *added, failed=(failed,))
    study = dataclasses.replace(study, spent_s={0: 60.0, 1: 80.0, 2: 1.0, 3: 2.0, 4: 7.0})

    found = progress(study)

    assert found.networks == (1, 2, 2)
    assert found.spent_s == (60.0, 143.0, 150.0)
    first_area = hypervolume([(0.5, 30.0), (0.4, 10.0)], (0.0, 40.0))
    assert found.hypervolumes[0] == pytest.approx(first_area)


def test_a_study_that_noted_no_seconds_has_no_working_time() -> None:
    assert progress(history(trial(0, 0.5, 30.0))).spent_s is None


def test_a_study_without_trials_has_no_progress() -> None:
    found = progress(history())

    assert (found.networks, found.spent_s, found.hypervolumes) == ((), None, ())
