import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE, Clip, Masks
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.scoring.score import combine
from tests.scoring.whole_clips import score_clip


def clip_of(masks: Masks, annotated: list[bool] | None = None, name: str = "bear") -> Clip:
    frames = np.zeros((*masks.shape, 3), dtype=np.uint8)
    known: npt.NDArray[np.bool_] = np.array(annotated or [True] * len(masks))
    return Clip(name=name, frames=frames, masks=masks, annotated=known, fps=24.0)


def halves(length: int, height: int, width: int) -> Masks:
    """Masks whose right half is class 1."""
    masks = np.zeros((length, height, width), dtype=np.uint8)
    masks[:, :, width // 2 :] = 1
    return masks


def test_masks_count_at_the_resolution_of_the_annotation() -> None:
    clip = clip_of(halves(2, 8, 12))

    score = score_clip(clip, halves(2, 2, 4), classes=2)

    assert score == ClipScore(
        name="bear", frames=2, annotated=(96, 96), intersection=(96, 96), union=(96, 96)
    )


def test_only_annotated_frames_count() -> None:
    masks = halves(3, 4, 4)
    clip = clip_of(masks, annotated=[True, False, False])
    wrong_later = masks.copy()
    wrong_later[1:] = 0

    score = score_clip(clip, wrong_later, classes=2)

    assert (score.frames, score.intersection, score.union) == (1, (8, 8), (8, 8))


def test_a_clip_without_annotated_frames_adds_nothing() -> None:
    clip = clip_of(halves(1, 4, 4), annotated=[False])

    empty = score_clip(clip, halves(1, 4, 4), classes=2)
    full = score_clip(clip_of(halves(1, 4, 4)), halves(1, 4, 4), classes=2)

    assert (empty.frames, empty.union) == (0, (0, 0))
    assert combine([full, empty]).miou == 1.0


def test_an_unknown_class_names_the_clip_and_the_frame() -> None:
    masks = halves(2, 4, 4)
    masks[1, 0, 0] = 9

    with pytest.raises(DataError, match=r"clip bear, frame 1: .* the value 9; allowed: 0 to 1"):
        score_clip(clip_of(masks), halves(2, 4, 4), classes=2)


def test_all_clips_share_one_confusion_so_long_clips_weigh_more() -> None:
    long = ClipScore(
        name="long", frames=9, annotated=(95, 35), intersection=(90, 30), union=(100, 40)
    )
    short = ClipScore(
        name="short", frames=1, annotated=(0, 10), intersection=(0, 0), union=(10, 10)
    )

    score = combine([long, short])

    assert score.class_iou == (90 / 110, 30 / 50)
    assert score.miou == pytest.approx((90 / 110 + 30 / 50) / 2)
    assert score.clips == (long, short)


def test_a_class_that_only_a_mask_shows_is_left_out_of_the_mean() -> None:
    annotation = np.zeros((1, 4, 4), dtype=np.uint8)
    wrong = annotation.copy()
    wrong[0, 0, 0] = 1

    score = combine([score_clip(clip_of(annotation), wrong, classes=2)])

    assert score.class_iou == (15 / 16, None)
    assert score.miou == 15 / 16


def test_nothing_to_score_is_told() -> None:
    with pytest.raises(DataError, match=r"no pixel .* is annotated"):
        combine([])


@given(cut=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_it_does_not_matter_where_a_video_is_cut_into_clips(cut: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.choice(np.array([0, 1, 2, IGNORE], np.uint8), (6, 3, 3))
    truth[0, 0, 0] = 0
    masks = random.integers(0, 3, (6, 3, 3), dtype=np.uint8)

    whole = combine([score_clip(clip_of(truth), masks, 3)])
    parts = [(truth[:cut], masks[:cut]), (truth[cut:], masks[cut:])]
    cut_up = combine([score_clip(clip_of(known), mask, 3) for known, mask in parts])

    assert (cut_up.miou, cut_up.class_iou) == (whole.miou, whole.class_iou)


def test_scoring_keeps_out_of_the_way_of_the_search() -> None:
    clip = clip_of(halves(100, 240, 427))
    masks = halves(100, 128, 224)

    start = time.process_time()
    score_clip(clip, masks, classes=2)

    # 0.3 ms a frame where this was written; ten times that still scores 700 frames in 2 s.
    assert time.process_time() - start < 100 * 0.003
