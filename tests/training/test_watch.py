"""A validation keeps the best weights, ends a training that no longer improves, and resumes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.training.watch import PATIENCE, VALIDATIONS, Validation, Watch


class FakeNetwork:
    """A network whose weights are a number."""

    weights = 0

    def save_weights(self, file: Path) -> None:
        file.write_text(f"{self.weights}")

    def load_weights(self, file: Path) -> None:
        self.weights = int(file.read_text())


def train(
    folder: Path, mious: Sequence[float], *, first: int = 0, steps: int | None = None
) -> tuple[Validation, Any]:
    """Train a network whose weights are the steps done, validated after each as `mious` say."""
    network: Any = FakeNetwork()
    watched = Validation(lambda it: mious[it.weights - 1], folder, steps=steps or len(mious))
    network.weights = first
    watched.resume(network, first, settle)
    while network.weights < len(mious) and not watched.is_over:
        network.weights += 1
        watched.look(network, network.weights, settle)
    return watched, network


def settle() -> None:
    pass


def never() -> None:
    raise AssertionError("its weights were settled when they were validated")


def test_the_best_weights_are_kept_and_not_the_last(tmp_path: Path) -> None:
    watched, network = train(tmp_path, [0.5, 0.7, 0.7, 0.6])

    assert watched.finish(network, never, 4) == 2
    assert network.weights == 2
    assert watched.curve == ((1, 0.5), (2, 0.7), (3, 0.7), (4, 0.6))


def test_a_training_ends_when_nothing_improves(tmp_path: Path) -> None:
    watched, network = train(tmp_path, [0.5, 0.7, *[0.6] * (VALIDATIONS - 2)])

    assert network.weights == 2 + PATIENCE
    assert watched.finish(network, never, network.weights) == 2


def test_a_long_training_is_validated_twenty_times_and_at_its_end(tmp_path: Path) -> None:
    network: Any = FakeNetwork()
    due: list[int] = []

    def miou(network: Any) -> float:
        due.append(network.weights)
        return float(network.weights / 6010)

    watched = Validation(miou, tmp_path, steps=6010)
    for done in range(6011):
        network.weights = done
        watched.look(network, done, settle)

    assert due == [*range(300, 6001, 300), 6010]


@given(mious=st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1, max_size=20), data=st.data())
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    mious: list[float], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole, parts = (tmp_path_factory.mktemp(name) for name in ("whole", "parts"))
    cut = data.draw(st.integers(0, len(mious)))

    before, network = train(whole, mious)
    _, left = train(parts, mious[:cut], steps=len(mious))
    # A checkpoint is written before each validation: it is never older than the curve.
    after, resumed = train(parts, mious, first=left.weights)

    assert after.curve == before.curve
    assert after.finish(resumed, never, 0) == before.finish(network, never, 0)
    assert resumed.weights == network.weights


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[[1]]", '[["a", 0.5]]', "\0"])
def test_a_curve_that_is_none_is_begun_again(text: str, tmp_path: Path) -> None:
    (tmp_path / "curve.json").write_text(text)
    watched = Validation(lambda _: 0.5, tmp_path, steps=4000)

    watched.resume(FakeNetwork(), 2, settle)  # type: ignore[arg-type]

    assert watched.curve == ()
    assert not watched.is_over


def test_a_checkpoint_that_was_lost_loses_the_curve_too(tmp_path: Path) -> None:
    train(tmp_path, [0.5, 0.9])

    watched, network = train(tmp_path, [0.6, 0.7], first=0)

    assert watched.curve == ((1, 0.6), (2, 0.7))
    assert watched.finish(network, never, 2) == 2


def test_without_validation_the_last_weights_are_kept_and_settled() -> None:
    settled: list[str] = []
    watched, network = Watch(), FakeNetwork()
    watched.resume(network, 3, never)  # type: ignore[arg-type]
    watched.look(network, 4, never)  # type: ignore[arg-type]

    assert not watched.is_over
    assert watched.finish(network, lambda: settled.append("now"), 4) == 4  # type: ignore[arg-type]
    assert settled == ["now"]
    assert watched.curve == ()
