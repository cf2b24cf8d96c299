"""A gate is believed as far as its scores say how masks disagree."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.evaluation.gate import GROUPS, judge_gate
from jejunet_nas.records import GateRecord, from_json, to_json
from jejunet_nas.scoring.miou import disagreement
from jejunet_nas.video.graphs import Context, Frame, Mask, Thumbnail
from jejunet_nas.video.results import ClipResults
from tests.video.build import MadeUpGraphs, numbered_clip

PIXELS = 96  # of a mask


def mask_of(value: int) -> Mask:
    """Return a mask in which so many pixels are of class 1."""
    mask = np.zeros(PIXELS, np.uint8)
    mask[:value] = 1
    return mask.reshape(MadeUpGraphs.mask_size)


class Judged(MadeUpGraphs):
    """Frames whose masks are `mask_of` their value, and a gate that says what it is told to."""

    def __init__(self, score: Callable[[int, int], float]) -> None:
        self._score = score
        self.asked: list[tuple[int, int]] = []

    def key(self, frame: Frame) -> tuple[Mask, Context]:
        return mask_of(int(frame[0, 0, 0])), np.zeros((1, 1), np.int8)

    def gate(self, now: Thumbnail, keyframe: Thumbnail) -> float:
        self.asked.append((int(now[0, 0, 0]), int(keyframe[0, 0, 0])))
        return self._score(*self.asked[-1])


def truth(now: int, keyframe: int) -> float:
    return disagreement(mask_of(keyframe), mask_of(now), 2)


def judge(graphs: Judged, *clips: list[int], longest_age: int = 3, seed: int = 0) -> GateRecord:
    results = [ClipResults(numbered_clip(*values), graphs) for values in clips]
    return judge_gate(results, 2, longest_age=longest_age, seed=seed)


def test_a_gate_that_is_always_right_has_no_error() -> None:
    found = judge(Judged(truth), [5, 9, 14, 30, 50, 80], [90, 70, 20])

    assert found.mean_error == 0
    assert found.rank_correlation == pytest.approx(1.0)
    assert all(each.score == each.disagreement for each in found.bins)


def test_a_gate_that_is_always_wrong_ranks_backwards() -> None:
    found = judge(Judged(lambda *pair: 1 - truth(*pair)), [5, 9, 14, 30, 50, 80])

    assert found.rank_correlation == pytest.approx(-1.0)


def test_bins_and_error_are_worked_out_by_hand() -> None:
    # Clips of two frames have one pair each; the masks of n and 2n pixels disagree as `truth` says.
    scores = {20: 0.019, 40: 0.02, 60: 0.5, 80: 1.0}
    clips = [[10, 20], [20, 40], [30, 60], [40, 80]]
    half = [1 - (0.5 + (PIXELS - n) / (PIXELS - n / 2)) / 2 for n in scores]

    found = judge(Judged(lambda now, _: scores[now]), *clips)

    assert [each.score for each in found.bins] == pytest.approx(list(scores.values()))
    assert [each.disagreement for each in found.bins] == pytest.approx(half)
    pairs = [each.pairs for each in found.bins]
    assert min(pairs) > 0
    assert sum(pairs) <= GROUPS
    errors = [abs(s - t) for s, t in zip(scores.values(), half, strict=True)]
    assert found.mean_error == pytest.approx(np.average(errors, weights=pairs))


def test_scores_that_lie_close_share_a_bin() -> None:
    scores = {20: 0.26, 40: 0.39}

    (bin_,) = judge(Judged(lambda now, _: scores[now]), [10, 20], [20, 40]).bins

    assert 0.26 < bin_.score < 0.39
    assert 0 < bin_.pairs <= GROUPS


@pytest.mark.parametrize("clip", [[5, 9, 14, 30], [7, 7, 7, 7]])
def test_where_nothing_changes_nothing_is_ranked(clip: list[int]) -> None:
    assert judge(Judged(lambda *_: 0.25), clip).rank_correlation is None


def test_masks_that_never_change_cannot_be_ranked_by_any_score() -> None:
    scores = iter(np.linspace(0, 1, 400))

    found = judge(Judged(lambda *_: float(next(scores))), [7] * 30)

    assert found.rank_correlation is None
    assert len(found.bins) > 1


def test_one_seed_finds_one_record_and_it_survives_being_written() -> None:
    clip = list(range(3, 93, 2))

    first, second, other = (judge(Judged(truth), clip, seed=seed) for seed in (1, 1, 2))

    assert first == second
    assert first != other
    assert from_json(GateRecord, to_json(first)) == first


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
    st.integers(1, 12),
    st.integers(0, 9999),
)
def test_pairs_are_of_one_clip_no_further_apart_than_asked_and_the_keyframe_is_the_older(
    lengths: list[int], longest_age: int, seed: int
) -> None:
    graphs = Judged(lambda *_: 0.5)
    starts = np.cumsum([0, *lengths])
    clips = [list(range(start, start + n)) for start, n in zip(starts, lengths, strict=False)]

    found = judge(graphs, *clips, longest_age=longest_age, seed=seed)

    clip_of = np.repeat(np.arange(len(lengths)), lengths)
    for now, keyframe in graphs.asked:
        assert clip_of[now] == clip_of[keyframe]
        assert 0 < now - keyframe <= longest_age
    assert (found.bins == ()) == (not graphs.asked)


def test_frames_up_to_the_longest_age_and_the_last_one_are_asked_about() -> None:
    graphs = Judged(truth)

    judge(graphs, list(range(90)), longest_age=3)

    assert {now - keyframe for now, keyframe in graphs.asked} == {1, 2, 3}


def test_a_long_clip_is_asked_about_more_often_than_short_ones() -> None:
    graphs = Judged(truth)

    judge(graphs, list(range(88)), *([n] for n in range(88, 96)))

    assert len(graphs.asked) > 2 * GROUPS  # were all clips alike, 24 / 9 groups of 6 at most: 16


def test_a_clip_shorter_than_the_longest_age_is_judged_over_what_it_has() -> None:
    graphs = Judged(truth)

    found = judge(graphs, [10, 20, 40], longest_age=11)

    assert {*graphs.asked} == {(20, 10), (40, 10), (40, 20)}
    assert sum(each.pairs for each in found.bins) >= 3


def test_clips_of_one_frame_have_no_pair_to_judge_by() -> None:
    found = judge(Judged(truth), [10], [20])

    assert (found.bins, found.rank_correlation) == ((), None)
