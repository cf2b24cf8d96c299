"""Networks that are trained in rungs: one tiny network, in one process."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.search.work import train_again
from jejunet_nas.space.search_space import SearchSpace
from jejunet_nas.training import material
from jejunet_nas.training.settings import TrainingSettings
from jejunet_nas.trial.run import build_and_train, run_trial
from jejunet_nas.trial.setup import NetworkJob, TrialSetup
from jejunet_nas.trial.store import find_network, network_name, trained_network
from tests.builders import LONGEST_AGE, tiny_network, tiny_splits, weights_of

BRIEF = TrainingSettings(steps=5, learning_rate=2e-2, gate_pairs=28, gate_steps=2)
RUNGS = (3,)
SPACE = SearchSpace(
    depth_multiplier=(0.25,),
    last_block=(6,),
    output_stride=(16,),
    decoder_channels=(16,),
    detail=("thin",),
    logit_stride=(4,),
    resolution=(64,),
    keyframe_interval=(1, 2),
    between_keyframes=("reuse",),
    reuse_below=(None,),
    refresh_above=(None,),
)


def setup_in(folder: Path, rungs: tuple[int, ...] = RUNGS) -> TrialSetup:
    train, val = tiny_splits()
    return TrialSetup(
        train=train,
        val=val,
        training=BRIEF,
        compression=CompressionSettings(),
        meter=PredictedMeter(profile=load_profile("pixel2")),
        space=SPACE,
        target_fps=24.0,
        longest_age=LONGEST_AGE,
        recipe={"training": dataclasses.asdict(BRIEF)},
        source=None,
        folder=folder,
        rungs=rungs,
    )


def job_of(setup: TrialSetup) -> NetworkJob:
    return NetworkJob(
        network_id="tiny", network=tiny_network(), setup=setup, folder=setup.folder, tell=silence
    )


def silence(what: str, done: int, total: int) -> None:
    pass


def test_each_rung_and_each_seed_has_a_network_of_its_own(tmp_path: Path) -> None:
    setup = setup_in(tmp_path, (1, 3))
    names = [network_name(tiny_network(), setup.at_rung(rung)) for rung in (0, 1, 2)]
    again = network_name(tiny_network(), setup.with_seed(1))

    assert names[2] == network_name(tiny_network(), setup)
    assert len({*names, again}) == 4
    assert network_name(tiny_network(), setup.with_seed(1).with_seed(0)) == names[2]


def test_the_steps_of_the_rungs_add_up_and_their_batches_differ(tmp_path: Path) -> None:
    setup = setup_in(tmp_path, (1, 3))
    parts = [setup.at_rung(rung).schedule for rung in (0, 1, 2)]

    assert [part.steps for part in parts] == [1, 2, 2]
    assert len({part.seed for part in parts}) == 3
    assert parts[0] == dataclasses.replace(BRIEF, steps=1)
    assert setup_in(tmp_path, ()).schedule == BRIEF
    assert setup_in(tmp_path, ()).with_seed(1).schedule == dataclasses.replace(BRIEF, seed=1)


@pytest.mark.slow
def test_a_network_is_trained_on_as_if_it_had_never_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, steps, train_paths = setup_in(tmp_path / "kept"), list[int](), material.train_paths

    def counted(*given: object, **more: object) -> object:
        steps.append(given[2].steps)
        return train_paths(*given, **more)

    monkeypatch.setattr(material, "train_paths", counted)
    first, anew = setup.at_rung(0), setup_in(tmp_path / "anew")
    (below, *_) = run_trial(7, tiny_network(), first, silence)
    on, training = build_and_train(job_of(setup))
    network_id, streamed = train_again(below, anew, silence)  # both rungs in one go

    assert steps == [3, 2, 3, 2]
    assert find_network(tiny_network(), first) == below.network
    straight = find_network(tiny_network(), anew)
    assert straight is not None
    assert straight.network_id == network_id != below.network_id
    assert (below.network.training.steps, training.steps, straight.training.steps) == (3, 5, 5)
    np.testing.assert_equal(weights_of(on), weights_of(trained_network(straight, anew)))
    assert streamed.walks == below.streamed.walks
    assert streamed.score != below.score
