"""Candidates: networks that the sampler draws and that are neither known nor too slow."""

import functools
from collections.abc import Sequence

import optuna

from jejunet_nas.records import RefusedTrial, StreamLatency, TrialResult
from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.scoring.ranking import miss_words, over_target_ms, point_of
from jejunet_nas.search.feasibility import Aim, Found
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import Architecture, Network
from jejunet_nas.space.draw import draw_network
from jejunet_nas.study.adding import begin_trial
from jejunet_nas.study.known import known_networks
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.proposals import NetworkSampler, SeenNetwork
from jejunet_nas.study.samplers import chooser

MOST_REJECTED = 300  # networks in a row that are too slow; then the space counts as exhausted


class Candidates:
    """Draws trials from the study's sampler and closes those that are not worth training."""

    def __init__(self, ledger: Ledger, view: View, *, classes: int, refused: int) -> None:
        """Start after the trials in `ledger`, of which `refused` were refused."""
        self.refused = refused
        self._settings, self._ledger, self._view = ledger.settings, ledger, view
        self._known = known_networks(ledger)
        self._aim = Aim.of(self._settings, classes)
        self._find = functools.cache(self._aim.find)
        self._sampler = NetworkSampler(
            self._settings.search_space,
            name=self._settings.sampler.name,
            seed=self._settings.sampler.seed,
            key_share=self._key_share,
        )
        self._rejected = 0
        self._no_more = False

    @property
    def exhausted(self) -> bool:
        """Whether the space has no more networks to try."""
        return self._no_more or self._rejected >= MOST_REJECTED

    def draw(self, results: Sequence[TrialResult]) -> tuple[optuna.Trial, Architecture] | None:
        """Draw a network; return its trial if it is worth training, else close it and return None.

        The architecture has the policy by which the network meets the target fastest. results: of
        the study's complete trials.
        """
        drawn = self._proposed() if self._ledger.has_proposal() else self._sampled(results)
        if drawn is None:
            return None
        trial, found = drawn
        network = found.architecture.network
        self._known[network] = trial.number
        if not found.meets:
            self._refuse(trial, found)
            self._rejected += 1
            return None
        self._rejected = 0
        return trial, found.architecture

    def _proposed(self) -> tuple[optuna.Trial, Found] | None:
        """Return the trial of a starting point, or of a trial to be tried again; None if known."""
        trial = self._ledger.ask()
        network = draw_network(self._settings.search_space, chooser(trial))
        known = self._known.get(network)
        if known is not None:
            self._ledger.drop(trial, "duplicate", f"the network of trial {known}")
            return None
        found = self._find(network)
        self._ledger.begin(trial, found.architecture)
        return trial, found

    def _sampled(self, results: Sequence[TrialResult]) -> tuple[optuna.Trial, Found] | None:
        """Return a trial of the sampler's next network; None if it has none."""
        network = self._sampler.ask(self._seen(results), self._known)
        self._no_more = network is None
        if network is None:
            return None
        found = self._find(network)
        return begin_trial(self._ledger, found.architecture), found

    def _seen(self, results: Sequence[TrialResult]) -> list[SeenNetwork]:
        """Return what the sampler learns of the networks so far; of those that failed nothing."""
        by_network: dict[Network, list[TrialResult]] = {}
        for result in results:
            by_network.setdefault(result.architecture.network, []).append(result)
        seen = []
        for network in self._known:
            if network in by_network:
                seen.append(self._trained(network, by_network[network]))
            elif not (found := self._find(network)).meets:
                seen.append(SeenNetwork(network=network, over_ms=found.over_ms, trained=False))
        return seen

    def _trained(self, network: Network, results: Sequence[TrialResult]) -> SeenNetwork:
        over_ms = {each.number: self._over_ms(each.latency) for each in results}
        points = [point_of(each) for each in results if over_ms[each.number] <= 0]
        return SeenNetwork(
            network=network,
            best_miou=max((miou for miou, _ in points), default=0.0),
            hypervolume=hypervolume(points, reference_point(self._settings.target_fps)),
            over_ms=min(over_ms.values()),
        )

    def _refuse(self, trial: optuna.Trial, found: Found) -> None:
        """Close `trial`, whose predicted latency cannot meet the target under any policy."""
        settings, least = self._settings, found.stream
        missed = miss_words(least, settings.feasible, settings.target_fps)
        reason = (
            f"cannot meet {settings.target_fps:g} fps ({settings.deadline_ms:.1f} ms a frame): "
            f"at best {missed}"
        )
        refused = RefusedTrial(
            number=trial.number,
            architecture=found.architecture,
            mean_ms=least.mean_ms,
            worst_ms=least.worst_ms,
            dropped_frames=least.dropped_frames,
            source="predicted",
            reason=reason,
        )
        self._ledger.refuse(trial, refused)
        self.refused += 1
        self._view.say(f"trial {trial.number} refused: {reason}")

    def _over_ms(self, latency: StreamLatency) -> float:
        return over_target_ms(latency, self._settings.feasible, self._settings.target_fps)

    def _key_share(self, network: Network) -> float | None:
        """Return a keyframe's share of a frame's time; None if the target cannot be met."""
        if not self._find(network).meets:
            return None
        return self._aim.paths(network).key.median_ms / self._settings.deadline_ms
