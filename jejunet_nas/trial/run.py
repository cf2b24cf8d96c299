"""Run: one trial, from a network to the results of its policies, in the order of its stages.

A network does not depend on the policy that runs it. It is kept under its id, so a trial that was
interrupted after its training only scores policies.
"""

import dataclasses
from collections.abc import Collection

from jejunet_nas.compression.chain import chain_of
from jejunet_nas.compression.compress import CompressedNetwork, compress
from jejunet_nas.evaluation.exhaustive import best_policies
from jejunet_nas.evaluation.latencies import predict_move
from jejunet_nas.evaluation.network import Evaluation, PolicyScore
from jejunet_nas.networks.build import KerasNetwork, build_network
from jejunet_nas.progress import Clock, Tell
from jejunet_nas.records import NetworkRecord, TrainingRecord, TrialResult, as_added
from jejunet_nas.space.architecture import Architecture, Network, Policy
from jejunet_nas.space.draw import policies_of
from jejunet_nas.training.gate import train_gate
from jejunet_nas.training.inherit import inherit_backbones
from jejunet_nas.training.material import Schedule
from jejunet_nas.training.watch import Watch
from jejunet_nas.trial.judge import judge_network
from jejunet_nas.trial.setup import NetworkJob, TrialSetup
from jejunet_nas.trial.store import (
    WEIGHTS,
    alone,
    find_network,
    network_name,
    new_folder,
    trained_network,
    write_record,
)
from jejunet_nas.video.graphs import graph_files


def run_trial(number: int, network: Network, setup: TrialSetup, tell: Tell) -> list[TrialResult]:
    """Find or make `network`, then return the results of its best policies, see `best_policies`.

    The first has the best mIoU at the target, and the trial's `number`; the others are `added`.
    Raises `TrialError` or another `JejunetError` where a step fails.
    """
    found = find_network(network, setup)
    made = found or make_network(network, setup, tell)
    return evaluate_policies(number, made, setup, tell, reused=found is not None)


def make_network(network: Network, setup: TrialSetup, tell: Tell) -> NetworkRecord:
    """Build, train, compress and judge `network`, measure its latency, and keep it in its folder.

    Pruning and quantisation-aware training start from the plainly trained network, which is found
    or made first.
    """
    base = None
    if network != network.as_trained:
        base = find_network(network.as_trained, setup)
        base = base or make_network(network.as_trained, setup, tell)
    name = network_name(network, setup)
    with alone(setup.folder / name) as waited:  # two workers may need the same base
        if waited and (found := find_network(network, setup)):
            return found
        with new_folder(setup.folder / name) as folder:
            job = NetworkJob(
                network_id=name, network=network, setup=setup, folder=folder, tell=tell
            )
            if base is None:
                keras, training = build_and_train(job)
            else:
                with job.clock.stage("build"):
                    keras, training = trained_network(base, setup), base.training
            made = compress_trained(keras, job)
            base_id = base.network_id if base else None
            record = judge_network(made, training, job, compressed_from=base_id)
            write_record(record, job)
    if setup.shared:
        setup.shared.keep(setup.folder / name)
    return record


def build_and_train(job: NetworkJob) -> tuple[KerasNetwork, TrainingRecord]:
    """Return the network of `job`, trained, and the record of its training."""
    keras, pretrained = build(job)
    return keras, _train_rungs(keras, job, pretrained)


def build(job: NetworkJob) -> tuple[KerasNetwork, set[str]]:
    """Return the network of `job` untrained, and its layers that have all pretrained weights.

    It is unpruned, as all networks are when their training begins.
    """
    setup, network = job.setup, job.network.as_trained
    with job.clock.stage("build"):
        job.tell("build", 0, 1)
        keras = build_network(network, len(setup.val.class_names), seed=setup.training.seed)
        pretrained = inherit_backbones(keras, setup.source)
    with job.clock.stage("resize"):
        job.material.pictures(network, job.tell)
    return keras, pretrained


def _train_rungs(
    keras: KerasNetwork, job: NetworkJob, pretrained: Collection[str]
) -> TrainingRecord:
    """Train `keras` to the rung of `job`, from the highest rung below whose network is kept.

    The gate is trained on the first rung, and again for the last.
    """
    setup = job.setup
    top = setup.top if setup.rung is None else setup.rung
    first, record = 0, None
    for rung in reversed(range(top)):
        if below := find_network(job.network, setup.at_rung(rung)):
            keras.load_weights(setup.folder / below.network_id / WEIGHTS)
            first, record = rung + 1, below.training
            break
    for rung in range(first, top + 1):
        here = dataclasses.replace(job, setup=setup.at_rung(rung))
        kept = None if rung in (0, setup.top) else record
        record = train_network(keras, here, pretrained=pretrained, gate_of=kept)
    assert record is not None
    return record


def train_network(
    keras: KerasNetwork,
    job: NetworkJob,
    *,
    pretrained: Collection[str],
    what: str = "train",
    schedule: Schedule | None = None,
    gate_of: TrainingRecord | None = None,
    watch: Watch | None = None,
) -> TrainingRecord:
    """Train all paths of `keras` in place, the gate last. Arguments: see `Material.train`.

    gate_of: the training whose gate is kept; None trains it.
    """
    setup, clock = job.setup, job.clock
    with clock.stage("train"):
        loop = job.material.train(
            keras, job.tell, what=what, pretrained=pretrained, schedule=schedule, watch=watch
        )
    clock.move("train", "trace", loop.trace_s)
    if gate_of:
        gate_loss = gate_of.gate_loss
    else:
        with clock.stage("gate"):
            job.tell("train the gate", 0, 1)
            gate_loss = train_gate(
                keras, setup.train, setup.training, longest_age=setup.longest_age
            )
    return TrainingRecord(
        steps=loop.steps if schedule else setup.steps,
        loss_every_steps=loop.loss_every_steps,
        losses=loop.losses,
        gate_loss=gate_loss,
        median_step_ms=loop.median_step_ms,
        input_wait_share=loop.input_wait_share,
        parameters=keras.parameters,
        curve=loop.curve,
    )


def compress_trained(keras: KerasNetwork, job: NetworkJob) -> CompressedNetwork:
    """Compress `keras` as the network of `job` says; write graphs and weights to its folder."""
    compression = job.setup.compression
    with job.clock.stage("convert"):
        job.tell("convert", 0, 1)
        made = compress(
            keras,
            chain_of(job.network, compression),
            job.material,
            job.folder,
            job.tell,
            calibration=compression.post_training,
        )
        made.trained.save_weights(job.folder / WEIGHTS)
    if made.train_s:
        job.clock.move("convert", "train on", made.train_s)
    return made


def evaluate_policies(
    number: int, network: NetworkRecord, setup: TrialSetup, tell: Tell, *, reused: bool
) -> list[TrialResult]:
    """Score the policies of the space on the validation clips; return as `run_trial` does.

    reused: whether an earlier trial made the network; its stages are not counted again.
    """
    if network.latencies.move is None:  # of an earlier version, as a shared store may have it
        move = predict_move(network.network, setup.meter.profile)
        latencies = dataclasses.replace(network.latencies, move=move)
        network = dataclasses.replace(network, latencies=latencies)
    clock = Clock({} if reused else network.stage_s)
    with clock.stage("evaluate"):
        found = best_policies(
            Evaluation(setup.val, graph_files(network, setup.folder)),
            policies_of(setup.space, network.network),
            network.latencies,
            target_fps=setup.target_fps,
            rule=setup.feasible,
            tell=tell,
        )
    best, *others = [
        _result(number, policy, network, score, clock.stage_s, reused=reused)
        for policy, score in found
    ]
    return [best, *(as_added(other) for other in others)]


def evaluate_policy(
    number: int,
    architecture: Architecture,
    network: NetworkRecord,
    setup: TrialSetup,
    tell: Tell,
) -> TrialResult:
    """Run the graphs of `network` on the validation clips under the architecture's policy."""
    clock, policy = Clock(network.stage_s), architecture.policy
    with clock.stage("evaluate"):
        (score,) = Evaluation(setup.val, graph_files(network, setup.folder)).score(
            [policy], network.latencies, target_fps=setup.target_fps, tell=tell
        )
    return _result(number, policy, network, score, clock.stage_s, reused=False)


def _result(
    number: int,
    policy: Policy,
    network: NetworkRecord,
    score: PolicyScore,
    stage_s: dict[str, float],
    *,
    reused: bool,
) -> TrialResult:
    return TrialResult(
        number=number,
        architecture=Architecture(network=network.network, policy=policy),
        network=network,
        own_frame_score=score.own_frame,
        temporal=score.temporal,
        on_prediction=score.streamed,
        stage_s=stage_s,
        network_reused=reused,
    )
