"""The policies that are worth a trial, among all those of a network whose scores are made up."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.evaluation.exhaustive import (
    LEAST_GAIN,
    best_policies,
    coarse_of,
    score_coarse_to_fine,
    told_apart,
)
from jejunet_nas.records import StreamLatency
from jejunet_nas.records.scores import Score, Streamed
from jejunet_nas.scoring.front import pareto_front
from jejunet_nas.space.architecture import Policy
from tests.made_up import path_latencies

FPS = 25.0
LATENCIES = path_latencies(60.0, 10.0, 1.0)
INTERVALS = [Policy(keyframe_interval=interval) for interval in range(1, 13)]
REUSING = [
    Policy(keyframe_interval=interval, between_keyframes="reuse") for interval in range(2, 13)
]


class Scores:
    """Stands for an `Evaluation`: a table of (mIoU, ms) by policy; notes what is scored."""

    def __init__(self, table: dict[Policy, tuple[float, float]]) -> None:
        self.table = table
        self.streamed: list[Policy] = []
        self.scored: list[Policy] = []

    def timed(self, policies: Sequence[Policy], *_: Any, **__: Any) -> list[StreamLatency]:
        return [_streamed(*self.table[policy]).latency for policy in policies]

    def streams(self, policies: Sequence[Policy], *_: Any, **__: Any) -> list[Streamed]:
        self.streamed += policies
        return [_streamed(*self.table[policy]) for policy in policies]

    def score(self, policies: Sequence[Policy], *_: Any, **__: Any) -> list[Any]:
        self.scored += policies
        return [_streamed(*self.table[policy]) for policy in policies]


def _streamed(miou: float, mean_ms: float) -> Streamed:
    latency = StreamLatency(
        mean_ms=mean_ms, worst_ms=mean_ms, every_frame=True, dropped_frames=0.0, source="predicted"
    )
    score = Score(miou=miou, class_iou=(miou,), clips=())
    return Streamed(latency=latency, score=score, walks=())


def best_of(scores: Scores) -> list[Policy]:
    found = best_policies(
        scores,  # type: ignore[arg-type]
        [*scores.table],
        LATENCIES,
        target_fps=FPS,
        rule="no_drops",
    )
    return [policy for policy, _ in found]


def test_what_misses_the_target_gets_no_masks() -> None:
    scores = Scores({each: (0.9, 60.0 / each.keyframe_interval) for each in INTERVALS})

    best_of(scores)

    assert INTERVALS[0] not in scores.streamed  # 60 ms, where a frame has 40
    assert INTERVALS[1] in scores.streamed


def test_where_nothing_meets_the_target_the_nearest_is_taken() -> None:
    scores = Scores({each: (0.9, 41.0 + 0.1 * each.keyframe_interval) for each in INTERVALS})

    assert best_of(scores) == [INTERVALS[0]]
    assert scores.streamed == []


def test_only_intervals_beside_a_non_dominated_coarse_one_are_scored_too() -> None:
    # Nothing gains after interval 4: those beyond are as fast, and worse.
    table = {
        each: (0.9 - 0.05 * each.keyframe_interval, max(40.0 / each.keyframe_interval, 10.0))
        for each in INTERVALS
    }
    scores = Scores(table)

    found = best_of(scores)

    assert [each.keyframe_interval for each in found] == [1, 2, 3, 4]
    assert {each.keyframe_interval for each in scores.streamed} == {*range(1, 9), 12}


def test_reused_masks_cost_nothing_so_all_their_intervals_are_scored() -> None:
    scores = Scores({each: (0.5, 40.0 / each.keyframe_interval) for each in REUSING})

    best_of(scores)

    assert {*scores.streamed} == {*REUSING}


@given(
    points=st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.1, 40.0)), min_size=12, max_size=12)
)
def test_the_policies_that_are_taken_are_non_dominated_and_hold_the_best(
    points: list[tuple[float, float]],
) -> None:
    scored = {policy: _streamed(*point) for policy, point in zip(INTERVALS, points, strict=True)}

    taken = told_apart(scored)

    found = [(scored[each].score.miou, scored[each].latency.mean_ms) for each in taken]
    front = [points[index] for index in pareto_front(points)]
    assert found[0] == front[0]
    assert [*filter(found.__contains__, front)] == found
    for miou, ms in front:  # what is left out loses less than that
        assert any(m > miou - LEAST_GAIN and its_ms <= ms for m, its_ms in found)


@given(intervals=st.sets(st.integers(1, 120), min_size=1))
def test_coarse_intervals_hold_both_ends_and_double(intervals: set[int]) -> None:
    coarse = coarse_of(intervals)

    assert {min(intervals), max(intervals)} <= {*coarse} <= intervals
    assert all(later >= 2 * one for one, later in itertools.pairwise(coarse[:-1]))


def test_policies_with_other_thresholds_are_not_beside_each_other() -> None:
    gated = [dataclasses.replace(each, refresh_above=0.2) for each in INTERVALS[1:]]
    table = {each: (0.9, 10.0) for each in INTERVALS} | {each: (0.1, 20.0) for each in gated}
    scores = Scores(table)

    score_coarse_to_fine(
        scores,  # type: ignore[arg-type]
        table,
        LATENCIES,
        target_fps=FPS,
    )

    assert gated[1] not in scores.streamed  # every 3


@pytest.mark.parametrize("policies", [INTERVALS[:1], REUSING[-1:]])
def test_one_policy_is_taken_as_it_is(policies: list[Policy]) -> None:
    assert best_of(Scores({each: (0.4, 10.0) for each in policies})) == policies
