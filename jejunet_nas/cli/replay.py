"""The command `replay`: makes a trial again, and compares it with the first."""

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jejunet_nas.cli.arguments import AsJson, DataRoot, Storage, StudyName, TrialNumber
from jejunet_nas.cli.printer import Printer
from jejunet_nas.cli.targets import choose_trial
from jejunet_nas.errors import SettingError, StoppedError, TrialError

if TYPE_CHECKING:
    from jejunet_nas.records import Provenance
    from jejunet_nas.study.opened import Trial
    from jejunet_nas.trial.comparison import Comparison, Training

Seed = Annotated[
    int | None,
    typer.Option(help="Replay the trial's further training of the last round with this seed."),
]


def replay(
    study: StudyName,
    trial: TrialNumber = None,
    seed: Seed = None,
    data_root: DataRoot = None,
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Make a trial again: train, quantise and score its network, and compare with its record.

    It takes as long as the trial, and changes nothing in the study. TensorFlow uses as many threads
    as for the trial. With the same processor, versions and one thread (TF_NUM_INTRAOP_THREADS=1 for
    search), both are equal bit for bit. Otherwise mIoU may differ as between two trainings of a
    network. An added trial has its own policy; pruned networks are trained first.

    Exit code 1: the trial is not reproduced. Exit code 2: it cannot be replayed, because its data,
    settings or initial weights changed.
    """
    chosen = choose_trial(study, trial, storage, data_root)
    printer = Printer(as_json=as_json)
    then = _then(chosen, seed)
    try:
        found = _replayed(chosen, then, seed, printer)
    except KeyboardInterrupt:
        raise StoppedError(
            "The replay was stopped; the study is as it was. The same command starts it again."
        ) from None
    _print(found, chosen.number, then.record.provenance, printer)
    printer.json(_plain(found, chosen.number, seed, then))
    said = f"trial {chosen.number}{'' if seed is None else f', seed {seed},'} is "
    if found.verdict == "different":
        raise TrialError(f"{said}not reproduced: {found.words}.")
    printer.result(f"{said}reproduced: {found.words}")


def _then(chosen: "Trial", seed: int | None) -> "Training":
    """Return the training to replay: the trial's own, or a further one of its network."""
    from jejunet_nas.records import NetworkRecord
    from jejunet_nas.trial.comparison import Training
    from jejunet_nas.trial.store import RECORD, WEIGHTS, read_record

    result, networks = chosen.result, chosen.study.networks
    if seed is None:
        weights = networks / result.network_id / WEIGHTS
        return Training(record=result.network, weights=weights, streamed=result.streamed)
    further = {each.seed: each for each in chosen.history.repeats.get(chosen.number, ())}
    if seed not in further:
        allowed = ", ".join(map(str, further)) or "none, because it was trained once"
        raise SettingError(
            f"--seed is {seed}; allowed for trial {chosen.number}: {allowed}. Without --seed, its "
            "first training is replayed."
        )
    folder = networks / further[seed].network_id
    record = read_record(NetworkRecord, folder / RECORD)
    if record is None:
        raise SettingError(
            f"{folder / RECORD} is missing or damaged. Copy the study's folder again."
        )
    return Training(record=record, weights=folder / WEIGHTS, streamed=further[seed].streamed)


def _replayed(
    chosen: "Trial", then: "Training", seed: int | None, printer: Printer
) -> "Comparison":
    """Replay a training in a temporary folder."""
    from jejunet_nas.export.facts import known_fingerprints
    from jejunet_nas.scoring.contenders import WITHIN, expected_noise
    from jejunet_nas.search.prepare import prepare
    from jejunet_nas.search.view import make_view
    from jejunet_nas.training.provenance import use_threads
    from jejunet_nas.trial.replay import replay, require_data

    state, known, result = chosen.study.folder, then.record.provenance, chosen.result
    if known and not known.gpus:
        use_threads(known.threads)
    with (
        tempfile.TemporaryDirectory(prefix="jejunet-replay-") as scratch,
        make_view(printer.messages) as view,
    ):
        for source in state.glob("source-*.npz"):  # what `prepare` would measure again
            shutil.copy(source, scratch)
        setup = prepare(chosen.study.settings, Path(scratch), view.stage)
        require_data(known.fingerprints if known else known_fingerprints(state), setup)
        return replay(
            then,
            result.architecture.policy,
            result.graph_latencies,
            setup if seed is None else setup.with_seed(seed),
            view.stage,
            tolerance=WITHIN * expected_noise(chosen.history).of_difference,
        )


def _print(found: "Comparison", number: int, known: "Provenance | None", printer: Printer) -> None:
    signs = {True: "equal", False: "differs", None: "unknown"}
    for part in found.parts:
        printer.result(f"{signs[part.equal]:8} {part.name}: {part.words}")
    if found.changes is None:
        printer.result(
            f"Trial {number} has no record of its machine, versions and threads: an earlier "
            "version made it."
        )
        return
    assert known is not None
    for change in found.changes:
        printer.result(f"changed  {change.what}: {change.then} then, {change.now} now")
    if not found.changes:
        printer.result(
            f"same     processor, versions, data, seed; threads: {known.threads}, GPUs: "
            f"{', '.join(known.gpus) or 'none'}"
        )


def _plain(found: "Comparison", number: int, seed: int | None, then: "Training") -> dict[str, Any]:
    known = then.record.provenance
    return {
        "trial": number,
        "seed": seed,
        "network_id": then.record.network_id,
        "verdict": found.verdict,
        "reason": found.words,
        "provenance": known and dataclasses.asdict(known),
        **dataclasses.asdict(found),
    }
