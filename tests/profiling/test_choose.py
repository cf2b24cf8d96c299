"""The chosen probes tell all six costs apart, within the phone time that there is."""

import numpy as np
import pytest

from jejunet_nas.latency.costs import FIT, with_role
from jejunet_nas.latency.points import read_points
from jejunet_nas.latency.profile_json import PROFILES
from jejunet_nas.profiling.choose import (
    MOST_PROBES,
    choose,
    relative_rows,
    seconds,
)
from jejunet_nas.profiling.probes import candidates


def condition_number(rows: object) -> float:
    """How nearly parallel the columns of `rows` are, each at length 1; 1 is not at all."""
    table = np.array(rows)
    return float(np.linalg.cond(table / np.linalg.norm(table, axis=0)))


def _rows_of(plan: object) -> object:
    return relative_rows((probe.work, probe.predicted_ms) for probe in plan.probes)


def test_the_costs_are_told_apart_a_hundred_times_better_than_by_published_networks() -> None:
    published = with_role(FIT, read_points(PROFILES / "pixel2.json"))
    rows = relative_rows((point.work, point.latency_ms) for point in published)
    assert condition_number(rows) > 200  # 279
    plan = choose(candidates(), threads=(1, 2, 4), budget_s=600)
    assert condition_number(_rows_of(plan)) < 5  # 3.3


def test_networks_alone_would_not_tell_the_costs_apart() -> None:
    networks = [p for p in candidates() if p.of_network and p.predicted_ms >= 1]
    assert condition_number(relative_rows((p.work, p.predicted_ms) for p in networks)) > 50  # 107


@pytest.mark.parametrize("budget_s", [60, 120, 300, 600])
@pytest.mark.parametrize("threads", [(1,), (1, 2, 4)])
def test_the_plan_keeps_to_the_phone_time(budget_s: float, threads: tuple[int, ...]) -> None:
    plan = choose(candidates(), threads=threads, budget_s=budget_s)
    assert plan.seconds <= budget_s
    assert len(plan.probes) == len(set(plan.probes)) <= MOST_PROBES


@pytest.mark.parametrize("budget_s", [60, 120, 600])
def test_two_whole_networks_are_always_in(budget_s: float) -> None:
    plan = choose(candidates(), threads=(1, 2, 4), budget_s=budget_s)
    assert [probe.kind for probe in plan.probes[:2]] == ["key", "key"]


def test_half_of_the_probes_are_what_has_to_be_predicted() -> None:
    plan = choose(candidates(), threads=(1,), budget_s=600)
    assert sum(probe.of_network for probe in plan.probes) >= len(plan.probes) / 2


def test_each_kind_of_work_has_two_probes_so_that_one_can_be_left_out() -> None:
    rows = _rows_of(choose(candidates(), threads=(1,), budget_s=600))
    for left_out in range(len(rows)):
        others = [row for number, row in enumerate(rows) if number != left_out]
        assert condition_number(others) < 6


def test_the_threads_are_tried_on_networks_from_fast_to_slow() -> None:
    plan = choose(candidates(), threads=(1, 2, 4), budget_s=600)
    milliseconds = [probe.predicted_ms for probe in plan.threaded]
    assert (plan.threads, len(milliseconds)) == ((2, 4), 4)
    assert milliseconds == sorted(milliseconds)
    assert milliseconds[-1] > 10 * milliseconds[0]
    assert all(probe.of_network and probe in plan.probes for probe in plan.threaded)


def test_the_same_time_chooses_the_same_probes() -> None:
    first, second = (choose(candidates(), threads=(1, 2), budget_s=200) for _ in range(2))
    assert first == second


def test_a_slower_phone_needs_more_time_for_the_same_probe() -> None:
    probe = candidates()[0]
    assert seconds(probe, slower=6) - seconds(probe) == pytest.approx(
        50 * 3 * probe.predicted_ms / 1000
    )
