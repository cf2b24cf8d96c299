"""The verbs of a trial, in the order in which they happen: build, train, convert, time, score.

What belongs to a network and not to the policy that runs it is kept under the network's id, and
found again: a second trial of the same network only walks the validation clips anew.
"""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jejunet_nas.compression.chain import chain_in_words, chain_of
from jejunet_nas.compression.check import check_graph
from jejunet_nas.compression.compress import compress
from jejunet_nas.errors import SettingError
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.latency.stream import background_lag, stream_latency
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.networks.paths import NARROW_DEPTH_MULTIPLIER, NARROW_PREFIX
from jejunet_nas.progress import Clock, Tell
from jejunet_nas.records import (
    GRAPH_NAMES,
    NetworkRecord,
    PathLatencies,
    TrainingRecord,
    TrialResult,
    from_json,
    to_json,
)
from jejunet_nas.space.architecture import Architecture, Network, canonical_json, network_id
from jejunet_nas.training.gate import train_gate
from jejunet_nas.training.inherit import inherit
from jejunet_nas.training.material import Material
from jejunet_nas.training.source import source_for
from jejunet_nas.trial.setup import TrialSetup

WEIGHTS = "weights.npz"  # of a trained network, in its folder
CHECKED_FRAMES = 64  # validation frames on which float and int8 masks are compared


def run_trial(
    number: int, architecture: Architecture, setup: TrialSetup, tell: Tell
) -> TrialResult:
    """Build, train, quantise, time and score one architecture.

    Raises `TrialError` or another `JejunetError` where that cannot be done.
    """
    network, reused = prepare_network(architecture.network, setup, tell)
    return score_network(number, architecture, network, setup, tell, reused=reused)


def score_network(
    number: int,
    architecture: Architecture,
    network: NetworkRecord,
    setup: TrialSetup,
    tell: Tell,
    *,
    reused: bool,
) -> TrialResult:
    """Run the graphs of `network` over the validation clips under the architecture's policy.

    reused: whether the network was found trained.
    """
    clock = Clock({} if reused else network.stage_s)
    with clock.stage("evaluate"):
        (found,) = _evaluation(network, setup).score(
            [architecture.policy],
            lag=background_lag(network.latencies, target_fps=setup.target_fps),
            tell=lambda done, total: tell("evaluate", done, total),
        )
    assert found.temporal is not None, "asked for"
    return TrialResult(
        number=number,
        architecture=architecture,
        network=network,
        score=found.score,
        temporal=found.temporal,
        walks=found.walks,
        predicted=stream_latency(found.walks, network.latencies, target_fps=setup.target_fps),
        stage_s=clock.stage_s,
        network_reused=reused,
    )


def prepare_network(network: Network, setup: TrialSetup, tell: Tell) -> tuple[NetworkRecord, bool]:
    """Return the record of `network`, and whether it was there already.

    A network is made in a folder beside its own and renamed into place when it is whole. One that
    is compressed further begins with the trained one, which is prepared first where it is missing.
    """
    name = network_id(network, _recipe_of(network, setup))
    folder = setup.folder / name
    kept = _read_record(folder / "record.json")
    if kept:
        return kept, True
    part = setup.folder / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    record = _make_network(name, network, setup, part, tell)
    (part / "network.json").write_text(canonical_json(network))
    (part / "recipe.json").write_text(json.dumps(setup.recipe, indent=2, sort_keys=True))
    (part / "record.json").write_text(to_json(record, indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    return record, False


def _recipe_of(network: Network, setup: TrialSetup) -> Mapping[str, Any]:
    """Return what decides the weights of `network`: for one that is compressed further, how too."""
    if network == network.as_trained:
        return setup.recipe
    return {**setup.recipe, "chain": chain_in_words(chain_of(network, setup.compression))}


def _read_record(file: Path) -> NetworkRecord | None:
    """Return the record in `file`; None where there is none, or none that can be read."""
    try:
        return from_json(NetworkRecord, file.read_bytes())
    except (OSError, ValidationError):
        return None


def _make_network(
    name: str, network: Network, setup: TrialSetup, folder: Path, tell: Tell
) -> NetworkRecord:
    if network == network.as_trained:
        return _train_network(name, network, setup, folder, tell)
    base, _ = prepare_network(network.as_trained, setup, tell)
    clock = Clock()
    with clock.stage("build"):
        keras = trained_network(base, setup)
    material = setup.material_in(folder)
    record = write_graphs(name, keras, network, setup, folder, base.training, material, tell, clock)
    return dataclasses.replace(record, compressed_from=base.network_id)


def _train_network(
    name: str, network: Network, setup: TrialSetup, folder: Path, tell: Tell
) -> NetworkRecord:
    clock, material = Clock(), setup.material_in(folder)
    with clock.stage("build"):
        tell("build", 0, 1)
        keras = build_network(network, len(setup.val.class_names), seed=setup.training.seed)
        pretrained = inherit_backbones(keras, setup)
    with clock.stage("resize"):
        pictures = material.pictures(network, tell)
    with clock.stage("train"):
        loop = material.train(keras, pictures, tell, pretrained=pretrained)
    clock.move("train", "trace", loop.trace_s)
    with clock.stage("gate"):
        tell("train the gate", 0, 1)
        gate_loss = train_gate(keras, setup.train, setup.training, longest_age=setup.longest_age)
    training = TrainingRecord(
        steps=setup.training.steps,
        loss_every_steps=loop.loss_every_steps,
        losses=loop.losses,
        gate_loss=gate_loss,
        median_step_ms=loop.median_step_ms,
        input_wait_share=loop.input_wait_share,
        parameters=keras.parameters,
    )
    return write_graphs(name, keras, network, setup, folder, training, material, tell, clock)


def write_graphs(
    name: str,
    keras: KerasNetwork,
    network: Network,
    setup: TrialSetup,
    folder: Path,
    training: TrainingRecord,
    material: Material,
    tell: Tell,
    clock: Clock,
) -> NetworkRecord:
    """Turn the trained `keras` into the graphs of `network`, check them, and say what they are.

    folder: where graphs and weights go. training: what is recorded of how `keras` was trained.
    material: what compression trains it on further, where it does.
    """
    with clock.stage("convert"):
        tell("convert", 0, 1)
        made = compress(
            keras,
            chain_of(network, setup.compression),
            material,
            folder,
            tell,
            calibration=setup.compression.post_training,
        )
        made.trained.save_weights(folder / WEIGHTS)
        checked = {graph: check_graph(file) for graph, file in made.files.items()}
        agreement = made.agreement()
    if made.train_s:
        clock.move("convert", "train on", made.train_s)
    with clock.stage("compare"):
        tell("compare float and int8", 0, 1)
        keyframes = Keyframes(
            setup.val,
            height=network.input_height,
            width=network.input_width,
            count=CHECKED_FRAMES,
        )
        float_miou = keyframes.miou(made.trained.masks(keyframes.frames))
        int8_miou = keyframes.miou_of_graphs(made.files)
    with clock.stage("judge the gate"):
        tell("judge the gate", 0, 1)
        gate = Evaluation(setup.val, made.files).judge_gate(longest_age=setup.longest_age)
    with clock.stage("latency"):
        latencies = PathLatencies(
            **{graph: setup.meter.measure(file) for graph, file in made.files.items()}
        )
    return NetworkRecord(
        network_id=name,
        network=network,
        class_names=setup.val.class_names,
        training=training,
        graphs=checked,
        latencies=latencies,
        float_miou=float_miou,
        int8_miou=int8_miou,
        checked_frames=len(keyframes),
        gate=gate,
        stage_s=clock.stage_s,
        agreement=agreement,
    )


def trained_network(record: NetworkRecord, setup: TrialSetup) -> KerasNetwork:
    """Return the network in `record` as it was trained, before any channel was cut.

    Raises `SettingError` where its weights are gone.
    """
    file = setup.folder / (record.compressed_from or record.network_id) / WEIGHTS
    if not file.is_file():
        raise SettingError(
            f"{file} does not exist; allowed: the weights that the search left there. Copy the "
            "study's folder again, or search it again."
        )
    keras = build_network(record.network.as_trained, len(record.class_names), seed=0)
    keras.load_weights(file)
    return keras


def inherit_backbones(keras: KerasNetwork, setup: TrialSetup) -> set[str]:
    """Set the backbones from the source; return the layers whose weights came whole."""
    if setup.source is None:
        return set()
    backbones = {"": keras.network.depth_multiplier}
    if keras.network.detail == "narrow":
        backbones[NARROW_PREFIX] = NARROW_DEPTH_MULTIPLIER
    whole: set[str] = set()
    for prefix, depth_multiplier in backbones.items():
        source = source_for(setup.source, depth_multiplier)
        names = inherit(keras.layers, source, depth_multiplier, prefix=prefix)
        if source.is_as_wide_as(depth_multiplier):
            whole |= names
    return whole


def _evaluation(network: NetworkRecord, setup: TrialSetup) -> Evaluation:
    folder = setup.folder / network.network_id
    return Evaluation(setup.val, {name: folder / network.graphs[name].file for name in GRAPH_NAMES})
