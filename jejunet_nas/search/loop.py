"""The search: draws architectures, refuses what cannot meet the target, and runs the rest.

A search may end at any moment, in the middle of a trial too: what was complete is in the ledger, a
network that was trained is in its folder, and the same command goes on from there.
"""

import dataclasses
import math
import random
import shutil
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import optuna
import yaml
from filelock import FileLock, Timeout

from jejunet_nas.errors import JejunetError, SettingError
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.latency.stream import floor_ms
from jejunet_nas.records import RefusedTrial, StudyHistory, TrialResult
from jejunet_nas.records.words import per_cent
from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.search.closing import (
    Closing,
    newest_measured,
    open_phone,
    still_to_measure,
)
from jejunet_nas.search.predict import predict_paths
from jejunet_nas.search.prepare import made_from, prepare
from jejunet_nas.search.view import Standing, View
from jejunet_nas.space.architecture import Architecture, canonical_json
from jejunet_nas.space.draw import choices_of, draw, network_choices
from jejunet_nas.space.search_space import Choice
from jejunet_nas.study.kept_measurements import NETWORKS, with_measured
from jejunet_nas.study.ledger import Ledger, storage_url
from jejunet_nas.study.samplers import chooser
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.trial.run import run_trial
from jejunet_nas.trial.setup import TrialSetup

FAILURES_IN_A_ROW = 5  # after which a search stops: the fault is not the architectures'
DRAWS_IN_VAIN = 300  # refused or known ones, after which the space counts as exhausted


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a search ends: at so many complete trials in all, or after so long."""

    trials: int
    seconds: float | None = None


def search(
    settings: StudySettings, folder: Path, budget: Budget, view: View, *, storage: str | None = None
) -> StudyHistory:
    """Search until the budget is spent and return all that the study has found.

    Raises `SettingError` where another process searches the study, or where its settings are not
    those that its earlier trials were made with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    networks, url = folder / NETWORKS, storage or storage_url(folder)
    try:
        with FileLock(folder / "lock").acquire(timeout=0), view:
            ledger = Ledger.find(settings, url)
            history = _take_up(ledger, networks, view) if ledger else None
            done = history is not None and len(history.complete) >= budget.trials
            if history and done and not still_to_measure(settings, history):
                return history
            with open_phone(settings, networks, view) as phone:
                if ledger and done:
                    Closing(settings, ledger, phone, networks, view).settle()
                    return with_measured(ledger.history(), networks)
                _remove_unfinished(networks)
                setup = prepare(settings, folder, view.stage)
                ledger = ledger or Ledger(settings, url)
                identity = {**settings.identity(), "made_from": made_from(setup, settings)}
                ledger.keep_identity(identity)
                text = yaml.safe_dump(identity, sort_keys=False)
                (folder / "study.yaml").write_text(text, encoding="utf-8")
                view.say(f"searching {settings.name}; its state and logs are in {folder}")
                closing = Closing(settings, ledger, phone, networks, view)
                _Search(settings, ledger, setup, closing, view).run(budget)
                return with_measured(ledger.history(), networks)
    except Timeout:
        raise SettingError(
            f"{settings.name} is being searched by another process; allowed: one at a time. Wait "
            "for it, or stop it."
        ) from None


def _remove_unfinished(networks: Path) -> None:
    """Remove what a process that was killed left half made; nobody else is making anything."""
    for part in networks.glob("*.part"):
        shutil.rmtree(part, ignore_errors=True)


def _take_up(ledger: Ledger, networks: Path, view: View) -> StudyHistory:
    """Take up what a dead process left behind; return what there is."""
    interrupted = ledger.take_up_interrupted(
        lambda result: newest_measured(result, networks, ledger.settings)
    )
    if interrupted:
        view.say(f"{interrupted} interrupted trial(s) of {ledger.settings.name} tried again")
    return with_measured(ledger.history(), networks)


class _Search:
    """One run of a search over a ledger."""

    def __init__(
        self,
        settings: StudySettings,
        ledger: Ledger,
        setup: TrialSetup,
        closing: Closing,
        view: View,
    ) -> None:
        self._settings, self._ledger, self._setup, self._view = settings, ledger, setup, view
        self._closing = closing
        self._profile = load_profile(settings.latency.device)
        self._known = ledger.known()
        history = ledger.history()
        self._refused, self._failed = len(history.refused), len(history.failed)
        self._random = random.Random(settings.sampler.seed + len(self._known))
        self._exhausted = False
        ledger.note_class_names(setup.val.class_names)

    def run(self, budget: Budget) -> None:
        """Try architectures until the budget is spent or the space exhausted."""
        began, before = time.monotonic(), len(self._closing.results)
        failures = in_vain = 0
        self._view.stand(self._standing(budget, None))
        while len(self._closing.results) < budget.trials:
            if budget.seconds is not None and time.monotonic() - began >= budget.seconds:
                self._view.say(f"the time budget of {budget.seconds:.0f} s is spent")
                break
            if self._exhausted or in_vain >= DRAWS_IN_VAIN:
                self._view.say("no new architecture that can meet the target: the search ends")
                break
            self._closing.collect()
            trial = self._ledger.ask()
            architecture = draw(self._settings.search_space, chooser(trial))
            if not self._is_worth_it(trial, architecture):
                in_vain += 1
                continue
            in_vain = 0
            failures = 0 if self._try(trial, architecture) else failures + 1
            if failures >= FAILURES_IN_A_ROW:
                raise JejunetError(
                    f"the last {failures} trials failed, the last one because: "
                    f"{self._ledger.history().failed[-1].reason}"
                )
            done = len(self._closing.results) - before
            spent_s = time.monotonic() - began
            self._view.stand(self._standing(budget, spent_s / done if done else None, spent_s))
        self._closing.settle()

    def _is_worth_it(self, trial: optuna.Trial, architecture: Architecture) -> bool:
        """Close trials of architectures that are known already or too slow in any case."""
        name = canonical_json(architecture)
        if name in self._known:
            self._ledger.drop(trial, "duplicate", f"the architecture of trial {self._known[name]}")
            unseen = self._unseen(architecture)
            self._exhausted = unseen is None
            if unseen:
                self._ledger.propose(choices_of(unseen))
            return False
        self._ledger.begin(trial, architecture)
        self._known[name] = trial.number
        least_ms = self._least_ms(architecture)
        if least_ms <= self._settings.deadline_ms:
            return True
        reason = (
            f"at least {least_ms:.1f} ms a frame; {self._settings.target_fps:g} fps leave "
            f"{self._settings.deadline_ms:.1f} ms"
        )
        self._ledger.refuse(
            trial,
            RefusedTrial(
                number=trial.number,
                architecture=architecture,
                mean_ms=least_ms,
                source="predicted",
                reason=reason,
            ),
        )
        self._refused += 1
        self._view.say(f"trial {trial.number} refused: {reason}")
        return False

    def _try(self, trial: optuna.Trial, architecture: Architecture) -> bool:
        """Run one trial and write it down; return whether it was completed."""
        try:
            result = run_trial(trial.number, architecture, self._setup, self._view.stage)
        except Exception as error:  # a bug of one network is no reason to lose the night
            traceback.print_exc()
            reason = str(error) if isinstance(error, JejunetError) else repr(error)
            self._ledger.drop(trial, "failed", reason)
            self._failed += 1
            self._view.say(f"trial {trial.number} failed: {reason}")
            return False
        self._view.say(trial_words(result, self._settings.deadline_ms))
        self._closing.close(trial, result)
        tried = sum(each.network_id == result.network_id for each in self._closing.results)
        if tried < self._settings.sampler.policies_per_network:
            self._ledger.propose_policy(architecture.network)
        return True

    def _least_ms(self, architecture: Architecture) -> float:
        latencies = predict_paths(
            architecture,
            self._profile,
            classes=len(self._setup.val.class_names),
            threads=self._settings.latency.threads,
        )
        return floor_ms(architecture.policy, latencies)

    def _unseen(self, near: Architecture) -> Architecture | None:
        """Return an architecture that is new and can meet the target.

        Its network is that of `near` where another policy will do, since that costs no training.
        While nothing was feasible, one that is too slow will do too: the nearest is to be named.
        """
        fixed = network_choices(near.network)

        def another_policy(name: str, choices: Sequence[Choice]) -> Choice:
            return fixed[name] if name in fixed else self._random.choice(choices)

        def anything(name: str, choices: Sequence[Choice]) -> Choice:
            return self._random.choice(choices)

        too_slow = None
        for choose in (another_policy, anything):
            for _ in range(DRAWS_IN_VAIN):
                drawn = draw(self._settings.search_space, choose)
                if canonical_json(drawn) in self._known:
                    continue
                if self._least_ms(drawn) <= self._settings.deadline_ms:
                    return drawn
                too_slow = drawn
        return None if self._closing.results else too_slow

    def _standing(self, budget: Budget, trial_s: float | None, spent_s: float = 0.0) -> Standing:
        points = [(result.score.miou, result.latency.mean_ms) for result in self._closing.results]
        deadline_ms = self._settings.deadline_ms
        feasible = [miou for miou, mean_ms in points if mean_ms <= deadline_ms]
        left_s = None
        if trial_s is not None and len(self._closing.results) < budget.trials:
            left_s = trial_s * (budget.trials - len(self._closing.results))
            left_s = min(left_s, max((budget.seconds or math.inf) - spent_s, 0.0))
        return Standing(
            study=self._settings.name,
            complete=len(self._closing.results),
            wanted=budget.trials,
            refused=self._refused,
            failed=self._failed,
            target_fps=self._settings.target_fps,
            best_miou=max(feasible, default=None),
            hypervolume=hypervolume(points, reference_point(self._settings.target_fps)),
            left_s=left_s,
        )


def trial_words(result: TrialResult, deadline_ms: float) -> str:
    """Return one line about a complete trial, with the seconds of each stage."""
    verdict = "meets" if result.latency.mean_ms <= deadline_ms else "misses"
    training = result.network.training
    waiting = f"{training.input_wait_share:.1%} of it waiting for batches"
    trained = f"{training.median_step_ms:.0f} ms a step, {waiting}"
    if result.network_reused:
        trained = "trained before"
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in result.stage_s.items())
    return (
        f"trial {result.number}: {per_cent(result.score.miou)} mIoU, {result.latency.mean_ms:.1f} "
        f"ms a frame ({result.latency.source}), {verdict} the target; network {result.network_id} "
        f"({trained}); seconds: {stages}"
    )
