"""Frames one by one get the same masks as a walk over the clip, with and without a thread."""

import dataclasses
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.records import Clip
from jejunet_nas.resize import resize_mask, thumbnails
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.graphs import NetworkGraphs
from jejunet_nas.video.policy import walk
from jejunet_nas.video.results import ClipResults, Shown
from jejunet_nas.video.runtime import Segmentation, VideoSegmenter
from tests.builders import tiny_run
from tests.export.bundles import write_tiny
from tests.video.build import moved_on
from tests.video.bundles import LAG, tiny_bundle

LONG_S = 30.0  # after which a test that waits for a thread has failed
BACKGROUND = Policy(keyframe_interval=3, asynchronous=True)
Frames = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def frames() -> Frames:
    """Two clips in a row, with a cut at frame 8."""
    return tiny_run().val_frames


@pytest.fixture(scope="module")
def results(frames: Frames) -> ClipResults:
    masks = np.zeros(frames.shape[:3], np.uint8)
    clip = Clip(
        name="two", frames=frames, masks=masks, annotated=np.zeros(len(frames), np.bool_), fps=24
    )
    return ClipResults(clip, NetworkGraphs(tiny_run().graphs))


@pytest.fixture(scope="module")
def scores(results: ClipResults) -> list[float]:
    """Two thresholds with which a clip takes every path, as brief training leaves the gate."""
    said = np.unique([results.gate(t, k) for t in range(1, 16) for k in range(t)])
    between = ((said[1:] + said[:-1]) / 2).tolist()
    for low, high in itertools.combinations(between, 2):
        policy = POLICIES["gate does both"](low, high)
        if len({*walk(16, policy, results.gate).paths}) == 3:
            return [low, high]
    raise AssertionError(said)


class SlowKey:
    """A key graph that runs until it is let go, but for the first frame."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go, self.threads = threading.Event(), list[str]()
        key = NetworkGraphs.key

        def slow(graphs: NetworkGraphs, frame: Frames) -> Any:
            self.threads.append(threading.current_thread().name)
            if len(self.threads) > 1:
                assert self.go.wait(LONG_S)
            return key(graphs, frame)

        monkeypatch.setattr(NetworkGraphs, "key", slow)


@pytest.fixture
def slow_key(monkeypatch: pytest.MonkeyPatch) -> SlowKey:
    return SlowKey(monkeypatch)


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG_S
    while not done():
        assert time.monotonic() < end
        time.sleep(0.001)


POLICIES: dict[str, Callable[[float, float], Policy]] = {
    "every frame": lambda low, high: Policy(keyframe_interval=1),
    "fixed": lambda low, high: Policy(keyframe_interval=3),
    "reuse": lambda low, high: Policy(keyframe_interval=4, between_keyframes="reuse"),
    "warp": lambda low, high: Policy(keyframe_interval=5, between_keyframes="warp"),
    "background, warp": lambda low, high: Policy(
        keyframe_interval=4, between_keyframes="warp", asynchronous=True
    ),
    "move": lambda low, high: Policy(keyframe_interval=5, between_keyframes="move"),
    "move, gate refreshes": lambda low, high: Policy(
        keyframe_interval=8, between_keyframes="move", refresh_above=high
    ),
    "gate reuses": lambda low, high: Policy(keyframe_interval=8, reuse_below=low),
    "gate refreshes": lambda low, high: Policy(keyframe_interval=8, refresh_above=high),
    "gate does both": lambda low, high: Policy(
        keyframe_interval=9, reuse_below=low, refresh_above=high
    ),
    "background": lambda low, high: BACKGROUND,
    "background, always": lambda low, high: Policy(keyframe_interval=1, asynchronous=True),
    "background, move": lambda low, high: Policy(
        keyframe_interval=4, between_keyframes="move", asynchronous=True
    ),
    "background, move, always": lambda low, high: Policy(
        keyframe_interval=1, between_keyframes="move", asynchronous=True
    ),
    "background, gate does both": lambda low, high: Policy(
        keyframe_interval=9, reuse_below=low, refresh_above=high, asynchronous=True
    ),
    "background, gate reuses": lambda low, high: Policy(
        keyframe_interval=1, reuse_below=low, asynchronous=True
    ),
}


@pytest.mark.parametrize("lag", [1, 2, 5])
@pytest.mark.parametrize("name", POLICIES)
def test_frames_one_by_one_show_what_a_walk_over_the_clip_shows(
    name: str, lag: int, frames: Frames, results: ClipResults, scores: list[float]
) -> None:
    policy = POLICIES[name](*scores)

    with VideoSegmenter(tiny_bundle(policy, keyframe_lag=lag)) as segmenter:
        shown = [segmenter.segment(frame) for frame in frames]

    taken = walk(len(frames), policy, results.gate, lag=lag if policy.asynchronous else None)
    assert tuple(each.path for each in shown) == taken.paths
    assert tuple(each.gate_score for each in shown) == taken.gate_scores
    assert tuple(each.keyframe_began for each in shown) == taken.begun
    assert tuple(each.age_frames for each in shown) == taken.ages
    for each, of in zip(shown, taken.shown, strict=True):
        np.testing.assert_array_equal(each.mask, results.mask(of))


@pytest.mark.parametrize(
    "name", ["warp", "move", "move, gate refreshes", "background, warp", "background, move, always"]
)
def test_a_mask_ahead_is_the_mask_that_the_screen_of_the_score_shows(
    name: str, frames: Frames, results: ClipResults, scores: list[float]
) -> None:
    policy = dataclasses.replace(POLICIES[name](*scores), ahead=True)

    with VideoSegmenter(tiny_bundle(policy, keyframe_lag=2)) as segmenter:
        shown = [segmenter.ahead(segmenter.segment(frame).mask) for frame in frames]

    taken = walk(len(frames), policy, results.gate, lag=2 if policy.asynchronous else None)
    wanted = [results.mask(each) for each in moved_on(taken)]
    np.testing.assert_equal(shown, wanted)
    own = [results.mask(each) for each in taken.shown]
    assert any(not np.array_equal(*pair) for pair in zip(wanted, own, strict=True))


@pytest.mark.parametrize("name", ["every frame", "fixed", "warp"])
def test_a_policy_without_ahead_has_no_such_mask(name: str, frames: Frames) -> None:
    with VideoSegmenter(tiny_bundle(POLICIES[name](0.1, 0.5))) as segmenter:
        mask = segmenter.segment(frames[0]).mask
        with pytest.raises(SettingError, match=r"ahead is off in .* policy; allowed: on\. Export"):
            segmenter.ahead(mask)


def test_the_policies_of_that_test_take_every_path(
    frames: Frames, results: ClipResults, scores: list[float]
) -> None:
    policy = POLICIES["gate does both"](*scores)

    assert {*walk(len(frames), policy, results.gate).paths} == {"key", "propagate", "reuse"}


@pytest.mark.parametrize("policy", [Policy(keyframe_interval=9), BACKGROUND])
def test_after_a_reset_the_next_frame_is_a_keyframe(policy: Policy, frames: Frames) -> None:
    with VideoSegmenter(tiny_bundle(policy)) as segmenter:
        for frame in frames[:5]:  # in the background, one has just begun
            segmenter.segment(frame)
        segmenter.reset()
        again = [segmenter.segment(frame) for frame in frames[8:]]
        anew = VideoSegmenter(tiny_bundle(policy))
        alone = [anew.segment(frame) for frame in frames[8:]]
        anew.close()

    assert (again[0].path, again[0].age_frames) == ("key", 0)
    for one, other in zip(again, alone, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
        assert (one.path, one.keyframe_began) == (other.path, other.keyframe_began)


def test_a_reset_drops_the_keyframe_in_flight(slow_key: SlowKey, frames: Frames) -> None:
    with VideoSegmenter(tiny_bundle(BACKGROUND), pace="live") as segmenter:
        for frame in frames[:4]:
            segmenter.segment(frame)
        begun = segmenter._begun
        assert begun is not None
        slow_key.go.set()
        until(begun.result.done)
        segmenter.reset()
        shown = [segmenter.segment(frame) for frame in frames[8:11]]

    assert [each.path for each in shown] == ["key", "propagate", "propagate"]
    assert [each.age_frames for each in shown] == [0, 1, 2]


def test_a_cut_that_the_gate_sees_is_a_keyframe_at_once(
    frames: Frames, results: ClipResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_cut = {each.tobytes() for each in thumbnails(frames[:8])}

    def gate(self: NetworkGraphs, now: Frames, keyframe: Frames) -> float:
        return float((now.tobytes() in before_cut) != (keyframe.tobytes() in before_cut))

    monkeypatch.setattr(NetworkGraphs, "gate", gate)
    policy = Policy(keyframe_interval=60, refresh_above=0.5)
    with VideoSegmenter(tiny_bundle(policy)) as segmenter:
        shown = [segmenter.segment(frame) for frame in frames]

    assert [t for t, each in enumerate(shown) if each.path == "key"] == [0, 8]
    np.testing.assert_array_equal(shown[8].mask, results.mask(Shown(8, 8)))
    np.testing.assert_array_equal(shown[9].mask, results.mask(Shown(9, 8)))


def test_live_frames_never_wait_and_take_up_the_keyframe_once_it_is_done(
    slow_key: SlowKey, frames: Frames, results: ClipResults
) -> None:
    policy = Policy(keyframe_interval=2, asynchronous=True)
    with VideoSegmenter(tiny_bundle(policy), pace="live") as segmenter:
        before = [segmenter.segment(frame) for frame in frames[:12]]
        slow_key.go.set()
        begun = segmenter._begun
        assert begun is not None
        until(begun.result.done)
        after = segmenter.segment(frames[12])

    assert [each.age_frames for each in before] == list(range(12))  # keyframe 0 for all of them
    assert [t for t, each in enumerate(before) if each.keyframe_began] == [2]
    assert after.age_frames == 10
    assert after.keyframe_began
    assert all(name.startswith("keyframe") for name in slow_key.threads)
    np.testing.assert_array_equal(
        after.mask, results._graphs.propagate(frames[12], results._context(2))
    )


def test_scored_frames_wait_for_the_keyframe_that_is_due(slow_key: SlowKey, frames: Frames) -> None:
    policy = Policy(keyframe_interval=2, asynchronous=True)
    with VideoSegmenter(tiny_bundle(policy)) as segmenter:
        for frame in frames[: 2 + LAG]:
            segmenter.segment(frame)
        threading.Timer(0.05, slow_key.go.set).start()
        began = time.monotonic()
        shown = segmenter.segment(frames[2 + LAG])

    assert shown.age_frames == LAG
    assert time.monotonic() - began >= 0.04


def test_closing_waits_for_the_keyframe_in_flight_and_leaves_no_thread(
    slow_key: SlowKey, frames: Frames
) -> None:
    segmenter = VideoSegmenter(tiny_bundle(BACKGROUND), pace="live")
    for frame in frames[:5]:
        segmenter.segment(frame)
    threading.Timer(0.05, slow_key.go.set).start()

    segmenter.close()

    assert not [t for t in threading.enumerate() if t.name.startswith("keyframe")]
    with pytest.raises(SettingError, match=r"segmenter is closed\. Create another"):
        segmenter.segment(frames[0])


@pytest.mark.parametrize("pace", ["live", "scored"])
def test_an_error_in_the_background_is_raised_and_the_next_frame_starts_again(
    pace: Any, frames: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = VideoSegmenter(tiny_bundle(BACKGROUND), pace=pace)
    segmenter.segment(frames[0])
    with monkeypatch.context() as broken:
        broken.setattr(NetworkGraphs, "key", lambda *_: 1 / 0)
        for frame in frames[1:4]:
            segmenter.segment(frame)
        begun = segmenter._begun
        assert begun is not None
        until(begun.result.done)
        if pace == "scored":
            segmenter.segment(frames[4])  # it is not due before frame 3 + LAG
        with pytest.raises(ZeroDivisionError, match="division by zero"):
            segmenter.segment(frames[5])

    assert segmenter.segment(frames[9]).path == "key"
    segmenter.close()


def test_a_caller_may_use_one_array_for_all_frames(
    slow_key: SlowKey, frames: Frames, results: ClipResults
) -> None:
    held = frames[0].copy()
    shown: list[Segmentation] = []
    with VideoSegmenter(tiny_bundle(BACKGROUND)) as segmenter:
        for frame in frames[: 3 + LAG + 1]:
            held[:] = frame
            if len(shown) == 3 + LAG:
                slow_key.go.set()  # not before frame 3 is gone from the array
            shown.append(segmenter.segment(held))

    taken = walk(3 + LAG + 1, BACKGROUND, results.gate, lag=LAG)
    for each, of in zip(shown, taken.shown, strict=True):
        np.testing.assert_array_equal(each.mask, results.mask(of))


@pytest.mark.parametrize("size", [(1, 1), (37, 91), (200, 33), (64, 64)])
def test_any_size_and_aspect_is_segmented_and_may_be_had_back(size: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)

    with VideoSegmenter(tiny_bundle(Policy(keyframe_interval=1))) as segmenter:
        small = segmenter.segment(frame)
        whole = segmenter.segment(frame[:, ::-1][:, ::-1], full_size=True)  # strides are no matter

    assert small.mask.shape == (32, 32)
    assert whole.mask.shape == size
    np.testing.assert_array_equal(whole.mask, resize_mask(small.mask, *size))
    np.testing.assert_array_equal(whole.mask, small.at(*size))


def test_a_mask_is_read_only_as_reuse_shows_it_again(frames: Frames) -> None:
    policy = Policy(keyframe_interval=4, between_keyframes="reuse")
    with VideoSegmenter(tiny_bundle(policy)) as segmenter:
        mask = segmenter.segment(frames[0]).mask
        with pytest.raises(ValueError, match="read-only"):
            mask[0, 0] = 1
        assert np.array_equal(segmenter.segment(frames[1]).mask, mask)


def test_a_bundles_folder_or_zip_is_as_good_as_a_bundle(frames: Frames, tmp_path: Any) -> None:
    policy = Policy(keyframe_interval=2)
    bundle = tiny_bundle(policy)
    folder, archive = write_tiny(tmp_path / "b", policy), write_tiny(tmp_path / "b.zip", policy)

    for place in (folder, archive):
        with VideoSegmenter(bundle) as one, VideoSegmenter(place, threads=2) as other:
            for frame in frames[:3]:
                assert np.array_equal(one.segment(frame).mask, other.segment(frame).mask)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), r"float32 \[4, 4, 3\]; allowed: uint8"),
        (np.zeros((4, 4), np.uint8), r"uint8 \[4, 4\]; allowed: uint8 \[height, width, 3\]"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \[4, 4, 4\]; allowed"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8 \[0, 4, 3\]; allowed"),
        ("a.png", r"the frame is str \[\]; allowed"),
    ],
)
def test_what_is_no_frame_is_refused(frame: Any, words: str) -> None:
    with (
        VideoSegmenter(tiny_bundle(BACKGROUND)) as segmenter,
        pytest.raises(SettingError, match=words),
    ):
        segmenter.segment(frame)


def test_an_unknown_pace_or_number_of_threads_is_refused() -> None:
    bundle = tiny_bundle(BACKGROUND)

    with pytest.raises(SettingError, match="pace is fast; allowed: scored, live"):
        VideoSegmenter(bundle, pace="fast")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="threads is 0; allowed: 1 to 256"):
        VideoSegmenter(bundle, threads=0)
    with pytest.raises(SettingError, match=r"threads is 257; allowed: .* nearest is 256\."):
        VideoSegmenter(bundle, threads=257)
