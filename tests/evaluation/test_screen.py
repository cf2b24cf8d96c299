"""The screen shows what a camera, a one-frame buffer and a policy make of a clip's frames."""

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.evaluation.screen import Screen, simulate
from jejunet_nas.latency.stream import frame_ms, least_stream, stream_latency
from jejunet_nas.records import PATHS, PathLatencies
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import Gate, PathChooser, walk
from jejunet_nas.video.results import Shown
from tests.made_up import path_latencies
from tests.video.build import policies, policies_in_the_background

FPS = 25.0  # 40 ms a frame
EVERY_FRAME = Policy(keyframe_interval=1)
all_policies = st.one_of(policies(), policies_in_the_background())
whole_ms = st.integers(0, 200)


@st.composite
def networks(draw: st.DrawFn) -> PathLatencies:
    propagate_ms = draw(whole_ms)
    return path_latencies(propagate_ms + draw(whole_ms), propagate_ms, draw(st.integers(0, 20)))


def screen(policy: Policy, latencies: PathLatencies, frames: int = 8, gate: float = 0.5) -> Screen:
    return simulate("bear", frames, policy, lambda *_: gate, latencies, target_fps=FPS)


def own(*frames: int | None) -> tuple[Shown | None, ...]:
    return tuple(None if frame is None else Shown(frame, frame) for frame in frames)


def test_a_network_within_the_period_is_one_frame_behind() -> None:
    found = screen(EVERY_FRAME, path_latencies(40, 1, 1), 4)

    assert found.walk.letters == "kkkk"
    assert found.shown == own(None, 0, 1, 2)


def test_a_network_of_one_and_a_half_periods_drops_frames_and_falls_behind() -> None:
    # Taken: 0 at 0, 1 at 60, 2 at 120 (as 3 arrives), 4 at 180, 5 at 240 (as 6 arrives) and 7.
    found = screen(EVERY_FRAME, path_latencies(60, 1, 1))

    assert found.walk.letters == "kkk-kk-k"
    assert found.shown == own(None, None, 0, 1, 1, 2, 4, 4)


def test_an_interval_counts_the_frames_that_are_taken() -> None:
    # 0 to 100 ms, then 2 (waiting since 80) to 110, 3 from 120 to 130, and a keyframe on frame 4.
    found = screen(Policy(keyframe_interval=3), path_latencies(100, 10, 1))

    assert found.walk.letters == "k-ppk-pp"
    assert found.shown == (
        *own(None, None, None),
        Shown(2, 0),
        Shown(3, 0),
        *(Shown(3, 0), Shown(3, 0)),
        Shown(6, 4),
    )


def test_a_frame_that_reuses_a_mask_takes_no_time_and_changes_nothing() -> None:
    reuse = Policy(keyframe_interval=4, between_keyframes="reuse")
    found = screen(reuse, path_latencies(30, 1, 1))

    assert found.walk.letters == "krrrkrrr"
    assert found.shown == own(None, 0, 0, 0, 0, 4, 4, 4)


def test_the_gate_sees_only_the_frames_that_are_taken() -> None:
    asked: list[tuple[int, int]] = []

    def gate(frame: int, keyframe: int) -> float:
        asked.append((frame, keyframe))
        return 1.0 if frame == 3 else 0.0

    policy = Policy(keyframe_interval=8, refresh_above=0.5)
    found = simulate("bear", 7, policy, gate, path_latencies(90, 10, 5), target_fps=FPS)

    # 0 to 90 ms, 2 to 105, 3 from 120 to 215 with the gate, 5 to 230, 6 from 240.
    assert found.walk.letters == "k-PK-PP"
    assert asked == [(2, 0), (3, 0), (5, 3), (6, 3)]


def test_a_keyframe_in_the_background_serves_the_frames_that_are_taken_once_it_is_done() -> None:
    found = screen(Policy(keyframe_interval=1, asynchronous=True), path_latencies(60, 10, 1))

    # The first keyframe is waited for, 60 ms; frame 1 follows then, and begins the next.
    assert found.walk == dataclasses.replace(found.walk, letters="kppppppp", lag=2)
    assert found.shown == (
        *own(None, None),
        *(Shown(frame, keyframe) for frame, keyframe in ((1, 0), (2, 0), (3, 1), (4, 1))),
        *(Shown(frame, keyframe) for frame, keyframe in ((5, 3), (6, 3))),
    )


@given(all_policies, st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_network_that_takes_no_time_shows_what_each_frame_would_show(
    policy: Policy, scores: list[float]
) -> None:
    gate = _gate(scores)
    lag = 1 if policy.asynchronous else None

    found = simulate("", len(scores), policy, gate, path_latencies(0, 0, 0), target_fps=FPS)

    taken = walk(len(scores), policy, gate, lag=lag)
    assert found.shown == taken.shown
    assert found.walk.paths == taken.paths


@given(all_policies, networks(), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_nothing_is_dropped_where_no_frame_takes_longer_than_the_period(
    policy: Policy, latencies: PathLatencies, scores: list[float]
) -> None:
    worst_ms = max(frame_ms(path, True, latencies) for path in PATHS)
    fps = 1000 / worst_ms if worst_ms else FPS

    found = simulate("", len(scores), policy, _gate(scores), latencies, target_fps=fps)

    assert "-" not in found.walk.letters
    assert stream_latency([found.walk], latencies, target_fps=fps).dropped_frames == 0


@given(all_policies, networks(), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_screen_is_that_of_a_plain_simulation_event_by_event(
    policy: Policy, latencies: PathLatencies, scores: list[float]
) -> None:
    found = simulate("", len(scores), policy, _gate(scores), latencies, target_fps=FPS)

    assert (found.walk.letters, found.shown) == _plainly(policy, latencies, scores)


@given(st.integers(1, 400), st.integers(1, 30))
def test_no_mask_is_shown_before_its_time_and_none_after_a_newer_one(ms: int, frames: int) -> None:
    found = screen(EVERY_FRAME, path_latencies(ms, 1, 1), frames).shown

    shown = [(time, mask.frame) for time, mask in enumerate(found) if mask]
    assert all(40 * (time - frame) >= ms for time, frame in shown)
    assert [frame for _, frame in shown] == sorted(frame for _, frame in shown)
    assert len(shown) == sum(40 * time >= ms for time in range(frames))


@settings(max_examples=50)
@given(all_policies, networks(), st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_what_is_refused_before_training_drops_frames_whatever_the_gate_says(
    policy: Policy, latencies: PathLatencies, scores: list[float]
) -> None:
    frames = 800  # a mean of 1/12 ms too much fills the buffer after 480
    gate = _gate(scores * frames)
    least = least_stream(policy, latencies, target_fps=FPS)

    walk = simulate("", frames, policy, gate, latencies, target_fps=FPS).walk

    found = stream_latency([walk], latencies, target_fps=FPS)
    assert least.worst_ms <= found.worst_ms
    assert found.dropped_frames > 0 or least.dropped_frames == 0
    if not policy.gated:
        assert (found.dropped_frames > 0) == (least.dropped_frames > 0)


def test_masks_ahead_are_moved_by_the_last_motion_that_was_found() -> None:
    policy = Policy(keyframe_interval=3, between_keyframes="move", ahead=True)
    latencies = path_latencies(75, 35, 1)

    found = screen(policy, latencies, 9)
    plain = screen(dataclasses.replace(policy, ahead=False), latencies, 9)

    assert found.walk == plain.walk
    assert found.walk.letters == "kmmk-mmkm"
    assert tuple(each and each._replace(ahead=()) for each in found.shown) == plain.shown
    aheads = [each and each.ahead for each in found.shown]
    # The keyframe on 3, shown at 6, has no motion and uses that of 2; frame 4 is dropped.
    assert aheads == [None, None, (), (1, 0), (2, 1), (2, 1), (2, 1), (5, 3), (6, 5)]


@pytest.mark.parametrize("frames", [1, 2])
def test_a_clip_may_end_before_the_first_mask_is_finished(frames: int) -> None:
    found = screen(EVERY_FRAME, path_latencies(500, 1, 1), frames)

    assert found.shown == (None,) * frames
    assert found.walk.letters == "kk"[:frames]  # the last frame waits, and is taken


def _gate(scores: list[float]) -> Gate:
    return lambda frame, keyframe: scores[frame]


def _plainly(
    policy: Policy, latencies: PathLatencies, scores: list[float]
) -> tuple[str, tuple[Shown | None, ...]]:
    """Simulate in steps of 1 ms: arrivals, the processor, the background and the screen."""
    frames, period = len(scores), 40
    chooser, letters = PathChooser(policy), ["-"] * frames
    shown: list[Shown | None] = []
    waiting: int | None = None
    working: tuple[Fraction, Shown] | None = None  # when it is done, and what it shows
    begun: tuple[Fraction, int] | None = None
    screen: Shown | None = None
    keyframe, now = 0, Fraction(0)
    while len(shown) < frames or waiting is not None:
        arriving = now / period if now % period == 0 and now < frames * period else None
        if working and working[0] == now:
            screen, working = working[1], None
        # The waiting frame is taken before another arrives in its place.
        for arrives in (False, True):
            if arrives and arriving is not None:
                waiting = int(arriving)
            while working is None and waiting is not None:
                frame, waiting = waiting, None
                if begun and begun[0] <= now:
                    chooser.keyframe_arrived()
                    keyframe, begun = begun[1], None
                score = scores[frame] if chooser.wants_gate() else None
                path = chooser.choose(score)
                keyframe = frame if path == "key" else keyframe
                if chooser.begins_keyframe:
                    begun = now + Fraction(latencies.key.median_ms), frame
                letters[frame] = path[0] if score is None else path[0].upper()
                over = range(keyframe + 1, frame + 1) if path in ("warp", "move") else ()
                over = tuple(t for t in over if letters[t] != "-")
                mask = Shown(frame if path in ("propagate", "warp") else keyframe, keyframe, over)
                done = now + Fraction(frame_ms(path, score is not None, latencies))
                if done == now:
                    screen = mask
                else:
                    working = done, mask
        if arriving is not None:
            shown.append(screen)
        now += 1
    return "".join(letters), tuple(shown)
