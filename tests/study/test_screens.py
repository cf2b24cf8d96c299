"""A score is never shown for latencies that it does not hold for."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from jejunet_nas.errors import DataError
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.records import DataSplit, PathLatencies, TrialResult
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.study.screens import Screens, same_screen
from jejunet_nas.video.graphs import graph_files
from tests.builders import tiny_network, tiny_run
from tests.made_up import as_in, path_latencies
from tests.search.build import result

FPS = 25.0  # 40 ms a frame, as in `history`
PREDICTED, ALIKE, SLOWER = (path_latencies(ms, 10.0, 1.0) for ms in (35.0, 38.0, 90.0))


def trial_of(policy: Policy, networks: Path) -> TrialResult:
    """Return a trial as scored on the tiny network's clips; its graphs are in `networks`."""
    made = result(0, Architecture(network=tiny_network(), policy=policy))
    network = dataclasses.replace(made.network, latencies=PREDICTED)
    files = graph_files(network, networks)
    files["key"].parent.mkdir(exist_ok=True)
    for name, file in files.items():
        shutil.copy(tiny_run().graphs[name], file)
    network = as_in(files["key"].parent, network)
    (found,) = Evaluation(tiny_run().val, files).score([policy], PREDICTED, target_fps=FPS)
    return dataclasses.replace(
        made,
        network=network,
        own_frame_score=found.own_frame,
        temporal=found.temporal,
        on_prediction=found.streamed,
    )


def no_clips() -> DataSplit:
    raise DataError("the clips are missing")


@pytest.mark.parametrize(
    "policy", [Policy(keyframe_interval=3), Policy(keyframe_interval=4, reuse_below=0.1)], ids=str
)
def test_latencies_that_show_the_same_masks_need_no_clips(policy: Policy, tmp_path: Path) -> None:
    trial = trial_of(policy, tmp_path)

    found = Screens(tmp_path, FPS).at(trial, ALIKE, ("hot",))

    assert found is not None
    assert found.score == trial.score
    assert found.latency.mean_ms > trial.latency.mean_ms
    assert found.latency.doubts == ("hot",)
    evaluated = Evaluation(tiny_run().val, graph_files(trial.network, tmp_path))
    assert evaluated.streams([policy], ALIKE, target_fps=FPS, doubts=("hot",)) == [found]


@pytest.mark.parametrize(
    ("policy", "latencies"),
    [
        (Policy(keyframe_interval=3), SLOWER),
        (Policy(keyframe_interval=2, asynchronous=True), ALIKE),
    ],
    ids=["other masks", "in the background"],
)
def test_the_score_of_other_masks_is_unknown_until_they_are_scored_and_then_kept(
    policy: Policy, latencies: PathLatencies, tmp_path: Path
) -> None:
    trial = trial_of(policy, tmp_path)
    assert Screens(tmp_path, FPS).at(trial, latencies) is None

    found = Screens(tmp_path, FPS, lambda: tiny_run().val).at(trial, latencies)

    assert found is not None
    assert found.latency != trial.latency
    assert Screens(tmp_path, FPS).at(trial, latencies) == found
    assert Screens(tmp_path, FPS + 5).at(trial, latencies) is None
    other = dataclasses.replace(
        trial, architecture=Architecture(network=tiny_network(), policy=Policy(keyframe_interval=5))
    )
    assert Screens(tmp_path, FPS).at(other, SLOWER) is None


@pytest.mark.parametrize("letter", ["x", None], ids=["a wrong letter", "no JSON"])
def test_a_damaged_screen_is_scored_again(letter: str | None, tmp_path: Path) -> None:
    trial = trial_of(Policy(keyframe_interval=3), tmp_path)
    found = Screens(tmp_path, FPS, lambda: tiny_run().val).at(trial, SLOWER)
    file = next(tmp_path.rglob("screens/*.json"))
    whole = file.read_text()
    damaged = whole.replace('"letters":"k', f'"letters":"{letter}') if letter else "{"
    assert damaged != whole
    file.write_text(damaged)

    assert Screens(tmp_path, FPS).at(trial, SLOWER) is None
    assert Screens(tmp_path, FPS, lambda: tiny_run().val).at(trial, SLOWER) == found


def test_why_a_trial_cannot_be_scored_is_said(tmp_path: Path) -> None:
    trial, said = trial_of(Policy(keyframe_interval=3), tmp_path), []

    assert Screens(tmp_path, FPS, no_clips, said.append).at(trial, SLOWER) is None

    assert said == ["trial 0 cannot be scored with its measured latency: the clips are missing"]


def test_every_frame_a_keyframe_is_unknown_where_only_it_shows_others(tmp_path: Path) -> None:
    trial = trial_of(Policy(keyframe_interval=4), tmp_path)
    slower = path_latencies(39.0, 1.0, 1.0), path_latencies(41.0, 1.0, 1.0)

    alike, late = (same_screen(trial, each, target_fps=FPS) for each in slower)

    assert alike is not None
    assert alike.every_frame_miou == trial.on_prediction.every_frame_miou
    assert late is None or late.every_frame_miou is None
