import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jejunet_nas.networks.build import KerasNetwork, as_input, build_network
from jejunet_nas.records import Clip, DataSplit
from jejunet_nas.resize import thumbnails
from jejunet_nas.scoring.miou import disagreement
from jejunet_nas.training.gate import GatePairs, _augmented, train_gate
from jejunet_nas.training.settings import TrainingSettings
from tests.builders import tiny_network, traced_graphs

masks = arrays(np.uint8, (4, 4), elements=st.integers(0, 2))
LONG_ENOUGH = TrainingSettings(gate_pairs=40, gate_steps=80)


def test_a_disagreement_equals_one_computed_by_hand() -> None:
    stale, fresh = np.array([[[0, 0, 1, 1]], [[0, 1, 1, 1]]], np.uint8)

    # IoU 1/2 of class 0 and 2/3 of class 1; class 2 occurs in neither.
    assert disagreement(stale, fresh, 3) == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)


def test_masks_without_a_common_pixel_have_disagreement_1() -> None:
    assert disagreement(np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8), 2) == 1.0


@given(masks, masks)
def test_disagreement_is_0_of_a_mask_with_itself_and_the_same_both_ways(
    stale: npt.NDArray[np.uint8], fresh: npt.NDArray[np.uint8]
) -> None:
    assert disagreement(stale, stale, 3) == 0.0
    assert 0.0 <= disagreement(stale, fresh, 3) <= 1.0
    assert disagreement(stale, fresh, 3) == disagreement(fresh, stale, 3)


@pytest.fixture
def blinking(monkeypatch: pytest.MonkeyPatch) -> DataSplit:
    """A clip that is dark and bright by turns, and a network that tells bright from dark."""
    monkeypatch.setattr(
        KerasNetwork, "masks", lambda self, frames: (frames[..., 0] > 127).astype(np.uint8)
    )
    frames = np.random.default_rng(0).integers(0, 100, (12, 64, 64, 3), np.uint8)
    frames[1::2] += 150
    clip = Clip(
        name="blinking",
        frames=frames,
        masks=np.zeros((12, 64, 64), np.uint8),
        annotated=np.ones(12, np.bool_),
        fps=24.0,
    )
    return DataSplit(
        dataset="test", split="train", class_names=("no", "yes"), clips=(clip,), fingerprint="0"
    )


def test_the_gate_learns_which_frames_have_another_mask(blinking: DataSplit) -> None:
    network = build_network(tiny_network(), 2, seed=0)
    one_step = dataclasses.replace(LONG_ENOUGH, gate_steps=1)

    before = train_gate(network, blinking, one_step, longest_age=5)
    after = train_gate(network, blinking, LONG_ENOUGH, longest_age=5)

    small = as_input(thumbnails(blinking.clips[0].frames))
    same = network.gate([small[2:], small[:-2]], training=False).numpy()
    changed = network.gate([small[1:], small[:-1]], training=False).numpy()
    assert after < before / 2
    assert same.max() < 0.5 < changed.min()


def test_training_the_gate_leaves_the_paths_alone_and_no_traced_graph_in_memory(
    blinking: DataSplit,
) -> None:
    network = build_network(tiny_network(), 2, seed=0)
    before = [weight.numpy() for layer in network.path_layers() for weight in layer.weights]
    graphs = traced_graphs()

    train_gate(network, blinking, TrainingSettings(gate_pairs=10, gate_steps=1), longest_age=5)

    after = [weight.numpy() for layer in network.path_layers() for weight in layer.weights]
    np.testing.assert_equal(after, before)
    assert traced_graphs() <= graphs


def test_each_pair_has_its_own_change_of_colours() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((4, 2, 2, 3), 100, np.uint8)
    pairs = GatePairs(now=flat, keyframe=flat + 50, disagreement=np.zeros(4, np.float32))

    for _ in range(20):
        now, keyframe = _augmented(rng, pairs, np.arange(4))

        assert now.shape == keyframe.shape == flat.shape
        assert 0 <= min(now.min(), keyframe.min()) <= max(now.max(), keyframe.max()) <= 255
        # One gain a colour: what differed by 50 levels differs by 35 to 65, either frame first.
        difference = np.abs(keyframe - now)
        assert ((difference >= 34.9) & (difference <= 65.1)).all()
        assert np.ptp(now[:, 0, 0], axis=0).min() > 0
