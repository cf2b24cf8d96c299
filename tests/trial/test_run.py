"""A trial from end to end, on clips that are drawn on the spot."""

import dataclasses
import shutil
import threading
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from jejunet_nas.compression.settings import CompressionSettings, Pruning, QuantizationAware
from jejunet_nas.errors import TrialError
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.networks.build import build_network
from jejunet_nas.records import (
    GRAPH_NAMES,
    NetworkRecord,
    TrialResult,
    from_json,
    to_json,
)
from jejunet_nas.scoring.front import pareto_front
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.training import material
from jejunet_nas.trial import run as trial
from jejunet_nas.trial.run import run_trial
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import alone, network_name
from jejunet_nas.video.graphs import NetworkGraphs
from tests.builders import (
    LONGEST_AGE,
    TINY_TRAINING,
    space_of,
    tiny_network,
    tiny_splits,
    weights_of,
)

KEY_AND_THREE = Policy(keyframe_interval=4)
TINY = Architecture(network=tiny_network(), policy=KEY_AND_THREE)
FILES = {f"{name}.tflite" for name in GRAPH_NAMES} | {
    "weights.npz",
    "network.json",
    "recipe.json",
    "record.json",
}


def test_two_processes_make_a_network_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    begun, waited = threading.Event(), list[bool]()

    def other() -> None:
        begun.wait(60)
        with alone(tmp_path / "networks" / "abc") as meanwhile:
            waited.append(meanwhile)

    thread = threading.Thread(target=other)
    thread.start()
    with alone(tmp_path / "networks" / "abc") as meanwhile:
        assert not meanwhile
        begun.set()
        thread.join(0.5)
        assert waited == []
    thread.join(60)

    assert waited == [True]


BACKGROUND = Policy(keyframe_interval=2, asynchronous=True)


def setup_in(folder: Path) -> TrialSetup:
    train, val = tiny_splits()
    return TrialSetup(
        train=train,
        val=val,
        training=TINY_TRAINING,
        compression=CompressionSettings(),
        meter=PredictedMeter(profile=load_profile("pixel2")),
        space=space_of(TINY),
        target_fps=24.0,
        longest_age=LONGEST_AGE,
        recipe={"training": dataclasses.asdict(TINY_TRAINING)},
        source=None,
        folder=folder,
    )


@dataclasses.dataclass(frozen=True)
class Ran:
    setup: TrialSetup
    result: TrialResult
    told: list[tuple[str, int, int]]
    left_by_the_broken: list[Path]

    @property
    def folder(self) -> Path:
        return self.setup.folder / self.result.network_id


def under(setup: TrialSetup, policy: Policy) -> TrialSetup:
    """Return `setup` with a space that has this policy alone."""
    return dataclasses.replace(setup, space=space_of(dataclasses.replace(TINY, policy=policy)))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A trial in a folder where one broke before."""
    told: list[tuple[str, int, int]] = []
    setup = setup_in(tmp_path_factory.mktemp("networks"))
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(material, "train_paths", refuse_to_train)
        with pytest.raises(TrialError, match="the loss became nan"):
            run_trial(7, TINY.network, setup, silence)
    left = [*setup.folder.iterdir()]
    (result,) = run_trial(7, TINY.network, setup, lambda *news: told.append(news))
    return Ran(setup, result, told, left)


def silence(what: str, done: int, total: int) -> None:
    pass


def refuse_to_train(*_: object, **__: object) -> None:
    raise TrialError("the loss became nan at step 1 of 60; learning_rate is 0.02. Lower it.")


def test_a_trial_goes_through_its_stages_in_order(ran: Ran) -> None:
    assert list(ran.result.stage_s) == [
        *("build", "resize", "train", "trace", "gate"),
        *("convert", "compare", "judge the gate", "latency", "evaluate"),
    ]
    assert min(ran.result.stage_s.values()) >= 0
    assert min(ran.result.stage_s.values()) > 0
    told = list(dict.fromkeys(what.split(",")[0] for what, _, _ in ran.told))
    assert told == [
        *("build", "train", "train the gate", "convert", "compare float and int8"),
        *("judge the gate", "evaluate"),
    ]
    assert all(0 <= done <= total for _, done, total in ran.told)


def test_a_trial_is_scored_under_its_policy(ran: Ran) -> None:
    result = ran.result

    assert (result.number, result.architecture, result.network_reused) == (7, TINY, False)
    assert result.paths == {"key": 0.25, "propagate": 0.75, "warp": 0.0, "move": 0.0, "reuse": 0.0}
    assert [clip.frames for clip in result.own_frame_score.clips] == [8, 8]
    assert [clip.frames for clip in result.score.clips] == [7, 7]  # but each first one
    assert 0.3 < result.score.miou <= 1  # background everywhere has at most a fifth
    assert result.int8_miou == pytest.approx(result.float_miou, abs=0.03)  # as in compression


def test_a_trials_latency_is_that_of_its_paths(ran: Ran) -> None:
    record = from_json(NetworkRecord, (ran.folder / "record.json").read_bytes())
    key, propagate = record.latencies.key.median_ms, record.latencies.propagate.median_ms

    assert propagate < key
    assert ran.result.latency.mean_ms == pytest.approx((key + 3 * propagate) / 4)
    assert ran.result.latency.worst_ms == pytest.approx(key)
    assert ran.result.latency.source == "predicted"


def test_a_result_comes_back_from_json(ran: Ran) -> None:
    assert from_json(TrialResult, to_json(ran.result)) == ran.result


def test_a_network_lies_whole_in_its_folder(ran: Ran) -> None:
    record = from_json(NetworkRecord, (ran.folder / "record.json").read_bytes())

    kept = f"results-{ran.setup.val.fingerprint}.npz"
    assert {file.name for file in ran.folder.iterdir()} == FILES | {kept}
    assert [folder.name for folder in ran.setup.folder.iterdir()] == [record.network_id]
    assert record.network == TINY.network
    assert record.class_names == ran.setup.val.class_names
    assert record.checked_frames == 16
    assert len(record.training.losses) == record.training.steps == 60


def test_its_weights_are_those_of_its_graphs(ran: Ran) -> None:
    network = build_network(TINY.network, 5, seed=1)

    network.load_weights(ran.folder / "weights.npz")

    with np.load(ran.folder / "weights.npz") as stored:
        np.testing.assert_equal(weights_of(network), dict(stored))
    masks = network.masks(ran.setup.val.clips[0].frames)
    graphs = NetworkGraphs({name: ran.folder / f"{name}.tflite" for name in GRAPH_NAMES})
    int8_masks = [graphs.key(frame)[0] for frame in ran.setup.val.clips[0].frames]
    assert (masks == np.stack(int8_masks)).mean() > 0.97  # as in compression


def test_a_trial_says_how_its_masks_behave_over_time_and_how_far_its_gate_is_right(
    ran: Ran,
) -> None:
    temporal, gate = ran.result.temporal, ran.result.network.gate

    assert (temporal.mean_age_frames, temporal.longest_stale_frames) == (1.5, 3)
    assert temporal.consistency is not None
    assert 0.5 < temporal.consistency <= 1
    assert temporal.region is not None
    assert temporal.boundary is not None
    assert 0 < temporal.region <= 1
    assert sum(each.pairs for each in gate.bins) > 24  # of a clip's two frames each, and more
    assert 0 <= gate.mean_error < 1


@pytest.mark.parametrize("between", ["warp", "move"])
def test_a_network_of_an_earlier_version_gets_the_latency_of_the_motion(
    ran: Ran, between: Literal["warp", "move"]
) -> None:
    (known,) = run_trial(9, TINY.network, under(ran.setup, BACKGROUND), silence)
    latencies = dataclasses.replace(known.network.latencies, move=None)
    earlier = dataclasses.replace(known.network, latencies=latencies)
    policy = Policy(keyframe_interval=4, between_keyframes=between)

    (result,) = trial.evaluate_policies(9, earlier, under(ran.setup, policy), silence, reused=True)

    assert result.network.latencies == known.network.latencies
    assert [walk.letters for walk in result.walks] == [f"k{3 * between[0]}" * 2] * 2


def test_a_trial_with_keyframes_in_the_background_waits_for_the_first_alone(ran: Ran) -> None:
    (result,) = run_trial(9, TINY.network, under(ran.setup, BACKGROUND), silence)

    assert [(walk.letters, walk.lag) for walk in result.walks] == [("kppppppp", 1)] * 2
    latencies = result.network.latencies
    assert result.latency.startup_ms == latencies.key.median_ms
    assert result.latency.mean_ms == pytest.approx(latencies.propagate.median_ms)
    assert result.latency.worst_ms == latencies.propagate.median_ms
    assert result.latency.doubts == ()
    # Keyframes are 2, 4 and 6; each is there one frame later.
    assert result.temporal.mean_age_frames == (0 + 1 + 2 + 1 + 2 + 1 + 2 + 1) / 8
    assert result.temporal.longest_stale_frames == 2
    assert result.network_reused
    assert from_json(TrialResult, to_json(result)) == result


def test_keyframes_in_the_background_come_as_late_as_their_latency_says(
    ran: Ran,
) -> None:
    slower = dataclasses.replace(ran.setup, target_fps=1900 / ran.result.latency.worst_ms)

    (result,) = run_trial(9, TINY.network, under(slower, BACKGROUND), silence)

    assert {walk.lag for walk in result.walks} == {2}
    assert result.temporal.mean_age_frames == (0 + 1 + 2 + 3 + 2 + 3 + 2 + 3) / 8


def test_a_second_policy_on_the_same_network_trains_nothing(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "train_paths", refuse_to_train)
    reuse = Policy(keyframe_interval=4, between_keyframes="reuse")

    (second,) = run_trial(8, TINY.network, under(ran.setup, reuse), silence)

    assert second.network_reused
    assert second.network_id == ran.result.network_id
    assert list(second.stage_s) == ["evaluate"]
    assert second.paths == {"key": 0.25, "propagate": 0.0, "warp": 0.0, "move": 0.0, "reuse": 0.75}
    assert second.float_miou == ran.result.float_miou
    assert second.latency.mean_ms < ran.result.latency.mean_ms


def test_the_best_policies_of_a_network_are_its_results_the_best_at_the_target_first(
    ran: Ran,
) -> None:
    wide = dataclasses.replace(
        ran.setup.space, keyframe_interval=(1, 2, 4), between_keyframes=("propagate", "reuse")
    )

    best, *others = run_trial(9, TINY.network, dataclasses.replace(ran.setup, space=wide), silence)

    assert (best.added, best.number, list(best.stage_s)) == (False, 9, ["evaluate"])
    assert all(each.added and each.network_reused and not each.stage_s for each in others)
    points = [(each.score.miou, each.latency.mean_ms) for each in (best, *others)]
    assert points == sorted(points, reverse=True)
    assert pareto_front(points) == [*range(len(points))]


def test_a_network_whose_graph_was_changed_is_made_again(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ran.folder, tmp_path / ran.result.network_id)
    (tmp_path / ran.result.network_id / "gate.tflite").write_bytes(b"cut")
    monkeypatch.setattr(material, "train_paths", refuse_to_train)

    with pytest.raises(TrialError, match="the loss became nan"):
        run_trial(8, TINY.network, setup_in(tmp_path), silence)


def test_a_trial_that_breaks_leaves_nothing_and_the_next_one_is_made_whole(ran: Ran) -> None:
    assert ran.left_by_the_broken == []
    assert not ran.result.network_reused
    assert [folder.name for folder in ran.setup.folder.iterdir()] == [ran.result.network_id]


def test_another_recipe_is_another_network(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "build_network", refuse_to_train)
    other = dataclasses.replace(ran.setup, recipe={"steps": 61})

    with pytest.raises(TrialError, match="the loss became nan"):
        run_trial(9, TINY.network, other, silence)


@pytest.mark.slow
def test_a_network_that_is_pruned_and_trained_with_rounding_begins_with_the_trained_one(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = CompressionSettings(
        pruning=Pruning(steps=2), quantization_aware=QuantizationAware(steps=2, gate_steps=2)
    )
    setup = dataclasses.replace(ran.setup, compression=brief)
    smaller = dataclasses.replace(TINY.network, pruning=0.5, quantization="quantization_aware")
    monkeypatch.setattr(trial, "inherit_backbones", refuse_to_train)  # as a first training would

    (result,) = run_trial(10, smaller, setup, silence)

    plain, network = ran.result.network, result.network
    assert network.compressed_from == plain.network_id != network.network_id
    assert network.training == plain.training
    assert network.graphs["key"].macs < plain.graphs["key"].macs
    assert result.latency.mean_ms < ran.result.latency.mean_ms
    assert list(network.stage_s) == [
        *("build", "convert", "train on", "compare", "judge the gate", "latency"),
    ]
    left = build_network(smaller, len(network.class_names), seed=1)
    left.load_weights(setup.folder / network.network_id / "weights.npz")
    assert left.parameters < plain.training.parameters


def test_how_a_network_is_compressed_further_is_part_of_its_name(ran: Ran) -> None:
    pruned = dataclasses.replace(TINY.network, pruning=0.5)
    longer = dataclasses.replace(
        ran.setup, compression=CompressionSettings(pruning=Pruning(steps=900))
    )

    names = {
        network_name(network, setup)
        for network in (TINY.network, pruned)
        for setup in (ran.setup, longer)
    }

    assert len(names) == 3  # how it is pruned has no say in the name of one that is not
