"""Candidates: networks that the sampler draws and that are neither known nor too slow."""

import random

import optuna

from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.records import RefusedTrial, StreamLatency
from jejunet_nas.scoring.ranking import miss_words, over_target_ms
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import Architecture, Network, Policy, canonical_json
from jejunet_nas.space.draw import draw_network, network_choices, policies_of
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.prediction import predict_nearest
from jejunet_nas.study.samplers import chooser

MOST_REJECTED = 300  # draws in a row, known or too slow; then the space counts as exhausted


class Candidates:
    """Draws trials from the study's sampler and closes those that are not worth training."""

    def __init__(self, ledger: Ledger, view: View, *, classes: int, refused: int) -> None:
        """Start after the trials in `ledger`, of which `refused` were refused."""
        self.refused = refused
        self._settings, self._ledger, self._view = ledger.settings, ledger, view
        self._classes, self._profile = classes, load_profile(self._settings.latency.device)
        self._known = ledger.known_networks()
        self._random = random.Random(self._settings.sampler.seed + len(self._known))
        self._rejected = 0
        self._no_more = False

    @property
    def exhausted(self) -> bool:
        """Whether the space has no more networks to try."""
        return self._no_more or self._rejected >= MOST_REJECTED

    def draw(self) -> tuple[optuna.Trial, Architecture] | None:
        """Draw a network; return its trial if it is worth training, else close it and return None.

        The architecture has the first policy of the space with which the network can meet the
        target.
        """
        trial = self._ledger.ask()
        network = draw_network(self._settings.search_space, chooser(trial))
        if self._is_known(trial, network):
            self._rejected += 1
            return None
        policy, least = self._nearest(network)
        architecture = Architecture(network=network, policy=policy)
        self._ledger.begin(trial, architecture)
        self._known[canonical_json(network)] = trial.number
        if self._is_over(least):
            self._refuse(trial, architecture, least)
            self._rejected += 1
            return None
        self._rejected = 0
        return trial, architecture

    def _is_known(self, trial: optuna.Trial, network: Network) -> bool:
        """Close `trial` as a duplicate if its network is known; propose another instead."""
        known = self._known.get(canonical_json(network))
        if known is None:
            return False
        self._ledger.drop(trial, "duplicate", f"the network of trial {known}")
        unseen = self._unseen()
        self._no_more = unseen is None
        if unseen:
            self._ledger.propose(network_choices(unseen))
        return True

    def _refuse(
        self, trial: optuna.Trial, architecture: Architecture, least: StreamLatency
    ) -> None:
        """Close `trial`, whose predicted latency cannot meet the target under any policy."""
        settings = self._settings
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

    def _is_over(self, least: StreamLatency) -> bool:
        """Whether a stream with at least this latency misses the target."""
        return over_target_ms(least, self._settings.feasible, self._settings.target_fps) > 0

    def _nearest(self, network: Network) -> tuple[Policy, StreamLatency]:
        settings = self._settings
        return predict_nearest(
            network,
            policies_of(settings.search_space, network),
            self._profile,
            classes=self._classes,
            threads=settings.latency.threads,
            target_fps=settings.target_fps,
            rule=settings.feasible,
        )

    def _unseen(self) -> Network | None:
        """Return a new network that can meet the target, or None if none is found."""
        for _ in range(MOST_REJECTED):
            drawn = draw_network(
                self._settings.search_space, lambda _, choices: self._random.choice(choices)
            )
            new = canonical_json(drawn) not in self._known
            if new and not self._is_over(self._nearest(drawn)[1]):
                return drawn
        return None
