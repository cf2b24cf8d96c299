"""Candidates: networks that the sampler draws and that are neither known nor too slow."""

import functools
from collections.abc import Sequence

import optuna

from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.records import RefusedTrial, StreamLatency, TrialResult
from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.scoring.ranking import miss_words, over_target_ms, point_of
from jejunet_nas.search.view import View
from jejunet_nas.space.architecture import Architecture, Network, Policy
from jejunet_nas.space.draw import draw_network, network_choices, policies_of
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.prediction import predict_nearest, predict_paths
from jejunet_nas.study.proposals import NetworkSampler, SeenNetwork, startup_of
from jejunet_nas.study.samplers import chooser

MOST_REJECTED = 300  # networks in a row that are too slow; then the space counts as exhausted


class Candidates:
    """Draws trials from the study's sampler and closes those that are not worth training."""

    def __init__(self, ledger: Ledger, view: View, *, classes: int, refused: int) -> None:
        """Start after the trials in `ledger`, of which `refused` were refused."""
        self.refused = refused
        self._settings, self._ledger, self._view = ledger.settings, ledger, view
        self._classes, self._profile = classes, load_profile(self._settings.latency.device)
        self._known = ledger.known_networks()
        self._nearest = functools.cache(self._predict)
        self._sampler = NetworkSampler(
            self._settings.search_space,
            name=self._settings.sampler.name,
            seed=self._settings.sampler.seed,
            startup=startup_of(self._settings.trials),
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

        The architecture has the first policy of the space with which the network can meet the
        target. results: of the study's complete trials.
        """
        if not self._ledger.has_proposal() and not self._propose(results):
            return None
        trial = self._ledger.ask()
        network = draw_network(self._settings.search_space, chooser(trial))
        known = self._known.get(network)
        if known is not None:  # as a starting point may be
            self._ledger.drop(trial, "duplicate", f"the network of trial {known}")
            return None
        policy, least = self._nearest(network)
        architecture = Architecture(network=network, policy=policy)
        self._ledger.begin(trial, architecture)
        self._known[network] = trial.number
        if self._is_over(least):
            self._refuse(trial, architecture, least)
            self._rejected += 1
            return None
        self._rejected = 0
        return trial, architecture

    def _propose(self, results: Sequence[TrialResult]) -> bool:
        """Propose the sampler's next network; return whether it has one."""
        network = self._sampler.ask(self._seen(results), self._known)
        self._no_more = network is None
        if network is not None:
            self._ledger.propose(network_choices(network))
        return network is not None

    def _seen(self, results: Sequence[TrialResult]) -> list[SeenNetwork]:
        """Return what the sampler learns of the networks so far; of those that failed nothing."""
        by_network: dict[Network, list[TrialResult]] = {}
        for result in results:
            by_network.setdefault(result.architecture.network, []).append(result)
        seen = []
        for network in self._known:
            if network in by_network:
                seen.append(self._trained(network, by_network[network]))
            elif (over_ms := self._over_ms(self._nearest(network)[1])) > 0:
                seen.append(SeenNetwork(network=network, over_ms=over_ms, trained=False))
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
        return self._over_ms(least) > 0

    def _over_ms(self, latency: StreamLatency) -> float:
        return over_target_ms(latency, self._settings.feasible, self._settings.target_fps)

    def _key_share(self, network: Network) -> float | None:
        """Return a keyframe's share of a frame's time; None if the target cannot be met."""
        policy, least = self._nearest(network)
        if self._is_over(least):
            return None
        paths = predict_paths(
            Architecture(network=network, policy=policy),
            self._profile,
            classes=self._classes,
            threads=self._settings.latency.threads,
        )
        return paths.key.median_ms / self._settings.deadline_ms

    def _predict(self, network: Network) -> tuple[Policy, StreamLatency]:
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
