import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from jejunet_nas.datasets.sampling import PairSampler
from jejunet_nas.errors import TrialError
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.scoring.score import combine
from jejunet_nas.training import loop
from jejunet_nas.training.losses import taught_loss
from jejunet_nas.training.settings import TrainingSettings
from tests.builders import (
    tiny_network,
    tiny_run,
    tiny_splits,
    traced_graphs,
    train_tiny,
    weights_of,
)
from tests.scoring.whole_clips import score_clip

BRIEF = TrainingSettings(steps=3, pairs_per_step=4, learning_rate=1e-2)


def trained(network: KerasNetwork) -> tuple[loop.LoopRecord, dict[str, np.ndarray]]:
    record = train_tiny(network, BRIEF)
    return record, weights_of(network)


def test_one_seed_gives_one_set_of_weights_and_no_traced_graph_is_left() -> None:
    first, second = (build_network(tiny_network(), 5, seed=0) for _ in range(2))
    before = traced_graphs()

    (record, weights), (again, weights_again) = trained(first), trained(second)

    np.testing.assert_equal(weights_again, weights)
    assert again.losses == record.losses
    assert (len(record.losses), record.loss_every_steps) == (3, 1)
    assert traced_graphs() <= before


def test_another_seed_begins_with_other_weights() -> None:
    one, other = (weights_of(build_network(tiny_network(), 5, seed=seed)) for seed in (0, 1))

    drawn = [name for name in one if name.endswith("/0") and "_BN" not in name]
    assert not any(np.array_equal(one[name], other[name]) for name in drawn)


def test_sixty_steps_learn_more_than_the_background() -> None:
    run = tiny_run()
    masks = run.network.masks(run.val_frames).reshape(2, 8, 32, 32)

    score = combine([score_clip(*pair, 5) for pair in zip(run.val.clips, masks, strict=True)])

    assert score.miou > 0.35  # background everywhere has at most a fifth


def test_an_infinite_loss_names_the_step_and_the_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = tf.Variable(0)

    def breaks_at_step_2(masks: Any, logits: Any) -> Any:
        return tf.reduce_mean(logits) / tf.cast(2 - steps.assign_add(1), tf.float32)

    monkeypatch.setattr(loop, "cross_entropy", breaks_at_step_2)
    with pytest.raises(TrialError, match=r"became -?inf at step 2 of 3; learning_rate is 0\.01\."):
        train_tiny(build_network(tiny_network(), 5, seed=0), BRIEF)


class Says:
    """A teacher's masks of the tiny clips: all of one class."""

    def __init__(self, class_: int, *, soft: bool) -> None:
        self._class, self._soft = class_, soft

    def times(self, clip: int) -> npt.NDArray[np.bool_]:
        return np.ones(8, np.bool_)

    def at(self, clip: int, t: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
        mask = np.full((64, 64), self._class, np.uint8)
        return mask, np.full_like(mask, 230) if self._soft else None


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_a_network_learns_from_a_teacher_alone_and_is_traced_once(
    soft: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced: list[int] = []

    def counting(*arguments: Any) -> Any:
        traced.append(len(arguments))
        return taught_loss(*arguments)

    monkeypatch.setattr(loop, "taught_loss", counting)
    bare = [
        dataclasses.replace(clip, annotated=np.zeros(8, np.bool_))
        for clip in tiny_splits()[0].clips
    ]
    taught = PairSampler(
        bare, height=64, width=64, pairs=4, longest_age=2, seed=0, taught=Says(3, soft=soft)
    )
    network = build_network(tiny_network(), 5, seed=0)
    settings = TrainingSettings(
        steps=20, pairs_per_step=4, learning_rate=2e-2, teacher="t.tflite", teacher_weight=0.5
    )

    record = loop.train_paths(network, taught, settings, pretrained=set(), on_step=lambda *_: None)

    assert len(traced) == 1
    assert record.losses[-1] < record.losses[0] / 2
    masks = network.masks(np.asarray(bare[0].frames[:2]))
    assert (masks == 3).mean() > 0.9
