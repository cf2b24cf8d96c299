"""A stream's latency follows from its paths, and a floor lies under all that a policy can do."""

import functools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.latency.stream import (
    PERIOD,
    OneFrameBuffer,
    background_lag,
    frame_ms,
    frames_on_screen,
    least_stream,
    on_screen,
    stream_latency,
    ticks,
)
from jejunet_nas.records import FramePath, FramePaths, PathLatencies
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import walk
from tests.made_up import path_latencies
from tests.video.build import policies_in_the_background

durations = st.floats(0.0, 500.0)
rates = st.floats(1.0, 120.0)


def _walk(paths: Sequence[FramePath], gated: Sequence[bool] = ()) -> FramePaths:
    return FramePaths.of("bear", paths, gated or [False] * len(paths))


def least_ms(policy: Policy, latencies: PathLatencies) -> float:
    return least_stream(policy, latencies, target_fps=24.0).mean_ms


SIXTY_TEN_ONE = path_latencies(60.0, 10.0, 1.0)


def test_a_frame_pays_for_its_path_and_for_the_gate_where_it_ran() -> None:
    assert frame_ms("key", False, SIXTY_TEN_ONE) == 60
    assert frame_ms("propagate", True, SIXTY_TEN_ONE) == 11
    assert frame_ms("reuse", False, SIXTY_TEN_ONE) == 0


def test_a_keyframe_and_three_propagated_frames_are_worked_out_by_hand() -> None:
    paths: list[FramePath] = ["key", "propagate", "propagate", "propagate"]
    found = stream_latency([_walk(paths)], SIXTY_TEN_ONE, target_fps=25.0)
    assert (found.mean_ms, found.worst_ms, found.sustained_fps) == (22.5, 60.0, 1000 / 22.5)
    assert not found.every_frame
    assert found.dropped_frames == 0  # one frame waits at 60 ms, and none has been overwritten


def test_clips_are_averaged_over_their_frames_and_each_starts_idle() -> None:
    walks = [_walk(["key"]), _walk(["key", "reuse", "reuse"], [False, True, True])]
    found = stream_latency(walks, SIXTY_TEN_ONE, target_fps=10.0)
    assert found.mean_ms == (60 + 60 + 1 + 1) / 4
    assert found.every_frame


def _taken(durations_ms: Sequence[float], frames: int, fps: float) -> list[int]:
    """Return the frames of a clip that are taken, the n-th of which takes the n-th duration."""
    buffer, taken = OneFrameBuffer(frames), []
    for duration_ms in durations_ms:
        if buffer.frame < frames:
            taken.append(buffer.frame)
            buffer.process(ticks(duration_ms, fps))
    return taken


def test_a_frame_of_100_ms_lets_one_of_four_camera_frames_drop() -> None:
    # Camera every 40 ms: frame 1 (40 ms) is replaced by frame 2 (80 ms) while frame 0 is worked on.
    assert _taken([100.0, 10.0, 10.0], 4, 25.0) == [0, 2, 3]


def test_a_processor_twice_as_slow_as_the_camera_drops_half() -> None:
    assert _taken([80.0] * 1000, 1000, 25.0) == [0, *range(1, 1000, 2)]


def test_a_frame_that_arrives_just_as_the_processor_gets_idle_comes_after_the_waiting_one() -> None:
    # Frame 0 ends at 80 ms, as frame 2 arrives: frame 1 waits since 40 ms, and is taken.
    assert _taken([80.0, 0.0, 0.0], 3, 25.0) == [0, 1, 2]


@given(st.floats(1.0, 1000.0), st.integers(1, 3000))
def test_frames_of_just_the_period_are_all_taken_on_arrival_at_any_rate(
    fps: float, frames: int
) -> None:
    buffer = OneFrameBuffer(frames)
    for frame in range(frames):
        assert (buffer.frame, buffer.start) == (frame, frame * PERIOD)
        buffer.process(ticks(1000.0 / fps, fps))


@given(st.lists(durations, min_size=1, max_size=40), rates)
def test_frames_are_taken_in_order_once_they_have_arrived(clip: list[float], fps: float) -> None:
    buffer, finish, taken = OneFrameBuffer(len(clip)), 0, []
    for duration_ms in clip:
        if buffer.frame == len(clip):
            break
        assert buffer.start >= max(finish, buffer.frame * PERIOD)
        taken.append(buffer.frame)
        finish = buffer.process(ticks(duration_ms, fps))

    assert taken == sorted(set(taken))
    assert taken[0] == 0
    assert buffer.frame < len(clip) or taken[-1] == len(clip) - 1  # the newest is never dropped


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60), rates)
def test_nothing_drops_where_no_frame_takes_longer_than_the_period(
    shares: list[float], fps: float
) -> None:
    clip = [share * 1000.0 / fps for share in shares]

    assert _taken(clip, len(clip), fps) == [*range(len(clip))]


@given(st.floats(0.0, 500.0), rates, st.integers(1, 60))
def test_a_slower_processor_drops_no_fewer_frames(ms: float, fps: float, frames: int) -> None:
    fast, slow = (_taken([each] * frames, frames, fps) for each in (ms, 2 * ms))

    assert len(slow) <= len(fast)


def test_the_screen_shows_the_newest_mask_that_is_finished() -> None:
    finished = [(PERIOD, "a"), (PERIOD + 1, "b"), (2 * PERIOD, "c"), (5 * PERIOD, "d")]

    assert on_screen(finished, 5) == (None, "a", "c", "c", "c")
    assert on_screen([], 2) == (None, None)


def test_other_latencies_show_the_same_frames_unless_a_frame_is_later_or_dropped() -> None:
    walk = FramePaths(clip="bear", letters="kppkpp")
    at = functools.partial(frames_on_screen, walk, target_fps=25.0)

    assert at(path_latencies(60, 10, 1)) == (None, None, 1, 2, 2, 4)
    assert at(path_latencies(70, 8, 1)) == (None, None, 1, 2, 2, 4)
    assert at(path_latencies(75, 10, 1)) == (None, None, 0, 2, 2, 3)  # frame 1 ends at 85 ms
    assert at(path_latencies(90, 10, 1)) is None  # frame 1 is dropped
    assert at(path_latencies(40, 10, 1)) == (None, 0, 1, 2, 3, 4)


def test_frames_that_the_walk_dropped_have_to_be_dropped_again() -> None:
    walk = FramePaths(clip="bear", letters="k-kk")

    assert frames_on_screen(walk, path_latencies(85, 1, 1), target_fps=25.0) == (
        None, None, None, 0
    )  # fmt: skip
    assert frames_on_screen(walk, path_latencies(70, 1, 1), target_fps=25.0) is None


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    interval = draw(st.integers(1, 12))
    between = draw(st.sampled_from(["propagate", "reuse"]))
    gates = interval > 1
    reuse_below = draw(st.sampled_from([None, 0.2])) if gates and between == "propagate" else None
    refresh_above = draw(st.sampled_from([None, 0.7])) if gates else None
    return Policy(
        keyframe_interval=interval,
        between_keyframes=between,
        reuse_below=reuse_below,
        refresh_above=refresh_above,
    )


@st.composite
def streams(draw: st.DrawFn) -> tuple[Policy, list[FramePath], list[bool]]:
    """Return a policy, and what it may do to a clip of any length."""
    policy = draw(policies())
    choices: list[FramePath] = [policy.between_keyframes]
    choices += ["reuse"] if policy.reuse_below is not None else []
    choices += ["key"] if policy.refresh_above is not None else []
    paths: list[FramePath] = []
    gated: list[bool] = []
    since_key = policy.keyframe_interval
    for _ in range(draw(st.integers(1, 40))):
        forced = since_key >= policy.keyframe_interval
        paths.append("key" if forced else draw(st.sampled_from(choices)))
        gated.append(policy.gated and not forced)
        since_key = 1 if paths[-1] == "key" else since_key + 1
    return policy, paths, gated


# A keyframe takes as long as any other path with the gate.
network_latencies = st.builds(
    lambda more, propagate, gate: path_latencies(propagate + gate + more, propagate, gate, more),
    *(st.floats(0.01, 200.0) for _ in range(3)),
)


def _in_the_background(letters: str, lag: int = 2) -> FramePaths:
    return FramePaths(clip="bear", letters=letters, lag=lag)


def test_where_keyframes_run_in_the_background_only_the_start_waits_and_it_is_told_apart() -> None:
    walks = [_in_the_background("kppR"), _in_the_background("kr")]

    found = stream_latency(walks, SIXTY_TEN_ONE, target_fps=25.0)

    assert found.startup_ms == 60
    assert found.mean_ms == (10 + 10 + 1 + 0) / 4
    assert (found.worst_ms, found.every_frame, found.dropped_frames) == (10, True, 0)
    assert found.doubts == ()


def test_where_each_keyframe_is_waited_for_there_is_no_other_start() -> None:
    found = stream_latency([_walk(["key", "propagate"])], SIXTY_TEN_ONE, target_fps=5.0)

    assert (found.startup_ms, found.worst_ms, found.doubts) == (None, 60, ())


def test_a_clip_of_nothing_but_its_start_is_all_start() -> None:
    found = stream_latency([_in_the_background("k")], SIXTY_TEN_ONE, target_fps=25.0)

    assert (found.mean_ms, found.startup_ms) == (60, 60)


def test_frames_that_run_no_graph_are_sustained_at_any_rate() -> None:
    found = stream_latency([_in_the_background("krrr")], SIXTY_TEN_ONE, target_fps=25.0)

    assert (found.mean_ms, found.sustained_fps) == (0, math.inf)


@pytest.mark.parametrize(
    ("key_ms", "fps", "lag"), [(0.0, 25.0, 1), (40.0, 25.0, 1), (40.1, 25.0, 2), (250.0, 24.0, 6)]
)
def test_a_keyframe_is_there_for_the_first_frame_that_comes_once_it_is_done(
    key_ms: float, fps: float, lag: int
) -> None:
    assert background_lag(path_latencies(key_ms, 1.0, 1.0), target_fps=fps) == lag


@given(durations, rates)
def test_a_lag_is_the_fewest_frames_that_last_as_long_as_the_keyframe(
    key_ms: float, fps: float
) -> None:
    lag, period_ms = background_lag(path_latencies(key_ms, 1.0, 1.0), target_fps=fps), 1000 / fps

    assert lag >= 1
    assert lag * period_ms >= key_ms * (1 - 1e-9)
    assert lag == 1 or (lag - 1) * period_ms < key_ms * (1 + 1e-9)


def test_frames_that_are_dropped_take_no_time_and_are_counted() -> None:
    found = stream_latency([FramePaths(clip="bear", letters="k-pp-")], SIXTY_TEN_ONE, target_fps=9)

    assert (found.mean_ms, found.dropped_frames) == (80 / 3, 0.4)


def test_what_is_dropped_before_the_first_keyframe_in_the_background_is_its_start() -> None:
    walk = _in_the_background("k--p-ppp")

    found = stream_latency([walk], SIXTY_TEN_ONE, target_fps=25.0, doubts=("spread",))

    assert (found.dropped_frames, found.doubts) == (1 / 6, ("spread",))


@st.composite
def streams_in_the_background(draw: st.DrawFn) -> tuple[Policy, FramePaths]:
    """Return a policy with keyframes in the background, and a walk that it may take."""
    policy = draw(policies_in_the_background())
    scores = draw(st.lists(st.floats(0, 1), min_size=1, max_size=40))
    lag = draw(st.integers(1, 5))
    taken = walk(len(scores), policy, lambda time, _: scores[time], lag=lag)
    gated = [score is not None for score in taken.gate_scores]
    return policy, FramePaths.of("bear", taken.paths, gated, lag=lag)


def test_the_floor_in_the_background_counts_on_no_keyframe_however_quick() -> None:
    quick_keyframes = path_latencies(5.0, 10.0, 1.0)
    policy = Policy(keyframe_interval=4, refresh_above=0.6, asynchronous=True)

    assert least_ms(policy, quick_keyframes) == 10


@given(streams_in_the_background(), network_latencies, rates)
def test_no_stream_with_keyframes_in_the_background_beats_the_floor_of_its_policy(
    stream: tuple[Policy, FramePaths], latencies: PathLatencies, fps: float
) -> None:
    policy, walk = stream

    found = stream_latency([walk], latencies, target_fps=fps)

    assert least_ms(policy, latencies) <= found.mean_ms * (1 + 1e-9)
    assert found.startup_ms == latencies.key.median_ms


@given(streams(), network_latencies, rates)
def test_the_mean_lies_between_the_floor_and_the_worst_frame(
    stream: tuple[Policy, list[FramePath], list[bool]], latencies: PathLatencies, fps: float
) -> None:
    policy, paths, gated = stream
    found = stream_latency([_walk(paths, gated)], latencies, target_fps=fps)
    best_ms = min(map(frame_ms, paths, gated, [latencies] * len(paths)))
    assert best_ms <= found.mean_ms * (1 + 1e-9)
    assert found.mean_ms <= found.worst_ms * (1 + 1e-9)
    assert least_ms(policy, latencies) <= found.mean_ms * (1 + 1e-9)
    assert found.every_frame == (found.worst_ms <= 1000 / fps)


@given(st.integers(1, 12), st.sampled_from(["propagate", "reuse"]), network_latencies)
def test_without_a_gate_the_floor_is_the_mean_of_whole_intervals(
    interval: int, between: FramePath, latencies: PathLatencies
) -> None:
    policy = Policy(keyframe_interval=interval, between_keyframes=between)  # type: ignore[arg-type]
    paths: list[FramePath] = (["key"] + [between] * (interval - 1)) * 3
    found = stream_latency([_walk(paths)], latencies, target_fps=24.0)
    assert math.isclose(least_ms(policy, latencies), found.mean_ms)


@pytest.mark.parametrize(
    ("policy", "expected_ms"),
    [
        (Policy(keyframe_interval=1), 60),
        (Policy(keyframe_interval=4), (60 + 3 * 10) / 4),
        (Policy(keyframe_interval=4, between_keyframes="reuse"), 60 / 4),
        (Policy(keyframe_interval=4, reuse_below=0.1), (60 + 3 * 1) / 4),
        (Policy(keyframe_interval=4, refresh_above=0.6), (60 + 3 * 11) / 4),
        (Policy(keyframe_interval=2, between_keyframes="reuse", refresh_above=0.6), (60 + 1) / 2),
        (Policy(keyframe_interval=1, asynchronous=True), 10),
        (Policy(keyframe_interval=4, reuse_below=0.1, asynchronous=True), 1),
        (Policy(keyframe_interval=4, refresh_above=0.6, asynchronous=True), 10),
        (Policy(keyframe_interval=4, reuse_below=0.1, refresh_above=0.6, asynchronous=True), 1),
    ],
    ids=str,
)
def test_the_floor_of_a_policy_is_worked_out_by_hand(policy: Policy, expected_ms: float) -> None:
    assert least_ms(policy, SIXTY_TEN_ONE) == pytest.approx(expected_ms)


@pytest.mark.parametrize(
    ("policy", "dropped", "worst_ms"),
    [
        (Policy(keyframe_interval=1), 1 - 40 / 60, 60),  # 60 ms every 40 ms
        (Policy(keyframe_interval=4), 0, 60),  # frame 1 waits 20 ms, and no other comes meanwhile
        (Policy(keyframe_interval=1, asynchronous=True), 0, 10),
    ],
    ids=str,
)
def test_the_least_that_a_policy_drops_is_worked_out_by_hand(
    policy: Policy, dropped: float, worst_ms: float
) -> None:
    found = least_stream(policy, SIXTY_TEN_ONE, target_fps=25.0)

    assert found.dropped_frames == pytest.approx(dropped)
    assert found.worst_ms == worst_ms


def test_a_keyframe_of_more_than_two_periods_drops_frames_however_rare_it_is() -> None:
    rare = Policy(keyframe_interval=8)

    assert least_stream(rare, path_latencies(80.0, 1.0, 1.0), target_fps=25.0).dropped_frames == 0
    found = least_stream(rare, path_latencies(81.0, 1.0, 1.0), target_fps=25.0)
    assert found.dropped_frames == pytest.approx(1 / 9)
    assert found.mean_ms < 12
