"""Masks and scores of a clip are computed once, on demand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.video.graphs import Context, Frame, Mask, NetworkGraphs
from jejunet_nas.video.motion import grey_of, motion, moved
from jejunet_nas.video.results import ClipResults, Shown
from tests.builders import tiny_run
from tests.video.build import CountedGraphs, MadeUpGraphs, Once, numbered_clip

LENGTH = 6
times = st.integers(0, LENGTH - 1)
pairs = st.tuples(times, times).map(lambda pair: Shown(max(pair), min(pair)))
moving = pairs.map(lambda each: Shown(each[1], each[1], tuple(range(each[1] + 1, each[0] + 1))))
# What is asked for: masks, scores, and to forget frames.
askings = st.lists(
    st.tuples(st.sampled_from(["mask", "gate", "forget"]), pairs | moving), max_size=30
)


class StripedGraphs(MadeUpGraphs):
    """Masks have another class in each column."""

    def key(self, frame: Frame) -> tuple[Mask, Context]:
        mask, context = super().key(frame)
        return np.broadcast_to(np.arange(12, dtype=np.uint8), mask.shape), context

    def propagate(self, frame: Frame, context: Context) -> Mask:
        mask = super().propagate(frame, context)
        return np.broadcast_to(np.arange(12, dtype=np.uint8) + 12, mask.shape)


@pytest.fixture
def graphs() -> CountedGraphs:
    return CountedGraphs(MadeUpGraphs())


@pytest.fixture
def results(graphs: CountedGraphs) -> ClipResults:
    return ClipResults(numbered_clip(10, 20, 30, 40, 50, 60), graphs)


def ask(results: ClipResults, asking: list[tuple[str, Shown]]) -> list[object]:
    """Return all answers, masks as lists."""
    answers: list[object] = []
    for what, shown in asking:
        if what == "mask":
            answers.append(results.mask(shown).tolist())
        elif what == "gate":
            answers.append(results.gate(*shown[:2]))
        else:
            results.forget_frames()
    return answers


def test_nothing_is_computed_before_it_is_needed(
    graphs: CountedGraphs, results: ClipResults
) -> None:
    assert (len(results), results.size) == (LENGTH, 0)
    assert not graphs.runs


def test_a_mask_is_of_its_frame_with_the_context_of_its_keyframe(results: ClipResults) -> None:
    key, propagated = results.mask(Shown(4, 4)), results.mask(Shown(4, 1))

    assert key.dtype == propagated.dtype == np.uint8
    assert (key == 50).all()
    assert (propagated[0] == 20).all()
    assert (propagated[1:] == 50).all()


def test_a_mask_that_moves_is_its_keyframes_moved_from_frame_to_frame() -> None:
    rng = np.random.default_rng(1)
    scene = np.kron(rng.integers(0, 256, (8, 12, 3)).astype(np.uint8), np.ones((4, 4, 1), np.uint8))
    frames = np.stack([scene[:16, 2 * t : 24 + 2 * t] for t in range(5)])
    clip = dataclasses.replace(numbered_clip(*range(5)), frames=frames)
    results = ClipResults(clip, StripedGraphs())
    one, three = motion(*map(grey_of, frames[[1, 0]])), motion(*map(grey_of, frames[[3, 1]]))

    found = results.mask(Shown(0, 0, (1, 3)))  # frame 2 was dropped

    key = results.mask(Shown(0, 0))
    np.testing.assert_array_equal(found, moved(moved(key, one), three))
    assert not np.array_equal(found, key)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


@pytest.mark.parametrize("shown", [Shown(0, 0), Shown(1, 0), Shown(0, 0, (1,)), Shown(1, 0, (1,))])
def test_a_mask_that_is_moved_on_is_moved_by_the_motion_that_is_named(shown: Shown) -> None:
    rng = np.random.default_rng(1)
    scene = np.kron(rng.integers(0, 256, (8, 12, 3)).astype(np.uint8), np.ones((4, 4, 1), np.uint8))
    frames = np.stack([scene[2 * t : 16 + 2 * t, 2 * t : 24 + 2 * t] for t in range(5)])
    results = ClipResults(
        dataclasses.replace(numbered_clip(*range(5)), frames=frames), StripedGraphs()
    )

    found = results.mask(shown._replace(ahead=(3, 1)))

    mask = results.mask(shown)
    np.testing.assert_array_equal(found, moved(mask, motion(*map(grey_of, frames[[3, 1]]))))
    assert not np.array_equal(found, mask)
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


def test_a_propagated_mask_brings_that_of_its_keyframe_with_it(
    graphs: CountedGraphs, results: ClipResults
) -> None:
    results.mask(Shown(4, 1))
    results.mask(Shown(1, 1))
    results.mask(Shown(5, 1))

    assert graphs.runs == {"key": 1, "propagate": 2}
    assert results.size == 3


@given(askings)
def test_each_mask_and_score_is_computed_once(asking: list[tuple[str, Shown]]) -> None:
    graphs = CountedGraphs(MadeUpGraphs())
    results = ClipResults(numbered_clip(10, 20, 30, 40, 50, 60), graphs)

    ask(results, [each for each in asking if each[0] != "forget"] * 2)

    masks = {shown for what, shown in asking if what == "mask"}
    scores = {shown[:2] for what, shown in asking if what == "gate"}
    assert graphs.runs["key"] == len({shown.keyframe for shown in masks})
    assert graphs.runs["propagate"] == len({s for s in masks if s.frame != s.keyframe})
    assert graphs.runs["gate"] == len(scores)


@given(askings)
def test_forgetting_frames_changes_no_answer(asking: list[tuple[str, Shown]]) -> None:
    forgetful, mindful = (
        ClipResults(numbered_clip(10, 20, 30, 40, 50, 60), MadeUpGraphs()) for _ in range(2)
    )
    kept = [each for each in asking if each[0] != "forget"]

    assert ask(forgetful, asking) == ask(mindful, kept)
    assert (forgetful.compressed, forgetful.scores) == (mindful.compressed, mindful.scores)


def test_what_is_known_needs_neither_frames_nor_graphs(
    graphs: CountedGraphs, results: ClipResults
) -> None:
    before = [results.mask(Shown(4, 1)), results.mask(Shown(1, 1)), results.gate(4, 1)]
    results.forget_frames()
    graphs.runs.clear()

    after = [results.mask(Shown(4, 1)), results.mask(Shown(1, 1)), results.gate(4, 1)]

    np.testing.assert_equal(after, before)
    assert not graphs.runs


def test_a_frame_is_read_once_until_it_is_forgotten() -> None:
    clip = numbered_clip(10, 20, 30)
    frames = Once(np.asarray(clip.frames))
    results = ClipResults(dataclasses.replace(clip, frames=frames), MadeUpGraphs())

    for _ in range(2):
        results.mask(Shown(2, 0)), results.mask(Shown(1, 0)), results.gate(2, 0), results.gate(1, 0)

    assert frames.read == {0: 1, 1: 1, 2: 1}
    results.forget_frames()
    results.mask(Shown(2, 1)), results.gate(2, 1)
    assert frames.read == {0: 1, 1: 2, 2: 2}


def test_a_mask_is_read_only(results: ClipResults) -> None:
    with pytest.raises(ValueError, match="read-only"):
        results.mask(Shown(0, 0))[0, 0] = 1


def test_a_mask_of_real_graphs_comes_back_as_they_made_it() -> None:
    clip, graphs = tiny_run().val.clips[0], NetworkGraphs(tiny_run().graphs)
    results = ClipResults(clip, graphs)

    for time in range(1, len(clip)):
        mask, context = graphs.key(clip.frames[time - 1])
        np.testing.assert_array_equal(results.mask(Shown(time - 1, time - 1)), mask)
        np.testing.assert_array_equal(
            results.mask(Shown(time, time - 1)), graphs.propagate(clip.frames[time], context)
        )
