"""A resumed training ends like an uninterrupted one."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from jejunet_nas.datasets.sampling import PairSampler
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.training import checkpoint
from jejunet_nas.training.loop import LoopRecord, train_paths
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.training.watch import Validation, Watch
from tests.builders import LONGEST_AGE, tiny_network, tiny_splits, weights_of

FIVE = TrainingSettings(steps=5, pairs_per_step=4, learning_rate=1e-2)
PRETRAINED = {"Conv1", "block_1_expand"}  # so that there are two groups with slots of their own


class PowerCutError(Exception):
    """Stands for whatever ends a process."""


def train(
    file: Path, *, ends_at: int | None = None, watch: Watch | None = None
) -> tuple[KerasNetwork, LoopRecord | None, list[int]]:
    """Train the tiny network; return it, the record, and the steps that were done now."""
    network = build_network(tiny_network(), 5, seed=0)
    sampler = PairSampler(
        tiny_splits()[0].clips,
        height=64,
        width=64,
        pairs=FIVE.pairs_per_step,
        longest_age=LONGEST_AGE,
        seed=FIVE.seed,
    )
    done: list[int] = []

    def on_step(step: int, total: int, loss: float) -> None:
        done.append(step)
        if step == ends_at:
            raise PowerCutError

    given: dict[str, Any] = {"pretrained": PRETRAINED, "on_step": on_step, "checkpoint": file}
    given["watch"] = watch
    if ends_at is None:
        return network, train_paths(network, sampler, FIVE, **given), done
    with pytest.raises(PowerCutError, match=r"^$"):
        train_paths(network, sampler, FIVE, **given)
    return network, None, done


class Undisturbed(NamedTuple):
    """A training that was not interrupted, and its last checkpoint."""

    weights: dict[str, np.ndarray]
    record: LoopRecord | None
    file: Path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    file = tmp_path_factory.mktemp("undisturbed") / "train.npz"
    network, record, _ = train(file)
    return Undisturbed(weights_of(network), record, file)


@pytest.fixture(autouse=True)
def _at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(
    undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "train.npz"
    train(file, ends_at=2)

    network, record, done = train(file)

    assert done == [3, 4, 5]
    np.testing.assert_equal(weights_of(network), undisturbed.weights)
    assert record is not None
    assert undisturbed.record is not None
    assert record.losses == undisturbed.record.losses
    assert [*tmp_path.iterdir()] == [file]  # no scalars, which were not asked for


def test_a_finished_training_is_not_repeated(undisturbed: Undisturbed) -> None:
    network, record, done = train(undisturbed.file)

    assert done == []
    np.testing.assert_equal(weights_of(network), undisturbed.weights)
    assert record is not None
    assert undisturbed.record is not None
    assert (record.losses, record.median_step_ms) == (undisturbed.record.losses, 0.0)


def validation(folder: Path) -> Validation:
    """A validation whose figure depends on weights and settled statistics, and on nothing else."""

    def miou(network: KerasNetwork) -> float:
        return float(tf.reduce_mean(tf.abs(network.layers["Conv1_BN"].moving_mean))) % 1.0

    return Validation(miou, folder, steps=FIVE.steps)


@pytest.mark.slow
def test_a_resumed_training_has_the_curve_and_the_best_weights_of_an_uninterrupted_one(
    tmp_path: Path,
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    network, record, _ = train(whole / "train.npz", watch=validation(whole))
    train(parts / "train.npz", ends_at=3, watch=validation(parts))

    resumed, again, done = train(parts / "train.npz", watch=validation(parts))

    assert record is not None
    assert again is not None
    assert done == [4, 5]
    assert again.curve == record.curve
    assert [step for step, _ in record.curve] == [1, 2, 3, 4, 5]
    assert again.steps == max(record.curve, key=lambda point: point[1])[0]
    np.testing.assert_equal(weights_of(resumed), weights_of(network))


def variables(*values: float) -> list[tf.Variable]:
    return [tf.Variable(value) for value in values]


def left_by(file: Path, *, last: bool = True) -> None:
    """Leave a checkpoint of two steps, at the end of which the variables are 3 and 4."""
    changed = variables(1.0, 2.0)
    kept = checkpoint.Checkpoint(file, changed, FIVE, PRETRAINED)
    for variable, value in zip(changed, (3.0, 4.0), strict=True):
        variable.assign(value)
    kept.keep([0.5, 0.25], last=last)


def found_by(file: Path, *, settings: TrainingSettings = FIVE, first: float = 1.0) -> list[float]:
    """Return the losses that a training finds; its variables begin with `first` and 2."""
    found = variables(first, 2.0)
    losses = checkpoint.Checkpoint(file, found, settings, PRETRAINED).resume()
    assert [float(v.numpy()) for v in found] == ([3.0, 4.0] if losses else [first, 2.0])
    return losses


@pytest.mark.parametrize("content", [b"", b"PK", None], ids=["empty", "cut short", "halved"])
def test_a_broken_file_is_ignored(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "train.npz"
    left_by(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content is None else content)

    assert found_by(file) == []


def test_the_checkpoint_of_another_training_is_ignored(tmp_path: Path) -> None:
    file = tmp_path / "train.npz"
    left_by(file)

    assert found_by(file) == [0.5, 0.25]
    assert found_by(file, settings=dataclasses.replace(FIVE, learning_rate=5e-3)) == []
    assert found_by(file, first=1.5) == []


def test_it_is_written_after_a_time_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "deep" / "train.npz"
    monkeypatch.setattr(checkpoint, "EVERY_S", 3600.0)
    left_by(file, last=False)
    assert not file.exists()

    left_by(file, last=True)

    assert [each.name for each in file.parent.iterdir()] == ["train.npz"]


@pytest.mark.parametrize("change", ["", "empty", "cut", "nan", "text", "shape", "losses"])
def test_a_damaged_checkpoint_is_not_believed(change: str, tmp_path: Path) -> None:
    file, variable = tmp_path / "c.npz", tf.Variable(np.ones((2, 3), np.float32))
    kept = checkpoint.Checkpoint(file, [variable], FIVE, ())
    kept.keep([0.5, 0.25], last=True)
    with np.load(file) as stored:
        arrays = dict(stored)
    wrong = {"nan": np.full((2, 3), np.nan, np.float32), "text": np.array([["x"] * 3] * 2)}
    wrong |= {"shape": np.ones(6, np.float32), "losses": np.array("x")}
    if change in wrong:
        np.savez(file, **(arrays | {"losses" if change == "losses" else "0": wrong[change]}))
    elif change:
        file.write_bytes(b"" if change == "empty" else file.read_bytes()[:-30])

    assert kept.resume() == ([] if change else [0.5, 0.25])
    np.testing.assert_array_equal(variable.numpy(), 1)
