"""Halves are two, alike, and the same for every trial."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.records import Clip
from jejunet_nas.records.scores import ClipScore
from jejunet_nas.scoring.halves import STRETCHES, halves, require_two, stretches_of
from jejunet_nas.scoring.score import clip_score

LONG = Clip(
    name="long",
    frames=np.zeros((20, 2, 2, 3), np.uint8),
    masks=np.zeros((20, 2, 2), np.uint8),
    annotated=np.ones(20, bool),
    fps=30.0,
)
COUNTS = st.lists(st.tuples(st.integers(1, 500), st.integers(0, 999)), min_size=4, max_size=40)


def clip(number: int, frames: int, *annotated: int) -> ClipScore:
    return ClipScore(
        name=f"clip {number}",
        frames=frames,
        annotated=annotated,
        intersection=annotated,
        union=annotated,
    )


@given(counts=COUNTS, order=st.randoms(use_true_random=False))
def test_every_clip_is_in_one_half_whatever_their_order(
    counts: list[tuple[int, int]], order: st.DataObject
) -> None:
    clips = [clip(n, frames, pixels, 5) for n, (frames, pixels) in enumerate(counts)]
    found = halves(clips)
    shuffled = [*clips]
    order.shuffle(shuffled)

    assert found.first | found.second == {each.name for each in clips}
    assert not found.first & found.second
    assert halves(shuffled) == found
    assert found.clips_of(clips) == tuple(clips)


def test_halves_have_alike_clips_frames_and_pixels_of_each_class() -> None:
    rng = np.random.default_rng(0)
    clips = [
        clip(n, int(rng.integers(25, 100)), *(1000 * rng.dirichlet([0.5] * 5)).astype(int).tolist())
        for n in range(20)
    ]

    found = halves(clips)

    first = [each for each in clips if each.name in found.first]
    for of in (lambda c: 1, lambda c: c.frames, *(lambda c, k=k: c.annotated[k] for k in range(5))):
        assert sum(map(of, first)) / sum(map(of, clips)) == pytest.approx(0.5, abs=0.12)


def test_a_long_single_clip_is_cut_in_time_with_a_gap() -> None:
    counts = [np.array([[1], [0], [1]])] * 20
    scored = clip_score(LONG, counts, 1, stretches=stretches_of(1))

    found = halves([scored])

    assert sum(part.frames for part in scored.parts) == scored.frames == 20
    assert found.in_time
    assert [part.name in found.first for part in scored.parts] == [True] * 4 + [False] * 5
    assert [part.name in found.second for part in scored.parts] == [False] * 5 + [True] * 4
    assert found.clips_of([scored]) == (*scored.parts[:4], *scored.parts[5:])


def test_two_long_clips_lend_each_half_an_early_and_a_late_part() -> None:
    counts = [np.array([[1], [0], [1]])] * 18
    one = clip_score(LONG, counts, 1, stretches=STRETCHES)
    other = dataclasses.replace(
        one,
        name="other",
        parts=tuple(dataclasses.replace(part, name=f"other {part.name}") for part in one.parts),
    )

    found = halves([one, other])

    assert one.parts[0].name in found.first
    assert other.parts[0].name in found.second
    assert one.parts[-1].name in found.second
    assert other.parts[-1].name in found.first


def test_four_clips_are_left_whole() -> None:
    assert stretches_of(4) == 1
    assert not halves([clip(n, 100, 5) for n in range(4)]).in_time


def test_a_short_clip_has_no_parts() -> None:
    counts = [np.array([[1], [0], [1]])] * (2 * STRETCHES - 1)

    assert clip_score(LONG, counts, 1, stretches=STRETCHES).parts == ()


def test_clips_of_which_one_alone_is_annotated_are_refused() -> None:
    with pytest.raises(
        SettingError, match=r"val has 1 annotated clip that cannot be split in two; "
    ):
        halves([clip(0, 10, 5), clip(1, 10, 0)])


def test_scores_of_an_earlier_version_are_refused() -> None:
    found = halves([clip(n, 10, 5) for n in range(4)])

    with pytest.raises(SettingError, match=r"^the scores lack clip 3: .* Search again in a new"):
        found.clips_of([clip(n, 10, 5) for n in range(3)])


@pytest.mark.parametrize(("frames", "enough"), [([5, 5], True), ([19], True), ([0, 18], False)])
def test_a_search_knows_before_training_whether_clips_can_be_split(
    frames: list[int], enough: bool
) -> None:
    if enough:
        require_two(frames)
        return
    with pytest.raises(SettingError, match=r"one with at least 19 annotated frames .* to all\.$"):
        require_two(frames)


def test_a_clip_without_annotation_beside_a_cut_one_is_in_a_half_too() -> None:
    counts = [np.array([[1], [0], [1]])] * 20
    scored = clip_score(LONG, counts, 1, stretches=stretches_of(1))

    found = halves([scored, clip(1, 0, 0)])

    assert found.in_time
    assert "clip 1" in found.first | found.second
