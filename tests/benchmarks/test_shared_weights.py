"""Shared weights: a network's part of them, their training, and the verdict of the benchmark."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.networks.build import build_network
from jejunet_nas.networks.training_layers import TrainingLayers, pair_logits, variables_of
from jejunet_nas.records.words import network_words
from jejunet_nas.space.architecture import Architecture, Network, Policy
from jejunet_nas.training import checkpoint
from jejunet_nas.training.source import Source, SourceLayer
from jejunet_nas.training.weights_file import Norm
from jejunet_nas.trial.setup import TrialSetup
from tests.benchmarks.shared_weights import Plan, Unit, arms_of, kept_units, measure, page
from tests.benchmarks.supernet import SharedWeights, shared_name
from tests.builders import LONGEST_AGE, TINY_TRAINING, noise, space_of, tiny_network, tiny_splits
from tests.training.weights import folded_weights

WIDTH, CLASSES = 0.5, 4
NARROW = tiny_network(depth_multiplier=0.35, detail="narrow", logit_stride=8, last_block=9)
SHARED = tiny_network(depth_multiplier=0.35, detail="shared", last_block=13)


def random_source() -> Source:
    rng = np.random.default_rng(0)
    return Source(
        depth_multiplier=WIDTH,
        layers={
            name: SourceLayer(
                kernel=kernel,
                norm=Norm(np.ones_like(bias), bias, np.zeros_like(bias), np.ones_like(bias)),
                deviation=rng.uniform(0.5, 2, len(bias)).astype(np.float32),
            )
            for name, (kernel, bias) in folded_weights(WIDTH).items()
        },
    )


def shared_by(*networks: Network) -> SharedWeights:
    shared = SharedWeights(random_source(), CLASSES, decoder_channels=32, seed=0)
    for network in networks:
        shared.cover(network)
    return shared


def logits(shared: SharedWeights, network: Network) -> np.ndarray:
    parts = shared.parts(network, shared.cuts(network))
    layers = TrainingLayers(parts)
    frames = noise(0, 2, network.input_height, network.input_width, 3)
    return pair_logits(layers, frames, frames[::-1], network, CLASSES, own=0).numpy()


@pytest.mark.parametrize("network", [NARROW, SHARED], ids=lambda network: network.detail)
def test_a_narrow_network_is_the_wide_one_without_the_channels_that_it_lost(
    network: Network,
) -> None:
    shared = shared_by(network)
    narrow = logits(shared, network)

    for name, cut in shared.cuts(network).items():
        channels = cut.outputs or cut.inputs
        stays = np.isin(np.arange(channels.wide), channels.kept)
        whole = shared.variables[shared_name(name, network)]
        for values in (whole.bias, whole.scale):
            if values is not None:
                values.assign(values * stays)
        if whole.scale is None:
            whole.kernel.assign(whole.kernel * stays)
    wide = logits(shared, shared.widened(network))

    # Sums over more channels, though they are 0, are rounded in another order.
    np.testing.assert_allclose(narrow, wide, atol=1e-4 * np.abs(wide).max(), rtol=0)


def test_a_network_gets_its_part_and_learns_which_layers_were_trained_so() -> None:
    shared = shared_by(NARROW)
    keras = build_network(NARROW, CLASSES, seed=1)

    whole = shared.export(keras, trained_cut=False)

    parts, variables = shared.parts(NARROW, shared.cuts(NARROW)), variables_of(keras.layers)
    for name, part in parts.items():
        np.testing.assert_array_equal(variables[name].kernel, part.kernel)
        np.testing.assert_array_equal(variables[name].bias, part.bias)
    assert {"detail_Conv1", "detail_Conv1_BN"} <= whole  # it is 0.35 wide in every network
    assert not {"block_1_project", "decoder_1_pointwise", "logits"} & whole
    assert {*parts} <= shared.export(keras, trained_cut=True)


def test_the_arms_train_every_head_and_a_supernets_every_width() -> None:
    parents, arms = arms_of("parent", 18, 0), arms_of("supernet", 18, 0)

    assert {arm.depth_multiplier for arm in parents} == {1.0}
    assert {arm.depth_multiplier for arm in arms} == {0.25, 0.35, 0.5, 0.75, 1.0}
    for each in (parents, arms):
        assert len({(arm.last_block, arm.output_stride, arm.detail) for arm in each}) == 18
        assert len({(arm.detail, arm.logit_stride) for arm in each}) == 6


@pytest.mark.slow
def test_a_killed_benchmark_resumes_in_the_middle_of_shared_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.0)
    train, val = tiny_splits()
    setup = TrialSetup(
        train=train,
        val=val,
        training=dataclasses.replace(TINY_TRAINING, pairs_per_step=2),
        compression=CompressionSettings(),
        meter=PredictedMeter(profile=load_profile("pixel2")),
        space=space_of(Architecture(network=tiny_network(), policy=Policy(keyframe_interval=1))),
        target_fps=24.0,
        longest_age=LONGEST_AGE,
        recipe={"training": dataclasses.asdict(TINY_TRAINING)},
        source=[random_source()],
        folder=tmp_path,
    )
    network = tiny_network(last_block=6)
    arms = [network, tiny_network(depth_multiplier=WIDTH)]
    plan = Plan(
        arms={"supernet": arms},
        shared_steps=[2],
        networks=[network],
        plain_steps=[1],
        child_steps=[0],
    )
    told: list[tuple[str, int]] = []

    def tell(what: str, done: int, total: int) -> None:
        told.append((what.split(",")[0], done))

    def killed(what: str, done: int, total: int) -> None:
        if what.startswith("shared"):
            raise RuntimeError("killed")

    kept = kept_units(tmp_path / "units.jsonl", plan, setup)
    with pytest.raises(RuntimeError, match="killed"):
        list(measure(plan, setup, kept, tmp_path, killed))
    assert [unit.training for unit in kept.units.values()] == ["plain"]

    kept = kept_units(tmp_path / "units.jsonl", plan, setup)
    new = list(measure(plan, setup, kept, tmp_path, tell))

    assert [done for what, done in told if what == "shared"] == [2]
    assert [unit.training for unit in new] == ["supernet 2"] * 2
    assert 0 < new[1].miou < 1
    again = kept_units(tmp_path / "units.jsonl", plan, setup)
    assert again.units == kept.units
    assert not list(measure(plan, setup, again, tmp_path, tell))


def test_the_page_says_from_how_many_networks_on_shared_training_pays() -> None:
    narrow, wide = tiny_network(), tiny_network(depth_multiplier=0.5)
    plan = Plan(arms={}, shared_steps=[], networks=[narrow, wide], child_steps=(30,))
    units = [
        Unit("parent 900", "", 900, 250.0),
        *(Unit("plain", network_words(n), 100, 60.0, 0.70) for n in (narrow, wide)),
        Unit("parent 900", network_words(narrow), 30, 20.0, 0.65),
        Unit("parent 900", network_words(wide), 30, 20.0, 0.695),
    ]

    told = page(plan, {unit[:3]: unit for unit in units}, "made up")

    assert "| parent 900 | 30 | 65.0 | 69.5 | 20 |" in told
    assert "- parent 900 steps (250 s), width 0.5: pays from 7 networks on; with 30 steps" in told
    assert "narrower: does not pay; with 30 steps of its own, a network has -5.0 points" in told
