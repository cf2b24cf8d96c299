"""Validation frames, each taken as a keyframe."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import DataError
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.records import Clip, DataSplit
from jejunet_nas.scoring.score import combine
from jejunet_nas.video.graphs import NetworkGraphs
from tests.builders import TinyRun, tiny_network, tiny_run
from tests.scoring.whole_clips import score_clip

NETWORK = tiny_network(input_height=64, input_width=128)


def grey_clip(name: str, first: int, frames: int, annotated: list[int] | None = None) -> Clip:
    """Frames of the greys `first`, `first` + 1, ...; the right half is class 1."""
    greys = np.arange(first, first + frames, dtype=np.uint8)[:, None, None, None]
    masks = np.zeros((frames, 8, 16), np.uint8)
    masks[:, :, 8:] = 1
    known = np.arange(frames) if annotated is None else np.array(annotated)
    return Clip(
        name=name,
        frames=np.tile(greys, (1, 8, 16, 3)),
        masks=masks,
        annotated=np.isin(np.arange(frames), known),
        fps=24.0,
    )


def split_of(*clips: Clip) -> DataSplit:
    return DataSplit(
        dataset="test", split="val", class_names=("no", "yes"), clips=clips, fingerprint="0"
    )


def greys(keyframes: Keyframes) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in keyframes.frames]


@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    count=st.integers(1, 60),
)
def test_frames_are_spread_evenly_and_none_is_taken_twice(lengths: list[int], count: int) -> None:
    starts = np.cumsum([0, *lengths])
    clips = [grey_clip(str(n), int(s), n) for s, n in zip(starts, lengths, strict=False)]

    keyframes = Keyframes(split_of(*clips), NETWORK, count=count)

    taken, total = greys(keyframes), sum(lengths)
    assert len(keyframes) == len(taken) == min(count, total)
    gaps = set(np.diff(taken))
    assert min(gaps, default=1) >= 1
    assert max(gaps, default=0) - min(gaps, default=0) <= 1
    assert taken[0] == 0
    assert taken[-1] == total - 1 or count == 1


def test_only_annotated_frames_are_taken() -> None:
    val = split_of(grey_clip("a", 0, 9, [2, 5]), grey_clip("b", 100, 4, [3]))

    assert greys(Keyframes(val, NETWORK, count=30)) == [2, 5, 103]


def test_where_nothing_is_annotated_the_split_is_named() -> None:
    with pytest.raises(DataError, match=r"test's val split has no annotated frame\. Choose "):
        Keyframes(split_of(grey_clip("a", 0, 9, [])), NETWORK, count=4)


def test_frames_come_at_the_networks_input_size() -> None:
    keyframes = Keyframes(split_of(grey_clip("a", 7, 3)), NETWORK, count=2)

    assert keyframes.frames.shape == (2, 64, 128, 3)
    assert keyframes.frames.dtype == np.uint8
    assert greys(keyframes) == [7, 9]


@pytest.mark.parametrize(("wrong", "miou"), [(0, 1.0), (4, 0.0), (2, (4 / 12 + 4 / 12) / 2)])
def test_all_frames_are_scored_together(wrong: int, miou: float) -> None:
    keyframes = Keyframes(split_of(grey_clip("a", 0, 9)), NETWORK, count=4)
    right = np.zeros((4, 8, 16), np.uint8)
    right[:, :, 8:] = 1
    masks = np.where(np.arange(4)[:, None, None] < wrong, 1 - right, right)

    # Of two frames right and two wrong, each class has 2 halves of the 6 that either tells.
    assert keyframes.miou(masks.astype(np.uint8)) == pytest.approx(miou)


def test_a_mask_is_held_against_its_own_frame() -> None:
    clip = grey_clip("a", 0, 3)
    painted = clip.masks[:] * 0
    painted[1] = 1
    keyframes = Keyframes(split_of(dataclasses.replace(clip, masks=painted)), NETWORK, count=3)

    assert keyframes.miou(painted) == 1
    assert keyframes.miou(painted[[1, 0, 2]]) < 0.5


@pytest.fixture(scope="module")
def tiny() -> TinyRun:
    return tiny_run()


def test_where_all_frames_are_taken_the_score_is_that_of_the_clips(tiny: TinyRun) -> None:
    keyframes = Keyframes(tiny.val, tiny.network.network, count=99)
    masks = tiny.network.masks(keyframes.frames)

    whole = [
        score_clip(clip, mask, tiny.network.classes)
        for clip, mask in zip(tiny.val.clips, np.split(masks, 2), strict=True)
    ]

    np.testing.assert_array_equal(keyframes.frames, tiny.val_frames)
    assert keyframes.miou(masks) == pytest.approx(combine(whole).miou)


def test_graphs_are_scored_by_what_their_key_graph_says(tiny: TinyRun) -> None:
    keyframes = Keyframes(tiny.val, tiny.network.network, count=5)
    graphs = NetworkGraphs(tiny.graphs)

    masks = np.stack([graphs.key(frame)[0] for frame in keyframes.frames])

    assert keyframes.miou_of_graphs(tiny.graphs) == keyframes.miou(masks)
