import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import IGNORE, Clip, Masks, from_json, to_json
from jejunet_nas.records.scores import ClipTemporal, TemporalScore
from jejunet_nas.scoring.boundary import FrameAccuracy
from jejunet_nas.scoring.miou import ClassMap
from jejunet_nas.scoring.temporal import (
    clip_temporal,
    combine_temporal,
    flicker,
    object_classes,
    staleness,
)
from tests.scoring.whole_clips import score_temporal

STEADY = ClipTemporal(
    name="bear",
    region=(0.8,),
    boundary=(0.6,),
    changed_px=10,
    steady_px=100,
    frames=4,
    mean_age_frames=1.5,
    longest_stale_frames=3,
)


def picture(*rows: list[int]) -> ClassMap:
    return np.array(rows, dtype=np.uint8)


def clip_of(masks: Masks, annotated: list[bool] | None = None) -> Clip:
    frames = np.zeros((*masks.shape, 3), dtype=np.uint8)
    known: npt.NDArray[np.bool_] = np.array(annotated or [True] * len(masks))
    return Clip(name="bear", frames=frames, masks=masks, annotated=known, fps=24.0)


def halves(length: int, height: int, width: int) -> Masks:
    """Masks whose right half is class 1."""
    masks = np.zeros((length, height, width), dtype=np.uint8)
    masks[:, :, width // 2 :] = 1
    return masks


def frame(
    region: float | None, boundary: float | None = None, annotated: bool = True
) -> FrameAccuracy:
    """The accuracy of a frame with one scored class."""
    return FrameAccuracy(region=(region,), boundary=(boundary,), annotated=(annotated,))


@pytest.mark.parametrize("name", ["background", "Background", "BACKGROUND"])
def test_the_background_is_no_object(name: str) -> None:
    assert object_classes((name, "dog", "cat")) == (1, 2)


def test_where_no_class_is_the_background_all_are_scored() -> None:
    assert object_classes(("sky", "background", "road")) == (0, 1, 2)
    assert object_classes(()) == ()


def test_a_pixel_flickers_where_its_label_changes_and_its_annotation_does_not() -> None:
    changed, steady = flicker(
        previous_annotation=picture([0, 0, 1, 1, 0]),
        annotation=picture([0, 0, 1, 1, 1]),
        previous_mask=picture([0, 0, 1, 0, 0]),
        mask=picture([0, 1, 1, 1, 1]),
    )

    assert (changed, steady) == (2, 4)


def test_a_label_that_stays_wrong_does_not_flicker() -> None:
    annotation, wrong = picture([0, 1]), picture([1, 0])

    assert flicker(annotation, annotation, wrong, wrong) == (0, 2)


def test_pixels_that_are_unknown_in_either_frame_are_not_considered() -> None:
    before, after = picture([IGNORE, 0, IGNORE, 1]), picture([IGNORE, IGNORE, 0, 1])

    assert flicker(before, after, picture([0, 0, 0, 0]), picture([1, 1, 1, 1])) == (1, 1)
    assert flicker(before, before * 0 + IGNORE, before * 0, before * 0 + 1) == (0, 0)


@pytest.mark.parametrize(
    ("ages", "mean", "longest"),
    [
        ([0], 0.0, 0),
        ([0, 0, 0], 0.0, 0),
        ([0, 1, 2, 0, 1], 4 / 5, 2),
        ([0, 1, 0, 1, 2, 3], 7 / 6, 3),
        ([3, 4, 0], 7 / 3, 4),
        ([0, 1, 1, 1], 3 / 4, 1),
    ],
)
def test_staleness_is_the_mean_and_the_highest_age_of_the_keyframes_in_use(
    ages: list[int], mean: float, longest: int
) -> None:
    assert staleness(ages) == (pytest.approx(mean), longest)


@given(every=st.integers(1, 9), rounds=st.integers(1, 5))
def test_a_keyframe_every_n_frames_is_on_average_half_of_n_minus_1_old(
    every: int, rounds: int
) -> None:
    mean, longest = staleness([*range(every)] * rounds)

    assert (mean, longest) == (pytest.approx((every - 1) / 2), every - 1)


def test_staleness_of_no_frames_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError):
        staleness([])


def test_a_clips_j_and_f_are_means_over_the_frames_that_have_the_class() -> None:
    frames = [frame(0.5, 0.25), frame(None, None, annotated=False), frame(1.0, 0.75)]

    clip = clip_temporal("bear", frames, [(1, 10), (2, 20)], [0, 1, 2, 3], classes=1)

    assert clip == ClipTemporal(
        name="bear",
        region=(0.75,),
        boundary=(0.5,),
        changed_px=3,
        steady_px=30,
        frames=4,
        mean_age_frames=1.5,
        longest_stale_frames=3,
    )


def test_a_frame_that_wrongly_shows_an_object_of_the_clip_counts_0() -> None:
    frames = [frame(1.0, 1.0), frame(0.0, 0.0, annotated=False)]

    assert clip_temporal("bear", frames, [], [0, 0], classes=1).region == (0.5,)


def test_a_class_that_only_masks_show_is_no_object_of_the_clip() -> None:
    clip = clip_temporal("bear", [frame(0.0, 0.0, annotated=False)], [], [0], classes=1)

    assert (clip.region, clip.boundary) == ((None,), (None,))


def test_each_object_of_each_clip_weighs_the_same_however_long_the_clip() -> None:
    long = dataclasses.replace(STEADY, frames=96, region=(0.9, 0.3), boundary=(0.5, 0.1))
    short = dataclasses.replace(STEADY, region=(0.6, None), boundary=(0.3, None))

    score = combine_temporal([long, short])

    assert (score.region, score.boundary) == (pytest.approx(0.6), pytest.approx(0.3))


def test_consistency_counts_the_pixels_and_age_the_frames_of_all_clips() -> None:
    other = dataclasses.replace(
        STEADY, changed_px=0, steady_px=300, frames=12, mean_age_frames=0.5, longest_stale_frames=1
    )

    score = combine_temporal([STEADY, other])

    assert score.consistency == 1 - 10 / 400
    assert (score.mean_age_frames, score.longest_stale_frames) == ((4 * 1.5 + 12 * 0.5) / 16, 3)


def test_what_nothing_tells_has_no_figure() -> None:
    unknown = dataclasses.replace(
        STEADY, region=(None,), boundary=(None,), changed_px=0, steady_px=0
    )

    score = combine_temporal([unknown])

    assert score == TemporalScore(
        consistency=None, region=None, boundary=None, mean_age_frames=1.5, longest_stale_frames=3
    )


def test_masks_count_at_the_resolution_of_the_annotation() -> None:
    clip = clip_of(halves(2, 8, 12))

    scored = score_temporal(clip, halves(2, 2, 4), [0, 1], (1,))

    assert scored == ClipTemporal(
        name="bear",
        region=(1.0,),
        boundary=(1.0,),
        changed_px=0,
        steady_px=96,
        frames=2,
        mean_age_frames=0.5,
        longest_stale_frames=1,
    )


def test_only_annotated_frames_count_and_each_is_compared_to_the_one_before() -> None:
    truth = halves(6, 4, 4)
    masks = truth.copy()
    masks[1:4] = 7  # between the annotated frames
    masks[4:, 0, 0] = 1  # changes once and stays

    scored = score_temporal(
        clip_of(truth, [True, False, False, False, True, True]), masks, [0, 1, 2, 3, 4, 5], (1,)
    )

    assert (scored.changed_px, scored.steady_px) == (1, 32)
    assert scored.region == (pytest.approx((1 + 8 / 9 + 8 / 9) / 3),)
    assert (scored.frames, scored.mean_age_frames) == (6, 2.5)


def test_a_clip_with_one_annotated_frame_has_no_flicker_and_one_with_none_no_accuracy() -> None:
    truth = halves(2, 4, 4)

    one = score_temporal(clip_of(truth, [False, True]), truth, [0, 0], (1,))
    none = score_temporal(clip_of(truth, [False, False]), truth, [0, 0], (0, 1))

    assert (one.steady_px, one.region) == (0, (1.0,))
    assert (none.region, none.boundary, none.steady_px) == ((None, None), (None, None), 0)
    assert combine_temporal([one, none]).consistency is None


@given(seed=st.integers(0, 2**32 - 1))
def test_a_perfect_prediction_has_j_and_f_of_1_and_keeps_what_stays(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.choice(np.array([0, 1, 2, IGNORE], np.uint8), (4, 6, 9))
    truth[:2, 0, 0] = 1
    masks = np.where(truth == IGNORE, 0, truth).astype(np.uint8)

    score = combine_temporal([score_temporal(clip_of(truth), masks, [0] * 4, (0, 1, 2))])

    assert (score.consistency, score.region, score.boundary) == (1.0, 1.0, 1.0)


@given(seed=st.integers(0, 2**32 - 1))
def test_what_masks_show_at_unknown_pixels_changes_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.choice(np.array([0, 1, 2, IGNORE], np.uint8), (3, 6, 9))
    masks, noise = random.integers(0, 3, (2, *truth.shape), dtype=np.uint8)
    clip, mixed = clip_of(truth), np.where(truth == IGNORE, noise, masks)

    assert score_temporal(clip, masks, [0] * 3, (1, 2)) == score_temporal(
        clip, mixed, [0] * 3, (1, 2)
    )


def test_records_survive_being_written_and_read() -> None:
    score = combine_temporal([STEADY])

    assert from_json(ClipTemporal, to_json(STEADY)) == STEADY
    assert from_json(TemporalScore, to_json(score)) == score
