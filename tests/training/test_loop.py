from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from jejunet_nas.errors import TrialError
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.scoring.score import combine
from jejunet_nas.training import loop
from jejunet_nas.training.losses import segmentation_loss
from jejunet_nas.training.settings import TrainingSettings
from tests.builders import (
    tiny_network,
    tiny_run,
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

    def breaks_at_step_2(masks: Any, logits: Any, **_: Any) -> Any:
        return tf.reduce_mean(logits) / tf.cast(2 - steps.assign_add(1), tf.float32)

    monkeypatch.setattr(loop, "segmentation_loss", breaks_at_step_2)
    with pytest.raises(TrialError, match=r"became -?inf at step 2 of 3; learning_rate is 0\.01\."):
        train_tiny(build_network(tiny_network(), 5, seed=0), BRIEF)


def test_the_steps_of_a_training_are_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[Any] = []

    def counting(masks: Any, logits: Any, **_: Any) -> Any:
        traced.append(logits)
        return segmentation_loss(masks, logits)

    monkeypatch.setattr(loop, "segmentation_loss", counting)
    record = train_tiny(build_network(tiny_network(), 5, seed=0), BRIEF)

    assert (len(traced), len(record.losses)) == (1, 3)
