"""Closes trials: immediately with predicted latencies, or later with those that a phone measures.

A trial is held open in the ledger while its network is measured in the background; then the sampler
learns the measured latency. While the phone is away, trials are closed with predicted latencies; a
later measurement replaces the prediction when the study is read.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna

from jejunet_nas.records import DataSplit, StudyHistory, TrialResult
from jejunet_nas.records.measurements import NetworkMeasurement, PhoneInfo
from jejunet_nas.records.words import counted
from jejunet_nas.search.lines import measured_words
from jejunet_nas.search.phone_queue import PhoneQueue
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.study.adding import complete_added, hold_added
from jejunet_nas.study.interrupted import take_up_interrupted
from jejunet_nas.study.kept_measurements import (
    measured_trial,
    measurements_of,
    unmeasured,
    with_measured,
)
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.screens import Screens
from jejunet_nas.study.settings import StudySettings


class Closing:
    """The complete trials of a study, including those that wait for their measurement."""

    def __init__(
        self,
        ledger: Ledger,
        phone: PhoneQueue | None,
        networks: Path,
        view: View,
        open_val: Callable[[], DataSplit],
    ) -> None:
        """Start with the trials in `ledger`.

        open_val: opens the clips on which masks are scored with measured latencies.
        """
        self._settings, self._ledger, self._phone = ledger.settings, ledger, phone
        self._networks, self._view = networks, view
        self._screens = Screens(networks, ledger.settings.target_fps, open_val, view.say)
        self._waiting: dict[int, optuna.Trial] = {}  # by the trial's number
        on = phone.phone if phone else None
        self.results = list(
            with_measured(ledger.history(), networks, phone=on, screens=self._screens).complete
        )
        if phone is not None:
            for network in unmeasured(self.results):
                phone.submit(network)

    def close(self, trial: optuna.Trial, results: Sequence[TrialResult]) -> list[TrialResult]:
        """Close `trial` with the first of `results`, and add the others as trials.

        They are held until their network is measured. Returns those that the study has now. If the
        process dies, `trial` is tried again: it is the last to be stored, and results that the
        study has already are not added twice.
        """
        known = {canonical_json(each.architecture) for each in self.results}
        new = [each for each in results if canonical_json(each.architecture) not in known]
        if not new:
            self._ledger.drop(trial, "duplicate", "all policies of its network are known")
            return []
        added = [self._add(other) for other in new[1:]]
        drawn = dataclasses.replace(
            new[0],
            added=False,
            stage_s=results[0].stage_s,
            network_reused=results[0].network_reused,
        )
        self._close(trial, drawn)
        return [drawn, *added]

    def _add(self, result: TrialResult) -> TrialResult:
        """Store `result` as a trial of a further policy; return it with its number."""
        if self._phone is None:
            added = complete_added(self._ledger, result)
            self.results.append(added)
        else:
            trial, added = hold_added(self._ledger, result)
            self._close(trial, added)
        return added

    def _close(self, trial: optuna.Trial, result: TrialResult) -> None:
        if self._phone is not None:
            result = newest_measured(
                result, self._networks, self._settings, self._screens, self._phone.phone
            )
        self.results.append(result)
        if self._phone is None or result.measured is not None:
            self._ledger.complete(trial, result)
            return
        self._ledger.hold(trial, result)
        self._waiting[trial.number] = trial
        self._phone.submit(result.network)
        self.collect()

    @property
    def drawn(self) -> list[TrialResult]:
        """The results of drawn trials, one a network."""
        return [each for each in self.results if not each.added]

    def collect(self) -> None:
        """Close the trials measured since the last call; if the phone is away, all of them."""
        if self._phone is None:
            return
        away = self._phone.away  # read first: what was measured before it went is in `done`
        for finished in self._phone.done():
            for index, result in enumerate(self.results):
                if result.network_id == finished.network_id and result.measured is None:
                    self.results[index] = self._measured(result, finished.measurement)
        if away:
            self._close_all()

    def settle(self) -> None:
        """Wait for the last measurements, then close the trials that stay predicted."""
        if self._phone is None:
            return
        total = self._phone.left()
        left = self._phone.finish(
            lambda left: self._view.stage("measure on the phone", total - left, total)
        )
        self.collect()
        self._close_all()
        if left:
            self._view.say(
                f"{left} network(s) stay predicted, since the phone is away. To measure them, run "
                "the same command when it is back"
            )

    def _measured(self, result: TrialResult, measurement: NetworkMeasurement | None) -> TrialResult:
        result = measured_trial(result, measurement, self._screens)
        if result.measured is not None:
            self._view.say(measured_words(result, self._settings))
        self._close_waiting(result)
        return result

    def _close_all(self) -> None:
        for result in self.results:
            self._close_waiting(result)

    def _close_waiting(self, result: TrialResult) -> None:
        trial = self._waiting.pop(result.number, None)
        if trial is not None:
            self._ledger.complete(trial, result)


def newest_measured(
    result: TrialResult,
    networks: Path,
    settings: StudySettings,
    screens: Screens,
    phone: PhoneInfo | None = None,
) -> TrialResult:
    """Return `result` with the latest measurement of its network, on `phone` or on any."""
    found = [
        each
        for each in measurements_of(result.network, networks, threads=settings.latency.threads)
        if phone is None or each.phone.serial_hash == phone.serial_hash
    ]
    return measured_trial(result, found[-1] if found else None, screens)


def still_to_measure(settings: StudySettings, history: StudyHistory) -> bool:
    """Whether a study that measures has trials that are only predicted."""
    return settings.latency.backend == "adb" and bool(unmeasured(history.complete))


def resume(ledger: Ledger, networks: Path, view: View) -> StudyHistory:
    """Propose again the trials of a process that died; return the history."""
    screens = Screens(networks, ledger.settings.target_fps)
    interrupted = take_up_interrupted(
        ledger, lambda result: newest_measured(result, networks, ledger.settings, screens)
    )
    if interrupted:
        trials = counted(interrupted, "interrupted trial")
        view.say(f"{trials} of {ledger.settings.name} will be tried again")
    return with_measured(ledger.history(), networks)
