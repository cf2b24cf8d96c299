"""A stream's latency follows from its paths, and a floor lies under all that a policy can do."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.latency.stream import (
    background_lag,
    count_frames,
    floor_ms,
    frame_ms,
    stream_latency,
)
from jejunet_nas.records import FramePath, FramePaths, Latency, PathLatencies
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import walk
from tests.video.build import policies_in_the_background

durations = st.floats(0.0, 500.0)
rates = st.floats(1.0, 120.0)


def _latencies(key_ms: float, propagate_ms: float, gate_ms: float) -> PathLatencies:
    key, propagate, gate = (
        Latency(median_ms=ms, low_ms=ms, high_ms=ms, source="predicted", threads=1)
        for ms in (key_ms, propagate_ms, gate_ms)
    )
    return PathLatencies(key=key, propagate=propagate, gate=gate)


def _walk(paths: Sequence[FramePath], gated: Sequence[bool] = ()) -> FramePaths:
    return FramePaths.of("bear", paths, gated or [False] * len(paths))


SIXTY_TEN_ONE = _latencies(60.0, 10.0, 1.0)


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


def test_a_frame_of_100_ms_lets_one_of_four_camera_frames_drop() -> None:
    # Camera every 40 ms: frame 1 (40 ms) is replaced by frame 2 (80 ms) while frame 0 is worked on.
    assert count_frames([100.0, 10.0, 10.0], 40.0) == (4, 1)


def test_a_processor_twice_as_slow_as_the_camera_drops_half() -> None:
    arrived, dropped = count_frames([80.0] * 1000, 40.0)
    assert dropped / arrived == pytest.approx(0.5, abs=0.001)


@given(st.lists(durations, min_size=1, max_size=40), st.floats(10.0, 100.0))
def test_every_processed_frame_arrived_and_at_most_one_waits_at_the_end(
    clip: list[float], period_ms: float
) -> None:
    arrived, dropped = count_frames(clip, period_ms)
    assert 0 <= dropped < arrived
    assert arrived - dropped - len(clip) in (0, 1)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60), rates)
def test_nothing_drops_where_no_frame_takes_longer_than_the_period(
    shares: list[float], fps: float
) -> None:
    period_ms = 1000.0 / fps
    _, dropped = count_frames([share * period_ms for share in shares], period_ms)
    assert dropped == 0


@given(st.lists(durations, min_size=1, max_size=40), st.floats(10.0, 100.0))
def test_a_slower_processor_drops_no_fewer_frames(clip: list[float], period_ms: float) -> None:
    _, dropped = count_frames(clip, period_ms)
    _, dropped_by_slower = count_frames([2 * ms for ms in clip], period_ms)
    assert dropped_by_slower >= dropped


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


# A keyframe holds all that a propagated frame does, and the gate is small beside both.
network_latencies = st.builds(
    lambda more, propagate, gate: _latencies(propagate + gate + more, propagate, gate),
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
    assert background_lag(_latencies(key_ms, 1.0, 1.0), target_fps=fps) == lag


@given(durations, rates)
def test_a_lag_is_the_fewest_frames_that_last_as_long_as_the_keyframe(
    key_ms: float, fps: float
) -> None:
    lag, period_ms = background_lag(_latencies(key_ms, 1.0, 1.0), target_fps=fps), 1000 / fps

    assert lag >= 1
    assert lag * period_ms >= key_ms * (1 - 1e-9)
    assert lag == 1 or (lag - 1) * period_ms < key_ms * (1 + 1e-9)


def test_a_latency_that_means_another_lag_than_the_masks_were_scored_with_is_doubted() -> None:
    walk = _in_the_background("kpp", lag=3)

    found = stream_latency([walk], SIXTY_TEN_ONE, target_fps=25.0, doubts=("spread",))

    assert found.doubts == (
        "spread",
        "a keyframe takes 2 frame(s) in the background, and the masks were scored with 3",
    )


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
    quick_keyframes = _latencies(5.0, 10.0, 1.0)
    policy = Policy(keyframe_interval=4, refresh_above=0.6, asynchronous=True)

    assert floor_ms(policy, quick_keyframes) == 10


@given(streams_in_the_background(), network_latencies, rates)
def test_no_stream_with_keyframes_in_the_background_beats_the_floor_of_its_policy(
    stream: tuple[Policy, FramePaths], latencies: PathLatencies, fps: float
) -> None:
    policy, walk = stream

    found = stream_latency([walk], latencies, target_fps=fps)

    assert floor_ms(policy, latencies) <= found.mean_ms * (1 + 1e-9)
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
    assert floor_ms(policy, latencies) <= found.mean_ms * (1 + 1e-9)
    assert found.every_frame == (found.worst_ms <= 1000 / fps)


@given(st.integers(1, 12), st.sampled_from(["propagate", "reuse"]), network_latencies)
def test_without_a_gate_the_floor_is_the_mean_of_whole_intervals(
    interval: int, between: FramePath, latencies: PathLatencies
) -> None:
    policy = Policy(keyframe_interval=interval, between_keyframes=between)  # type: ignore[arg-type]
    paths: list[FramePath] = (["key"] + [between] * (interval - 1)) * 3
    found = stream_latency([_walk(paths)], latencies, target_fps=24.0)
    assert math.isclose(floor_ms(policy, latencies), found.mean_ms)


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
    assert floor_ms(policy, SIXTY_TEN_ONE) == pytest.approx(expected_ms)
