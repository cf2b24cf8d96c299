"""Retrain: trains a trial's network for longer, compresses it and scores it again.

    studies/NAME/exports/<key>/    checkpoints/  trained.npz  trained.json  record.json  graphs

The key hashes everything that decides the result, so that the same export resumes where it was
interrupted: from the last checkpoint, from the trained weights, or from the graphs.

A training is validated in its course, and its best weights are kept, see `training.watch`.

It begins anew from the study's first weights, at the trial's learning rate, with a cosine schedule
over all its steps: on CamVid 2,000 steps gain 4.8 points over 600 (reports/long_training.md). Going
on from the trial's weights at a low rate gained none.
"""

import dataclasses
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from jejunet_nas.compression.chain import chain_in_words, chain_of
from jejunet_nas.errors import SettingError
from jejunet_nas.evaluation.keyframes import Keyframes
from jejunet_nas.evaluation.latencies import predict_graphs
from jejunet_nas.files import EXPORTS as EXPORTS
from jejunet_nas.files import write_text_whole, write_whole
from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.progress import Tell
from jejunet_nas.records import NetworkRecord, TrainingRecord, TrialResult, to_json
from jejunet_nas.space.architecture import Architecture, Network, canonical_json
from jejunet_nas.training.watch import Validation
from jejunet_nas.trial.judge import judge_network
from jejunet_nas.trial.run import build, compress_trained, evaluate_policy, train_network
from jejunet_nas.trial.setup import NetworkJob, TrialSetup
from jejunet_nas.trial.store import RECORD, find_judged, read_record, trained_network
from jejunet_nas.video.graphs import graph_files

TrainOn = Literal["train", "all"]
WATCHED_FRAMES = 128  # of val, in the course of training
_TRAINED, _TRAINING = "trained.npz", "trained.json"


def retrain(
    trial: TrialResult,
    setup: TrialSetup,
    exports: Path,
    *,
    steps: int,
    qat: bool,
    train_on: TrainOn = "train",
    tell: Tell,
) -> tuple[TrialResult, Path]:
    """Return `trial` with its network trained anew, and the folder of its graphs, in `exports`.

    steps: at most; the best weights of val are kept. 0 compresses the trial's weights. qat:
    compresses with quantisation-aware training, whatever the trial did. train_on: `all` trains once
    more, on train and val, for as many steps as were best on train alone; nothing is left to score
    that network on, so the trial keeps the figures of the first.

    Raises `SettingError` if the trial's weights are needed and missing, `steps` are no more than
    its own, another process makes the same export, or `train_on` is all without steps; `TrialError`
    if training fails.
    """
    require_more_steps(trial, steps, train_on)
    network = trial.architecture.network
    if qat:
        network = dataclasses.replace(network, quantization="quantization_aware")
    job = _job(trial, network, setup, exports, f"{steps} anew validated", tell)
    record = _found_or_made(trial, job, steps, watched=True)
    scored = evaluate_policy(
        trial.number,
        Architecture(network=network, policy=trial.architecture.policy),
        record,
        dataclasses.replace(setup, folder=exports),
        tell,
    )
    if train_on == "all":
        best = record.training.steps
        job = _job(trial, network, _with_val(setup), exports, f"{best} anew all", tell)
        record = _found_or_made(trial, job, best, watched=False)
        scored = dataclasses.replace(scored, network=record)
    return scored, job.folder


def require_more_steps(trial: TrialResult, steps: int, train_on: TrainOn) -> None:
    """Raise `SettingError` if `steps` are not those of a longer training, or are missing."""
    brief = trial.network.training.steps
    if 0 < steps <= brief:
        raise SettingError(
            f"--steps is {steps}; allowed: more than the {brief} that trial {trial.number} was "
            "trained for, or 0 for its weights. Raise --steps, or leave it out."
        )
    if train_on == "all" and not steps:
        raise SettingError(
            "--train-on is all without --steps; allowed with --steps: more than the "
            f"{brief} that trial {trial.number} was trained for. Add --steps, or leave --train-on "
            "out."
        )


def _job(
    trial: TrialResult,
    network: Network,
    setup: TrialSetup,
    exports: Path,
    how: str,
    tell: Tell,
) -> NetworkJob:
    """Return the making of one export, in a folder named by all that decides graphs and scores."""
    decisive = [
        trial.network_id,
        canonical_json(network),
        canonical_json(setup.recipe),
        chain_in_words(chain_of(network, setup.compression)),
        setup.val.fingerprint,
        how,
    ]
    name = hashlib.sha256(" ".join(decisive).encode()).hexdigest()[:12]
    folder = exports / name
    return NetworkJob(
        network_id=name,
        network=network,
        setup=setup,
        folder=folder,
        tell=tell,
        checkpoints=folder / "checkpoints",
    )


def _with_val(setup: TrialSetup) -> TrialSetup:
    """Return `setup` with the validation clips among the training clips."""
    train, val = setup.train, setup.val
    digest = hashlib.sha256(f"{train.fingerprint} {val.fingerprint}".encode()).hexdigest()
    both = dataclasses.replace(train, clips=(*train.clips, *val.clips), fingerprint=digest)
    return dataclasses.replace(setup, train=both)


def _found_or_made(
    trial: TrialResult, job: NetworkJob, steps: int, *, watched: bool
) -> NetworkRecord:
    with _alone(job.folder):
        record = find_judged(job.folder) or _make(trial, job, steps, watched=watched)
    # A kept record may have the latencies of another device.
    latencies = predict_graphs(
        graph_files(record, job.folder.parent), record.network, job.setup.meter
    )
    return dataclasses.replace(record, latencies=latencies)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock `folder`. Raises `SettingError` if another process has locked it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock").acquire(timeout=0):
            yield
    except Timeout:
        raise SettingError(
            f"Another process is writing {folder}. Wait for it, or stop it."
        ) from None


def _make(trial: TrialResult, job: NetworkJob, steps: int, *, watched: bool) -> NetworkRecord:
    if steps:
        keras, training = _trained(job, steps, watched=watched)
    else:
        keras, training = trained_network(trial.network, job.setup), trial.network.training
    record = judge_network(compress_trained(keras, job), training, job)
    write_text_whole(job.folder / RECORD, to_json(record, indent=2))
    shutil.rmtree(job.folder / "checkpoints", ignore_errors=True)
    return record


def _validation(keras: KerasNetwork, job: NetworkJob, steps: int) -> Validation:
    frames = Keyframes(job.setup.val, keras.network, count=WATCHED_FRAMES)

    def miou(network: KerasNetwork) -> float:
        job.tell(f"validate on {len(frames)} frames", 0, 1)
        return frames.miou(network.masks(frames.frames))

    return Validation(miou, job.folder, steps=steps)


def _trained(job: NetworkJob, steps: int, *, watched: bool) -> tuple[KerasNetwork, TrainingRecord]:
    """Return the network of `job`, trained anew; resumes an interrupted training."""
    folder, training = job.folder, job.setup.training
    keras, pretrained = build(job)
    if kept := read_record(TrainingRecord, folder / _TRAINING):
        keras.load_weights(folder / _TRAINED)
        return keras, kept
    record = train_network(
        keras,
        job,
        what="train" if watched else "train on train and val",
        pretrained=pretrained,
        schedule=dataclasses.replace(training, steps=steps, rungs=()),
        watch=_validation(keras, job, steps) if watched else None,
    )
    write_whole(folder / _TRAINED, keras.save_weights)
    # Written last: if it exists, the weights are complete.
    write_text_whole(folder / _TRAINING, to_json(record, indent=2))
    return keras, record
