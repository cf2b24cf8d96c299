"""Int8 graphs over clips, frame by frame."""

import dataclasses

import numpy as np
import pytest

from jejunet_nas.records import Clip
from jejunet_nas.resize import thumbnails
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.walk import Walker
from tests.builders import TinyRun, tiny_run

EVERY_FRAME = Policy(keyframe_interval=1)


@pytest.fixture(scope="session")
def tiny() -> TinyRun:
    return tiny_run()


@pytest.fixture(scope="session")
def walker(tiny: TinyRun) -> Walker:
    return Walker(tiny.graphs, context_table=None)


@pytest.fixture
def clip(tiny: TinyRun) -> Clip:
    return tiny.val.clips[1]


def test_a_keyframe_every_frame_is_key_on_each(walker: Walker, clip: Clip) -> None:
    walk = walker.walk(clip, EVERY_FRAME)

    assert walk.masks.shape == (8, 32, 32)
    assert walk.masks.dtype == np.uint8
    assert walk.paths == ("key",) * 8
    assert np.isnan(walk.gate_scores).all()
    for frame, mask in zip(clip.frames, walk.masks, strict=True):
        np.testing.assert_array_equal(mask, walker.key(frame)[0])


def test_reuse_shows_the_keyframes_mask_again(walker: Walker, clip: Clip) -> None:
    walk = walker.walk(clip, Policy(keyframe_interval=3, between_keyframes="reuse"))

    assert walk.paths == ("key", "reuse", "reuse") * 2 + ("key", "reuse")
    for time in range(8):
        np.testing.assert_array_equal(walk.masks[time], walker.key(clip.frames[time // 3 * 3])[0])


def test_what_the_gate_lets_be_reused_is_the_mask_of_the_keyframe_it_compared_with(
    walker: Walker, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.5, 0.0])  # something comes by, and is gone again
    monkeypatch.setattr(walker, "gate", lambda *_: next(scores))
    three = dataclasses.replace(
        clip, frames=clip.frames[:3], masks=clip.masks[:3], annotated=clip.annotated[:3]
    )

    walk = walker.walk(three, Policy(keyframe_interval=8, reuse_below=0.1))

    assert walk.paths == ("key", "propagate", "reuse")
    np.testing.assert_array_equal(walk.masks[2], walk.masks[0])
    assert (walk.masks[1] != walk.masks[0]).any()


def test_propagate_takes_the_context_of_the_last_keyframe(walker: Walker, clip: Clip) -> None:
    walk = walker.walk(clip, Policy(keyframe_interval=4))

    for time in (1, 2, 3, 5):
        _, context = walker.key(clip.frames[time // 4 * 4])
        np.testing.assert_array_equal(
            walk.masks[time], walker.propagate(clip.frames[time], context)
        )


def test_propagate_right_after_key_on_the_same_frame_says_the_same(
    tiny: TinyRun, walker: Walker
) -> None:
    for frame in tiny.val_frames:
        mask, context = walker.key(frame)

        # Calibrated on the same frames, the graphs round alike; 1 in 100 near ties may tip.
        assert (walker.propagate(frame, context) == mask).mean() >= 0.99


def test_a_still_picture_keeps_its_mask_under_propagate(walker: Walker, clip: Clip) -> None:
    still = dataclasses.replace(clip, frames=np.repeat(clip.frames[:1], 8, axis=0))

    masks = walker.walk(still, Policy(keyframe_interval=8)).masks

    assert (masks == masks[0]).mean() >= 0.99  # as above


def test_the_gate_sees_this_frame_and_the_last_keyframe(walker: Walker, clip: Clip) -> None:
    walk = walker.walk(clip, Policy(keyframe_interval=4, refresh_above=1.0))

    small = thumbnails(clip.frames)
    expected = [
        np.nan if time % 4 == 0 else walker.gate(small[time], small[time // 4 * 4])
        for time in range(8)
    ]
    np.testing.assert_array_equal(walk.gate_scores, np.float32(expected))
    assert 0 <= np.nanmin(walk.gate_scores) <= np.nanmax(walk.gate_scores) < 1


def test_frames_below_the_threshold_reuse_and_the_others_propagate(
    walker: Walker, clip: Clip
) -> None:
    scores = walker.walk(clip, Policy(keyframe_interval=8, refresh_above=1.0)).gate_scores
    threshold = float(np.nanmedian(scores))

    walk = walker.walk(clip, Policy(keyframe_interval=8, reuse_below=threshold))

    assert walk.paths == ("key", *("reuse" if s < threshold else "propagate" for s in scores[1:]))
    assert set(walk.paths) == {"key", "reuse", "propagate"}


def test_a_clip_of_another_size_is_brought_to_the_graphs(walker: Walker, clip: Clip) -> None:
    large = dataclasses.replace(clip, frames=clip.frames.repeat(2, axis=1).repeat(3, axis=2))

    assert walker.walk(large, EVERY_FRAME).masks.shape == (8, 32, 32)


def test_a_context_goes_through_the_table_on_its_way_to_propagate(
    tiny: TinyRun, clip: Clip
) -> None:
    shift = np.clip(np.arange(256, dtype=np.uint8).view(np.int8).astype(int) + 1, -128, 127)
    direct, shifted = (
        Walker(tiny.graphs, context_table=table) for table in (None, shift.astype(np.int8))
    )

    (mask, context), (same, moved) = (w.key(clip.frames[0]) for w in (direct, shifted))

    np.testing.assert_array_equal(mask, same)
    np.testing.assert_array_equal(moved, np.minimum(context.astype(int) + 1, 127))
