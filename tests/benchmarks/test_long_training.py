"""Recipes of long training against NumPy, on tiny networks, and the page."""

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.records import IGNORE, DataSplit
from jejunet_nas.training import loop
from jejunet_nas.training.losses import segmentation_loss
from jejunet_nas.training.material import Material
from tests.benchmarks.long_recipes import (
    RECIPES,
    AfterSteps,
    Recipe,
    balanced,
    changed,
    hardest,
    in_place,
)
from tests.benchmarks.long_training import POLICIES, Data, Unit, page
from tests.builders import LONGEST_AGE, TINY_TRAINING, tiny_network, tiny_splits

STEPS = 3


@pytest.fixture(scope="module")
def train() -> DataSplit:
    return tiny_splits()[0]


@pytest.fixture(scope="module")
def trained(train: DataSplit) -> Callable[[Recipe], KerasNetwork]:
    """Train a tiny network by a recipe, always from the same weights."""

    def made(recipe: Recipe) -> KerasNetwork:
        settings = changed(TINY_TRAINING, recipe, steps=STEPS, seed=0)
        keras = build_network(tiny_network(), len(train.class_names), seed=0)
        after = AfterSteps(recipe, keras, settings)
        material = Material(split=train, training=settings, longest_age=LONGEST_AGE)

        def teacher(frames: Any) -> Any:
            return np.eye(len(train.class_names), dtype=np.float32)[np.zeros((8, 4, 4), int)] * 9

        with in_place(recipe, train, teacher):
            material.train(keras, lambda *_: None, after_step=after, watch=after.watch())
        return keras

    return made


@pytest.fixture(scope="module")
def base(trained: Callable[[Recipe], KerasNetwork]) -> KerasNetwork:
    return trained(Recipe())


def weights_of(keras: KerasNetwork) -> list[np.ndarray[Any, Any]]:
    return [v.numpy() for layer in keras.path_layers() for v in layer.trainable_weights]


def apart(one: KerasNetwork, other: KerasNetwork) -> float:
    pairs = zip(weights_of(one), weights_of(other), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def drawn() -> tuple[Any, Any]:
    """Masks and logits of the same size, some pixels unknown."""
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 3, (2, 4, 4)).astype(np.uint8)
    masks[0, 0] = IGNORE
    return masks, rng.normal(size=(2, 4, 4, 3)).astype(np.float32)


def losses_of(masks: Any, logits: Any) -> np.ndarray[Any, Any]:
    """The cross-entropy of each annotated pixel."""
    log = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(log[masks != IGNORE], masks[masks != IGNORE][:, None], -1)[:, 0]


def test_the_hardest_pixels_and_all_of_them() -> None:
    masks, logits = drawn()
    losses = np.sort(losses_of(masks, logits))

    quarter, every = (hardest(share)(None)(masks, logits) for share in (0.25, 1.0))  # type: ignore[arg-type]

    assert float(quarter) == pytest.approx(losses[-7:].mean(), rel=1e-5)
    assert float(every) == pytest.approx(float(segmentation_loss(masks, logits)), rel=1e-5)


def test_rare_classes_weigh_more() -> None:
    masks, logits = drawn()
    mask = np.array([[0] * 6 + [1, 2]], np.uint8)
    clip = SimpleNamespace(annotated=np.array([True]), masks=mask[None])
    split: Any = SimpleNamespace(class_names=("a", "b", "c"), clips=[clip])
    weights = np.array([6 / 8, 1 / 8, 1 / 8]) ** -0.5
    each = weights[masks[masks != IGNORE]]

    found = balanced(0.5)(split)(masks, logits)

    assert float(found) == pytest.approx(
        float((losses_of(masks, logits) * each).sum() / each.sum()), rel=1e-5
    )


@pytest.mark.parametrize(
    "name", ["Dice", "auxiliary loss", "weight decay", "averaged weights", "teacher"]
)
def test_each_recipe_changes_the_weights(
    name: str, trained: Callable[[Recipe], KerasNetwork], base: KerasNetwork
) -> None:
    whole = loop._make_step

    found = trained(RECIPES[name])

    assert apart(found, base) > 0
    assert loop._make_step is whole


def test_the_loss_of_the_package_put_in_place_of_itself_changes_nothing(
    trained: Callable[[Recipe], KerasNetwork], base: KerasNetwork
) -> None:
    assert apart(trained(Recipe(loss=lambda _: segmentation_loss)), base) < 1e-6


def test_the_page_compares_recipes_with_the_same_seeds(train: DataSplit) -> None:
    def unit(recipe: str, steps: int, seed: int, miou: float, policies: int = 6) -> Unit:
        ious = [miou, None]
        own = [miou - 0.01 * n for n, _ in enumerate(POLICIES)]
        return Unit("pick", recipe, steps, seed, 100.0, miou, miou, ious, own[:policies])

    units = [
        *(unit("base", 1000, seed, 0.5 + 0.1 * seed) for seed in (0, 1)),
        unit("Dice", 1000, 1, 0.62, policies=3),  # masks did not move yet
        unit("base", 2000, 0, 0.7),
    ]
    kept: Any = SimpleNamespace(units={each.key: each for each in units})
    val = dataclasses.replace(train, class_names=("background", "object"))
    data = Data("camvid", SimpleNamespace(val=val), None, kept)  # type: ignore[arg-type]

    told = page([data], "how").splitlines()

    assert (
        "| pick | Dice | 1000 | 1 | 62.0 | +2.0 | 62.0 | 62.0 | 61.0 | 60.0 |  |  |  | 100 |"
        in told
    )
    base = "| pick | base | 1000 | 2 | 55.0 |  | 55.0 | 55.0 | 54.0 | 53.0 | 52.0 | 51.0 | 50.0 "
    assert f"{base}| 100 |" in told
    assert "| pick | base | 2000 | 70.0 | - |" in told
