"""Closes trials: immediately with predicted latencies, or later with those that a phone measures.

A trial is held open in the ledger while its network is measured in the background; then the sampler
learns the measured latency. While the phone is away, trials are closed with predicted latencies; a
later measurement replaces the prediction when the study is read.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna

from jejunet_nas.latency.measuring_plan import MeasuringPlan
from jejunet_nas.latency.phone import Phone
from jejunet_nas.latency.phone_meter import PhoneMeter
from jejunet_nas.latency.program import find_program
from jejunet_nas.records import DataSplit, StudyHistory, TrialResult
from jejunet_nas.records.measurements import NetworkMeasurement, PhoneInfo
from jejunet_nas.records.words import (
    counted,
    drop_words,
    latency_figures,
    miou_words,
    per_cent,
)
from jejunet_nas.scoring.ranking import verdict_words
from jejunet_nas.search.phone_queue import PhoneQueue
from jejunet_nas.search.view import View
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

    def close(self, trial: optuna.Trial, result: TrialResult) -> None:
        """Close `trial`, or hold it until its network is measured."""
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


def verdict(result: TrialResult, settings: StudySettings) -> str:
    """Return, say, `meets the target`."""
    return verdict_words(result.latency, settings.feasible, settings.target_fps)


def measured_words(result: TrialResult, settings: StudySettings) -> str:
    """Return a line that compares a trial's measured latency with the prediction."""
    latency, before = result.latency, result.on_prediction
    doubts = f"; unstable: {'; '.join(latency.doubts)}" if latency.doubts else ""
    return (
        f"trial {result.number}: measured {latency.mean_ms:.1f} ms a frame, "
        f"{latency.mean_ms / before.latency.mean_ms:.2f} of the predicted "
        f"{before.latency.mean_ms:.1f}; {verdict(result, settings)}: "
        f"{drop_words(latency)}; {per_cent(result.score.miou)} mIoU, as predicted "
        f"{per_cent(before.score.miou)}{doubts}"
    )


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


@contextlib.contextmanager
def open_phone(settings: StudySettings, networks: Path, view: View) -> Iterator[PhoneQueue | None]:
    """Open the study's phone for measuring in the background; None if the study only predicts.

    Raises `DeviceError` or `SettingError` if the phone or the benchmark program is missing.
    """
    latency = settings.latency
    if latency.backend != "adb":
        yield None
        return
    program = find_program(Path(latency.benchmark_binary) if latency.benchmark_binary else None)
    serial = Phone.attached(latency.serial).serial  # the same phone to the end of the search

    def open_meter() -> PhoneMeter:
        plan = MeasuringPlan(threads=latency.threads)
        return PhoneMeter(Phone.attached(serial), program, plan, view.say)

    phone = PhoneQueue(open_meter, networks, view.say)
    try:
        yield phone
    except BaseException:
        phone.abandon()
        raise
    phone.close()


def resume(ledger: Ledger, networks: Path, view: View) -> StudyHistory:
    """Propose again the trials of a process that died; return the history."""
    screens = Screens(networks, ledger.settings.target_fps)
    interrupted = ledger.take_up_interrupted(
        lambda result: newest_measured(result, networks, ledger.settings, screens)
    )
    if interrupted:
        trials = counted(interrupted, "interrupted trial")
        view.say(f"{trials} of {ledger.settings.name} will be tried again")
    return with_measured(ledger.history(), networks)


def trial_words(result: TrialResult, settings: StudySettings) -> str:
    """Return one line about a complete trial, with its seconds; those of stages are stored."""
    trained = f"{result.network.training.median_step_ms:.0f} ms a step"
    if result.network_reused:
        trained = "trained before"
    return (
        f"trial {result.number}: {miou_words(result)}, {latency_figures(result.latency)}, "
        f"{verdict(result, settings)}; network {result.network_id} ({trained}); "
        f"{sum(result.stage_s.values()):.1f} s"
    )
