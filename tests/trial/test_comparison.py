"""Two trainings are compared part by part, on records that no training made."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jejunet_nas.records import FramePaths, Provenance
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.trial.comparison import Comparison, Training, compare
from tests.builders import tiny_network
from tests.made_up import PROVENANCE
from tests.search.build import result

TOLERANCE = 0.028
TWO_THREADS = dataclasses.replace(PROVENANCE, threads=2)


def training(folder: Path, provenance: Provenance | None = PROVENANCE, kernel: float = 1.0) -> Any:
    architecture = Architecture(network=tiny_network(), policy=Policy(keyframe_interval=1))
    trial = result(0, architecture)
    weights = folder / f"{kernel}.npz"
    np.savez(weights, **{"Conv1/0": np.full((3, 3), kernel, np.float32), "gate/0": np.zeros(2)})
    return Training(
        record=dataclasses.replace(trial.network, provenance=provenance),
        weights=weights,
        streamed=trial.streamed,
    )


def with_miou(made: Training, difference: float) -> Training:
    """Return `made` as trained with other roundings: another graph, losses and mIoU."""
    graphs = {n: dataclasses.replace(g, sha256="1" * 64) for n, g in made.record.graphs.items()}
    losses = dataclasses.replace(made.record.training, losses=(0.7, 0.5001))
    streamed = dataclasses.replace(
        made.streamed,
        score=dataclasses.replace(made.streamed.score, miou=made.streamed.score.miou + difference),
    )
    record = dataclasses.replace(made.record, graphs=graphs, training=losses)
    return dataclasses.replace(made, record=record, streamed=streamed)


def compared(then: Training, now: Training) -> Comparison:
    return compare(then, now, tolerance=TOLERANCE)


def test_equal_trainings_are_equal_in_every_part(tmp_path: Path) -> None:
    found = compared(training(tmp_path), training(tmp_path))

    assert [part.name for part in found.parts] == [
        *("weights", "key graph", "propagate graph", "gate graph", "losses"),
        *("float mIoU", "int8 mIoU", "mIoU", "paths"),
    ]
    assert (found.verdict, found.unequal, found.changes) == ("equal", [], ())
    assert found.words == "equal bit for bit"


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [(0.027, "within_noise"), (-0.027, "within_noise"), (0.029, "different")],
)
def test_with_several_threads_miou_may_differ_within_the_tolerance(
    difference: float, verdict: str, tmp_path: Path
) -> None:
    then = training(tmp_path, TWO_THREADS)
    now = with_miou(training(tmp_path, TWO_THREADS, kernel=1.5), difference)

    found = compared(then, now)

    assert found.verdict == verdict
    assert found.unequal == [
        *("weights", "key graph", "propagate graph", "gate graph", "losses", "mIoU")
    ]
    assert f"{100 * difference:+.1f} points, " in found.words
    words = {part.name: part.words for part in found.parts}
    assert words["weights"] == "1 of 2 arrays differ, by up to 0.5"
    assert words["losses"] == "3 values, up to 0.0001 apart"


def test_with_one_thread_on_one_machine_nothing_may_differ(tmp_path: Path) -> None:
    now = with_miou(training(tmp_path, kernel=1.5), 0.001)

    found = compared(training(tmp_path), now)

    assert found.verdict == "different"
    assert "although processor, versions, data and seed are the same" in found.words


@pytest.mark.parametrize("provenance", [None, TWO_THREADS])
def test_after_a_change_or_without_a_record_of_it_the_tolerance_counts(
    provenance: Provenance | None, tmp_path: Path
) -> None:
    then = training(tmp_path, provenance)
    now = with_miou(training(tmp_path, kernel=1.5), 0.001)

    found = compared(then, now)

    assert found.verdict == "within_noise"
    changed = found.changes
    assert changed is None if provenance is None else [each.what for each in changed or ()]


@pytest.mark.parametrize("provenance", [PROVENANCE, TWO_THREADS])
def test_weights_that_were_changed_after_the_graphs_were_made_are_found(
    provenance: Provenance, tmp_path: Path
) -> None:
    changed = training(tmp_path, provenance, kernel=1.0001)

    found = compared(changed, training(tmp_path, provenance))

    assert (found.verdict, found.unequal) == ("different", ["weights"])
    assert found.words == "the weights on disk are not those that its graphs were made from"


def test_damaged_weights_and_those_of_another_network_differ(tmp_path: Path) -> None:
    then, now = training(tmp_path), training(tmp_path, kernel=1.5)
    then.weights.write_bytes(then.weights.read_bytes()[:-40])
    damaged = compared(then, now)
    np.savez(then.weights, other=np.zeros(2))
    other = compared(then, now)

    assert damaged.unequal == other.unequal == ["weights"]
    assert "is damaged: it is not a complete .npz" in damaged.parts[0].words
    assert other.parts[0].words.endswith("has the layers of another network")


def test_missing_weights_are_not_compared(tmp_path: Path) -> None:
    then, now = training(tmp_path), training(tmp_path, kernel=1.5)
    then.weights.unlink()

    found = compared(then, now)

    assert (found.parts[0].equal, found.verdict) == (None, "equal")
    assert found.words == "what could be compared is equal bit for bit"


def test_paths_are_compared_frame_by_frame(tmp_path: Path) -> None:
    then = training(tmp_path, TWO_THREADS)
    walks = (FramePaths(clip="bear", letters="kr"),)
    now = dataclasses.replace(then, streamed=dataclasses.replace(then.streamed, walks=walks))

    (part,) = (each for each in compared(then, now).parts if each.name == "paths")

    assert part.equal is False
    assert part.words.startswith("key 100.0 %, now 50.0 %")
    assert part.words.endswith("reuse 0.0 %, now 50.0 %")
