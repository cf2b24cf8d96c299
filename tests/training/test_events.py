"""TensorBoard's scalars are there where they were asked for, and say what happened."""

import dataclasses
from pathlib import Path

import pytest

from jejunet_nas.networks.build import build_network
from jejunet_nas.training.material import Material
from jejunet_nas.training.settings import TrainingSettings
from tests.builders import LONGEST_AGE, tiny_network, tiny_splits
from tests.search.build import tiny_study
from tests.training.scalars import read

SETTINGS = TrainingSettings(steps=3, pairs_per_step=2, learning_rate=1e-2)


def silence(what: str, done: int, total: int) -> None:
    pass


def test_each_step_leaves_its_loss_rate_and_time(tmp_path: Path) -> None:
    material = Material(
        split=tiny_splits()[0], training=SETTINGS, longest_age=LONGEST_AGE, events=tmp_path
    )
    network = build_network(tiny_network(), 5, seed=0)

    losses = material.train(network, silence, what="train on").losses

    scalars = read(tmp_path / "train_on")
    assert set(scalars) == {"loss", "learning_rate", "step_ms"}
    assert scalars["loss"] == [(i + 1, pytest.approx(loss)) for i, loss in enumerate(losses)]
    rates = [rate for _, rate in scalars["learning_rate"]]
    assert rates[0] == pytest.approx(1e-2)  # a tenth of three steps is less than one
    assert rates == sorted(rates, reverse=True)
    assert min(ms for _, ms in scalars["step_ms"]) > 0


def test_tensorboard_does_not_change_the_recipe() -> None:
    assert dataclasses.replace(SETTINGS, tensorboard=True).recipe() == SETTINGS.recipe()
    assert "tensorboard" not in SETTINGS.recipe()


def test_tensorboard_does_not_change_the_study(tmp_path: Path) -> None:
    switched = tiny_study(tmp_path, "training: {tensorboard: on}\n")

    assert switched.training.tensorboard
    assert switched.identity() == tiny_study(tmp_path).identity()
