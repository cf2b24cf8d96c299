"""Candidates: architectures that the sampler draws and that are neither known nor too slow."""

import random
from collections.abc import Sequence

import optuna

from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.records import RefusedTrial, StreamLatency
from jejunet_nas.scoring.ranking import miss_words, over_target_ms
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import Architecture, canonical_json
from jejunet_nas.space.draw import Chooser, choices_of, draw, network_choices
from jejunet_nas.space.search_space import Choice
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.prediction import predict_least
from jejunet_nas.study.samplers import chooser

MOST_REJECTED = 300  # draws in a row, known or too slow; then the space counts as exhausted


class Candidates:
    """Draws trials from the study's sampler and closes those that are not worth training."""

    def __init__(self, ledger: Ledger, view: View, *, classes: int, refused: int) -> None:
        """Start after the trials in `ledger`, of which `refused` were refused."""
        self.refused = refused
        self._settings, self._ledger, self._view = ledger.settings, ledger, view
        self._classes, self._profile = classes, load_profile(self._settings.latency.device)
        self._known = ledger.known()
        self._random = random.Random(self._settings.sampler.seed + len(self._known))
        self._rejected = 0
        self._no_more = False

    @property
    def exhausted(self) -> bool:
        """Whether the space has no more architectures to try."""
        return self._no_more or self._rejected >= MOST_REJECTED

    def draw(self) -> tuple[optuna.Trial, Architecture] | None:
        """Draw a trial; return it if it is worth training, otherwise close it and return None."""
        trial = self._ledger.ask()
        architecture = draw(self._settings.search_space, chooser(trial))
        if self._is_known(trial, architecture) or self._is_slow(trial, architecture):
            self._rejected += 1
            return None
        self._rejected = 0
        return trial, architecture

    def _is_known(self, trial: optuna.Trial, architecture: Architecture) -> bool:
        """Close `trial` as a duplicate if its architecture is known; propose another instead."""
        name = canonical_json(architecture)
        if name not in self._known:
            self._ledger.begin(trial, architecture)
            self._known[name] = trial.number
            return False
        self._ledger.drop(trial, "duplicate", f"the architecture of trial {self._known[name]}")
        unseen = self._unseen(architecture)
        self._no_more = unseen is None
        if unseen:
            self._ledger.propose(choices_of(unseen))
        return True

    def _is_slow(self, trial: optuna.Trial, architecture: Architecture) -> bool:
        """Refuse `trial` if its predicted latency cannot meet the target."""
        settings, least = self._settings, self._least(architecture)
        if not self._is_over(least):
            return False
        missed = miss_words(least, settings.feasible, settings.target_fps)
        reason = (
            f"cannot meet {settings.target_fps:g} fps ({settings.deadline_ms:.1f} ms a frame): "
            f"at best {missed}"
        )
        refused = RefusedTrial(
            number=trial.number,
            architecture=architecture,
            mean_ms=least.mean_ms,
            worst_ms=least.worst_ms,
            dropped_frames=least.dropped_frames,
            source="predicted",
            reason=reason,
        )
        self._ledger.refuse(trial, refused)
        self.refused += 1
        self._view.say(f"trial {trial.number} refused: {reason}")
        return True

    def _is_over(self, least: StreamLatency) -> bool:
        """Whether a stream with at least this latency misses the target."""
        return over_target_ms(least, self._settings.feasible, self._settings.target_fps) > 0

    def _least(self, architecture: Architecture) -> StreamLatency:
        return predict_least(
            architecture,
            self._profile,
            classes=self._classes,
            threads=self._settings.latency.threads,
            target_fps=self._settings.target_fps,
        )

    def _unseen(self, near: Architecture) -> Architecture | None:
        """Return a new architecture that can meet the target, or None if none is found.

        Preferably it has the network of `near` and another policy, which needs no training.
        """
        fixed = network_choices(near.network)

        def another_policy(name: str, choices: Sequence[Choice]) -> Choice:
            return fixed[name] if name in fixed else self._random.choice(choices)

        def anything(name: str, choices: Sequence[Choice]) -> Choice:
            return self._random.choice(choices)

        choosers: tuple[Chooser, ...] = (another_policy, anything)
        for choose in choosers:
            for _ in range(MOST_REJECTED):
                drawn = draw(self._settings.search_space, choose)
                if canonical_json(drawn) not in self._known and not self._is_over(
                    self._least(drawn)
                ):
                    return drawn
        return None
