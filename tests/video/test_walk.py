"""A walk shows the same masks as graphs that are run frame by frame."""

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import Clip, Masks
from jejunet_nas.resize import thumbnails
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.graphs import NetworkGraphs
from jejunet_nas.video.policy import Walk, walk
from jejunet_nas.video.results import ClipResults, Shown
from tests.builders import tiny_run
from tests.video.build import MadeUpGraphs, numbered_clip, policies, policies_in_the_background
from tests.video.plain import run_plainly

EVERY_FRAME = Policy(keyframe_interval=1)
values = st.lists(st.integers(0, 255), min_size=1, max_size=40)
lags = st.integers(1, 9)


@pytest.fixture(scope="module")
def graphs() -> NetworkGraphs:
    return NetworkGraphs(tiny_run().graphs)


@pytest.fixture
def clip() -> Clip:
    return tiny_run().val.clips[1]


def taken(graphs: NetworkGraphs, clip: Clip, policy: Policy, lag: int | None = None) -> Walk:
    return walk(len(clip), policy, ClipResults(clip, graphs).gate, lag=lag)


def masks_of(graphs: NetworkGraphs, clip: Clip, policy: Policy, lag: int | None = None) -> Masks:
    results = ClipResults(clip, graphs)
    return np.stack([results.mask(shown) for shown in taken(graphs, clip, policy, lag).shown])


def assert_as_run_plainly(
    results: ClipResults, graphs: NetworkGraphs, clip: Clip, policy: Policy, lag: int | None
) -> None:
    plain = run_plainly(graphs, clip, policy, lag)
    found = walk(len(clip), policy, results.gate, lag=lag)
    assert found.paths == tuple(plain.paths)
    assert found.gate_scores == tuple(plain.scores)
    assert found.ages == tuple(plain.ages)
    for shown, mask in zip(found.shown, plain.masks, strict=True):
        np.testing.assert_array_equal(results.mask(shown), mask)


@given(st.lists(policies(), min_size=1, max_size=4), values)
def test_whatever_policies_take_out_of_one_table_is_what_each_shows_when_run_plainly(
    several: list[Policy], values: list[int]
) -> None:
    clip, graphs = numbered_clip(*values), MadeUpGraphs()
    results = ClipResults(clip, graphs)
    for policy in several:
        assert_as_run_plainly(results, graphs, clip, policy, None)


@given(st.lists(st.tuples(policies_in_the_background(), lags), min_size=1, max_size=4), values)
def test_and_so_it_is_where_keyframes_run_in_the_background(
    several: list[tuple[Policy, int]], values: list[int]
) -> None:
    clip, graphs = numbered_clip(*values), MadeUpGraphs()
    results = ClipResults(clip, graphs)
    for policy, lag in several:
        assert_as_run_plainly(results, graphs, clip, policy, lag)


def test_real_graphs_too_show_what_they_show_when_run_plainly(
    graphs: NetworkGraphs, clip: Clip
) -> None:
    results = ClipResults(clip, graphs)
    scores = [results.gate(time, 0) for time in range(1, len(clip))]
    low, high = np.quantile(scores, (0.3, 0.7)).tolist()
    kinds = itertools.product((2, 3, 8), ((None, None), (low, None), (None, high), (low, high)))
    several = [
        Policy(keyframe_interval=interval, reuse_below=below, refresh_above=above)
        for interval, (below, above) in kinds
    ]
    several += [EVERY_FRAME, Policy(keyframe_interval=3, between_keyframes="reuse")]
    several += [
        Policy(keyframe_interval=interval, between_keyframes=between, refresh_above=above)
        for between in ("warp", "move")
        for interval, above in itertools.product((3, 8), (None, high))
    ]
    assert low < high
    for policy in several:
        assert_as_run_plainly(results, graphs, clip, policy, None)
        between = policy.between_keyframes if policy.follows_motion else "propagate"
        later = dataclasses.replace(policy, between_keyframes=between, asynchronous=True)
        for lag in (1, 2, 5):
            assert_as_run_plainly(results, graphs, clip, later, lag)


@given(policies(), values)
def test_what_a_frame_makes_do_with_is_younger_than_the_interval_and_fresh_on_keyframes(
    policy: Policy, values: list[int]
) -> None:
    found = taken(MadeUpGraphs(), numbered_clip(*values), policy)

    assert max(found.ages) < policy.keyframe_interval
    assert [age == 0 for age in found.ages] == [path == "key" for path in found.paths]
    assert not any(found.begun)


@given(policies_in_the_background(), values, lags)
def test_what_comes_from_the_background_is_as_old_as_it_took_and_no_older_than_two_take(
    policy: Policy, values: list[int], lag: int
) -> None:
    found = taken(MadeUpGraphs(), numbered_clip(*values), policy, lag)

    later = [age for age, shown in zip(found.ages, found.shown, strict=True) if shown.keyframe]
    assert found.ages[0] == 0
    assert min(later, default=lag) >= lag
    # The next one begins when it is due and the last one done, and takes as long again.
    assert max(found.ages) < max(policy.keyframe_interval, lag) + lag


@given(policies_in_the_background(), values, lags)
def test_a_keyframe_that_began_is_shown_from_when_it_arrives_until_the_next_does(
    policy: Policy, values: list[int], lag: int
) -> None:
    found = taken(MadeUpGraphs(), numbered_clip(*values), policy, lag)

    keyframes = [0, *(time for time, begun in enumerate(found.begun) if begun)]
    for time, shown in enumerate(found.shown):
        there = [keyframe for keyframe in keyframes if keyframe == 0 or keyframe + lag <= time]
        assert shown.keyframe == there[-1]


@pytest.mark.parametrize("lag", [None, 1, 7])
def test_a_clip_of_one_frame_is_a_keyframe(lag: int | None) -> None:
    policy = Policy(keyframe_interval=4, reuse_below=0.1, asynchronous=lag is not None)

    found = taken(MadeUpGraphs(), numbered_clip(9), policy, lag)

    assert (found.paths, found.shown, found.ages) == (("key",), (Shown(0, 0),), (0,))
    assert (found.gate_scores, found.begun) == ((None,), (False,))


@pytest.mark.parametrize("lag", [None, 3])
def test_a_lag_goes_with_keyframes_in_the_background_alone(lag: int | None) -> None:
    policy = Policy(keyframe_interval=2, asynchronous=lag is None)

    with pytest.raises(AssertionError, match="keyframe_interval=2"):
        walk(4, policy, lambda *_: 0.0, lag=lag)


def test_a_keyframe_every_frame_is_key_on_each(graphs: NetworkGraphs, clip: Clip) -> None:
    found = taken(graphs, clip, EVERY_FRAME)
    masks = masks_of(graphs, clip, EVERY_FRAME)

    assert masks.shape == (8, 32, 32)
    assert masks.dtype == np.uint8
    assert found.paths == ("key",) * 8
    assert found.gate_scores == (None,) * 8
    for frame, mask in zip(clip.frames, masks, strict=True):
        np.testing.assert_array_equal(mask, graphs.key(frame)[0])


def test_reuse_shows_the_keyframes_mask_again(graphs: NetworkGraphs, clip: Clip) -> None:
    policy = Policy(keyframe_interval=3, between_keyframes="reuse")

    masks = masks_of(graphs, clip, policy)

    assert taken(graphs, clip, policy).paths == ("key", "reuse", "reuse") * 2 + ("key", "reuse")
    for time in range(8):
        np.testing.assert_array_equal(masks[time], graphs.key(clip.frames[time // 3 * 3])[0])


def test_what_the_gate_lets_be_reused_is_the_mask_of_the_keyframe_it_compared_with(
    graphs: NetworkGraphs, clip: Clip
) -> None:
    scores = {1: 0.5, 2: 0.0}  # something comes by, and is gone again
    results = ClipResults(clip, graphs)

    found = walk(
        3, Policy(keyframe_interval=8, reuse_below=0.1), lambda time, _: scores[time], lag=None
    )

    masks = [results.mask(shown) for shown in found.shown]
    assert found.paths == ("key", "propagate", "reuse")
    np.testing.assert_array_equal(masks[2], masks[0])
    assert (masks[1] != masks[0]).any()


def test_propagate_takes_the_context_of_the_last_keyframe(
    graphs: NetworkGraphs, clip: Clip
) -> None:
    masks = masks_of(graphs, clip, Policy(keyframe_interval=4))

    for time in (1, 2, 3, 5):
        _, context = graphs.key(clip.frames[time // 4 * 4])
        np.testing.assert_array_equal(masks[time], graphs.propagate(clip.frames[time], context))


def test_propagate_takes_the_context_of_the_last_keyframe_that_is_done(
    graphs: NetworkGraphs, clip: Clip
) -> None:
    masks = masks_of(graphs, clip, Policy(keyframe_interval=2, asynchronous=True), lag=2)

    for time, keyframe in ((1, 0), (2, 0), (3, 0), (4, 2), (5, 2), (6, 4), (7, 4)):
        _, context = graphs.key(clip.frames[keyframe])
        np.testing.assert_array_equal(masks[time], graphs.propagate(clip.frames[time], context))


def test_a_still_picture_keeps_its_mask_under_propagate(graphs: NetworkGraphs, clip: Clip) -> None:
    still = dataclasses.replace(clip, frames=np.repeat(clip.frames[:1], 8, axis=0))

    masks = masks_of(graphs, still, Policy(keyframe_interval=8))

    # Calibrated on the same frames, the graphs round alike; 1 in 100 near ties may tip.
    assert (masks == masks[0]).mean() >= 0.99


def test_the_gate_sees_this_frame_and_the_last_keyframe(graphs: NetworkGraphs, clip: Clip) -> None:
    scores = taken(graphs, clip, Policy(keyframe_interval=4, refresh_above=1.0)).gate_scores

    small: npt.NDArray[np.uint8] = thumbnails(np.asarray(clip.frames))
    expected = [
        None if time % 4 == 0 else graphs.gate(small[time], small[time // 4 * 4])
        for time in range(8)
    ]
    assert list(scores) == expected
    assert all(0 <= score < 1 for score in scores if score is not None)


def test_frames_below_the_threshold_reuse_and_the_others_propagate(
    graphs: NetworkGraphs, clip: Clip
) -> None:
    asked = taken(graphs, clip, Policy(keyframe_interval=8, refresh_above=1.0)).gate_scores
    scores = [score for score in asked if score is not None]
    threshold = float(np.median(scores))

    paths = taken(graphs, clip, Policy(keyframe_interval=8, reuse_below=threshold)).paths

    assert paths == ("key", *("reuse" if s < threshold else "propagate" for s in scores))
    assert set(paths) == {"key", "reuse", "propagate"}


def test_a_clip_of_another_size_is_brought_to_the_graphs(graphs: NetworkGraphs, clip: Clip) -> None:
    frames = np.asarray(clip.frames)
    large = dataclasses.replace(clip, frames=frames.repeat(2, axis=1).repeat(3, axis=2))

    assert masks_of(graphs, large, EVERY_FRAME).shape == (8, 32, 32)
