"""Repair: networks of a study that are missing or damaged are made again, as `doctor` asks.

Training repeats itself bit for bit on the same machine with one thread. Where the graphs differ
from the lost ones, the trials of the network are scored again, and the new results replace theirs:
figures are never told of graphs that are not there. An ended trial cannot be changed in Optuna's
storage, so they are stored beside the trials (`study.kept_data`).
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from optuna.trial import FrozenTrial

from jejunet_nas.errors import TrialError
from jejunet_nas.records import NetworkRecord, Repeat, TrialResult, as_added, to_json
from jejunet_nas.records.words import per_cent
from jejunet_nas.search.prepare import made_from, prepare
from jejunet_nas.search.view import View
from jejunet_nas.search.work import train_again
from jejunet_nas.space.architecture import Network
from jejunet_nas.study.checked_records import records_of
from jejunet_nas.study.history import ADDED, ARCHITECTURE, stored_architecture
from jejunet_nas.study.kept_data import repaired_key, repeat_key
from jejunet_nas.study.kept_measurements import FOLDER as MEASURED
from jejunet_nas.study.kept_measurements import with_measured
from jejunet_nas.study.kept_networks import damage_of_folder, damage_of_network
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.named import NamedStudy, write_notes
from jejunet_nas.study.storage import storage_url
from jejunet_nas.trial.run import evaluate_policy, make_network
from jejunet_nas.trial.setup import TrialSetup
from jejunet_nas.trial.store import find_network, network_name


def repair(named: NamedStudy, view: View) -> None:
    """Make lost networks of a study again, and its study.yaml. Nothing where it has no trials.

    Raises `SettingError` if another process searches the study, or if its settings or its data
    differ from those of its trials.
    """
    settings, folder = named.settings, named.folder
    with study_lock(folder, settings.name), view:
        ledger = Ledger.find(settings, named.storage or storage_url(folder), view.say)
        if ledger is None:
            return
        setup = prepare(settings, folder, view.stage)
        identity = {**settings.identity(), "made_from": made_from(setup, settings)}
        ledger.keep_identity(identity)
        write_notes(folder, identity, named.notes)
        _Repair(ledger, setup, view).run()


class _Repair:
    def __init__(self, ledger: Ledger, setup: TrialSetup, view: View) -> None:
        self._ledger, self._setup, self._view = ledger, setup, view

    def run(self) -> None:
        """Repair networks of trials, then unreadable records, then repeats of the last round."""
        records = records_of(self._ledger)
        by_network: dict[str, list[TrialResult]] = {}
        for result in records.results:
            by_network.setdefault(result.network_id, []).append(result)
        for same in by_network.values():
            with self._said(same[0].number):
                self._network(same)
        for trial in self._ledger.trials():
            if records.unreadable.get(trial.number):
                with self._said(trial.number):
                    self._record(trial)
        history = with_measured(self._ledger.history(), self._setup.folder)
        for result in history.complete:
            for repeat in history.repeats.get(result.number, ()):
                with self._said(result.number):
                    self._repeat(repeat, result)

    @contextlib.contextmanager
    def _said(self, number: int) -> Iterator[None]:
        """Say that a trial cannot be repaired, and go on."""
        try:
            yield
        except TrialError as error:
            self._view.say(f"trial {number} cannot be repaired: {error}")

    def _network(self, same: Sequence[TrialResult]) -> None:
        """Make the network of the trials `same` again if it is damaged."""
        lost, networks = same[0].network, self._setup.folder
        damage = damage_of_network(lost, networks)
        if damage is None:
            return
        setups = (
            each for each in self._rungs if network_name(lost.network, each) == lost.network_id
        )
        setup = next(setups, None)
        if setup is None:
            raise TrialError(f"{damage}, and its network was made with another recipe")
        self._view.say(f"{damage}: it is made again")
        measured = networks / lost.network_id / MEASURED
        kept = {file.name: file.read_bytes() for file in measured.glob("[!.]*.json")}
        made = self._made(lost.network, setup)
        if _hashes(made) == _hashes(lost):
            measured.mkdir(exist_ok=True)
            for name, content in kept.items():
                (measured / name).write_bytes(content)
            self._view.say(f"network {lost.network_id}: the graphs are equal to the lost ones")
            return
        for trial in same:
            self._score(trial, made, setup)

    @property
    def _rungs(self) -> Iterator[TrialSetup]:
        """The setups of networks trained to each rung, the last first."""
        return map(self._setup.at_rung, range(self._setup.top, -1, -1))

    def _made(self, network: Network, setup: TrialSetup) -> NetworkRecord:
        """Return the record of a whole network, which is made where it is not."""
        found = find_network(network, setup)
        if found is not None and damage_of_network(found, setup.folder) is None:
            return found  # by a repair that was interrupted
        if network != network.as_trained:
            self._made(network.as_trained, setup)
        return make_network(network, setup, self._view.stage)

    def _score(self, trial: TrialResult, made: NetworkRecord, setup: TrialSetup) -> None:
        scored = evaluate_policy(trial.number, trial.architecture, made, setup, self._view.stage)
        result = dataclasses.replace(
            trial,
            network=made,
            own_frame_score=scored.own_frame_score,
            temporal=scored.temporal,
            on_prediction=scored.on_prediction,
            on_measurement=None,
            measured_graphs=None,
        )
        self._ledger.note(repaired_key(trial.number), to_json(result))
        self._view.say(
            f"trial {trial.number}: {per_cent(result.score.miou)} mIoU; "
            f"{per_cent(trial.on_prediction.score.miou)} with the lost graphs"
        )

    def _record(self, trial: FrozenTrial) -> None:
        """Score the architecture of a trial whose record cannot be read."""
        architecture = stored_architecture(trial.user_attrs[ARCHITECTURE])
        network = architecture.network
        kept = (each for each in self._rungs if find_network(network, each) is not None)
        setup = next(kept, self._setup)
        made = self._made(network, setup)
        result = evaluate_policy(trial.number, architecture, made, setup, self._view.stage)
        result = as_added(result) if ADDED in trial.user_attrs else result
        self._ledger.note(repaired_key(trial.number), to_json(result))
        self._view.say(f"trial {trial.number} is scored again: {per_cent(result.score.miou)} mIoU")

    def _repeat(self, repeat: Repeat, trial: TrialResult) -> None:
        """Train the network of `trial` again with the seed of `repeat`, if that is damaged."""
        damage = damage_of_folder(self._setup.folder / repeat.network_id)
        if damage is None:
            return
        self._view.say(f"{damage}: it is made again")
        setup = self._setup.with_seed(repeat.seed)
        self._made(trial.architecture.network, setup)
        name, streamed = train_again(trial, setup, self._view.stage)
        again = dataclasses.replace(repeat, network_id=name, streamed=streamed)
        self._ledger.note(repeat_key(repeat.number, repeat.seed), to_json(again))


def _hashes(network: NetworkRecord) -> dict[str, str]:
    """Return the SHA-256 of each graph."""
    return {name: graph.sha256 for name, graph in network.graphs.items()}
