import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import FramePath
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import PathChooser
from tests.video.build import policies, policies_in_the_background

clips = st.lists(st.floats(0, 1), min_size=1, max_size=60)  # what the gate would say of each frame


def walk(policy: Policy, scores: list[float]) -> tuple[list[FramePath], list[bool]]:
    """Return each frame's path, and whether the gate was asked."""
    chooser, paths, asked = PathChooser(policy), [], []
    for score in scores:
        asked.append(chooser.wants_gate())
        paths.append(chooser.choose(score if asked[-1] else None))
    return paths, asked


@given(policies(), clips)
def test_a_clip_begins_with_a_keyframe_and_none_is_long_in_coming(
    policy: Policy, scores: list[float]
) -> None:
    paths, _ = walk(policy, scores)

    keyframes = [time for time, path in enumerate(paths) if path == "key"]
    assert keyframes[0] == 0
    gaps = [b - a for a, b in zip(keyframes, [*keyframes[1:], len(paths)], strict=True)]
    assert max(gaps) <= policy.keyframe_interval


@given(policies(gated=False), clips)
def test_without_a_gate_the_paths_are_periodic(policy: Policy, scores: list[float]) -> None:
    paths, asked = walk(policy, scores)

    period = ["key", *[policy.between_keyframes] * (policy.keyframe_interval - 1)]
    assert paths == (period * len(paths))[: len(paths)]
    assert not any(asked)


@given(policies(gated=True), clips)
def test_the_gate_is_asked_of_every_frame_that_need_not_be_a_keyframe(
    policy: Policy, scores: list[float]
) -> None:
    paths, asked = walk(policy, scores)

    since = policy.keyframe_interval
    for path, was_asked in zip(paths, asked, strict=True):
        assert was_asked == (since < policy.keyframe_interval)
        since = 1 if path == "key" else since + 1


@given(policies(gated=True), clips)
def test_a_score_beyond_a_threshold_decides_and_others_leave_the_policy_alone(
    policy: Policy, scores: list[float]
) -> None:
    paths, asked = walk(policy, scores)

    for path, score, was_asked in zip(paths, scores, asked, strict=True):
        if not was_asked or (policy.refresh_above is not None and score > policy.refresh_above):
            assert path == "key"
        elif policy.reuse_below is not None and score < policy.reuse_below:
            assert path == "reuse"
        else:
            assert path == policy.between_keyframes


def test_a_refresh_puts_the_next_keyframe_off_by_a_whole_interval() -> None:
    policy = Policy(keyframe_interval=3, reuse_below=0.2, refresh_above=0.8)

    paths, asked = walk(policy, [0.5, 0.1, 0.9, 0.5, 0.1, 0.5])

    assert paths == ["key", "reuse", "key", "propagate", "reuse", "key"]
    assert asked == [False, True, True, True, True, False]


def test_a_score_at_a_threshold_is_not_beyond_it() -> None:
    policy = Policy(keyframe_interval=9, reuse_below=0.2, refresh_above=0.8)

    assert walk(policy, [0.0, 0.2, 0.8])[0] == ["key", "propagate", "propagate"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """One frame under a policy with keyframes in the background.

    running: whether one was running when the frame came. since: frames since the last one began.
    """

    score: float
    asked: bool
    path: FramePath
    begins: bool
    running: bool
    since: int


def walk_in_the_background(policy: Policy, scores: list[float], lags: list[int]) -> list[Step]:
    """Walk over frames of which the n-th keyframe in the background takes `lags[n]`, at least 1."""
    chooser, steps = PathChooser(policy), []
    begun, taken, since = None, 0, 0
    for time, score in enumerate(scores):
        if begun is not None and time - begun >= lags[taken % len(lags)]:
            chooser.keyframe_arrived()
            begun, taken = None, taken + 1
        asked, running = chooser.wants_gate(), begun is not None
        path = chooser.choose(score if asked else None)
        begins = chooser.begins_keyframe
        steps.append(
            Step(score=score, asked=asked, path=path, begins=begins, running=running, since=since)
        )
        since = 1 if begins or time == 0 else since + 1
        begun = time if begins else begun
    return steps


lags = st.lists(st.integers(1, 8), min_size=1, max_size=4)


@given(policies_in_the_background(), clips, lags)
def test_in_the_background_only_the_first_frame_waits_for_its_keyframe(
    policy: Policy, scores: list[float], lags: list[int]
) -> None:
    first, *rest = walk_in_the_background(policy, scores, lags)

    assert (first.path, first.asked, first.begins) == ("key", False, False)
    assert all(step.path != "key" for step in rest)


@given(policies_in_the_background(), clips, lags)
def test_a_keyframe_begins_as_soon_as_it_is_wanted_and_none_is_running(
    policy: Policy, scores: list[float], lags: list[int]
) -> None:
    for step in walk_in_the_background(policy, scores, lags)[1:]:
        due = step.since >= policy.keyframe_interval
        far = policy.refresh_above is not None and step.score > policy.refresh_above
        assert step.begins == ((due or far) and not step.running)


@given(policies_in_the_background(), clips, lags)
def test_in_the_background_the_gate_is_asked_where_its_answer_changes_something(
    policy: Policy, scores: list[float], lags: list[int]
) -> None:
    for step in walk_in_the_background(policy, scores, lags)[1:]:
        may_begin = not step.running and step.since < policy.keyframe_interval
        refreshes = policy.refresh_above is not None and may_begin
        assert step.asked == (policy.reuse_below is not None or refreshes)


@given(policies_in_the_background(), clips, lags)
def test_in_the_background_a_low_score_reuses_and_others_leave_the_policy_alone(
    policy: Policy, scores: list[float], lags: list[int]
) -> None:
    for step in walk_in_the_background(policy, scores, lags)[1:]:
        near = policy.reuse_below is not None and step.score < policy.reuse_below
        assert step.path == ("reuse" if near else policy.between_keyframes)


@given(st.integers(1, 9), st.integers(2, 60))
def test_with_interval_1_a_keyframe_begins_as_soon_as_the_last_one_is_done(
    lag: int, frames: int
) -> None:
    policy = Policy(keyframe_interval=1, asynchronous=True)

    steps = walk_in_the_background(policy, [0.0] * frames, [lag])

    begun = [time for time, step in enumerate(steps) if step.begins]
    assert begun == list(range(1, frames, lag))


def test_what_is_due_while_a_keyframe_runs_begins_when_it_is_done() -> None:
    policy = Policy(keyframe_interval=2, asynchronous=True)

    steps = walk_in_the_background(policy, [0.0] * 9, [3])

    assert [time for time, step in enumerate(steps) if step.begins] == [2, 5, 8]


def test_a_keyframe_that_the_gate_begins_puts_the_next_one_off_by_a_whole_interval() -> None:
    policy = Policy(keyframe_interval=4, refresh_above=0.6, asynchronous=True)

    steps = walk_in_the_background(policy, [0.0, 0.1, 0.9, 0.9, 0.6, 0.0, 0.0], [1])

    assert [step.begins for step in steps] == [False, False, True, True, False, False, False]
    steps = walk_in_the_background(policy, [0.0, 0.1, 0.9, 0.0, 0.6, 0.0, 0.0], [1])
    assert [time for time, step in enumerate(steps) if step.begins] == [2, 6]


def test_a_keyframe_cannot_arrive_that_was_not_begun() -> None:
    chooser = PathChooser(Policy(keyframe_interval=2, asynchronous=True))
    chooser.choose()

    with pytest.raises(AssertionError, match="no keyframe was begun"):
        chooser.keyframe_arrived()


@given(policies(), clips)
def test_no_keyframe_runs_in_the_background_of_a_policy_that_waits(
    policy: Policy, scores: list[float]
) -> None:
    chooser = PathChooser(policy)
    for score in scores:
        chooser.choose(score if chooser.wants_gate() else None)
        assert not chooser.begins_keyframe
