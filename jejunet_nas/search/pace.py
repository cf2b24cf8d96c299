"""Pace: the seconds that a network takes, what a budget buys at that pace, and when it ends.

The seconds are those of this study's networks, or of a study with the same data and training; if
there is none, they are known after the first networks of the search (`FirstNetworks`).
"""

import contextlib
import dataclasses
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from jejunet_nas.errors import JejunetError
from jejunet_nas.files import study_names
from jejunet_nas.progress import Say
from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import counted
from jejunet_nas.search.view import duration
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.named import find_named
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.storage import storage_url

FIRST_NETWORKS = 2  # after which the end is said again, with their seconds
LAST_ROUND_SHARE = 0.25  # of a time budget, kept for the last round


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The mean seconds of `networks` networks of the study `study`, from drawing to scoring."""

    network_s: float
    networks: int
    study: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a search may spend: networks that are left to train, and seconds (None: no limit).

    kept_s: of the seconds, for the last round. repeats: trainings in the last round, at most.
    """

    left: int
    seconds: float | None
    kept_s: float = 0.0
    repeats: int = 0

    @property
    def networks_s(self) -> float | None:
        """The seconds after which no network begins; None: no limit."""
        return None if self.seconds is None else max(self.seconds - self.kept_s, 0.0)

    def networks(self, network_s: float) -> int:
        """Return how many networks it buys; the last may begin just before the time is over."""
        if self.networks_s is None:
            return self.left
        return min(self.left, math.ceil(self.networks_s / max(network_s, 1e-3)))

    def left_s(self, network_s: float) -> float:
        """Return the seconds until the last round, or until the end without one."""
        return self.networks(network_s) * network_s


def budget_of(
    settings: StudySettings, *, drawn: int, seconds: float | None, spent_s: float = 0.0
) -> Budget:
    """Return what is left after `drawn` networks, and `spent_s` of a time budget of `seconds`."""
    last = settings.last_round
    return Budget(
        left=max(settings.trials - drawn, 0),
        seconds=None if seconds is None else max(seconds - spent_s, 0.0),
        kept_s=LAST_ROUND_SHARE * seconds if seconds and last.seeds > 1 else 0.0,
        repeats=(last.seeds - 1) * last.contenders,
    )


def pace_of(history: StudyHistory) -> Pace | None:
    """Return the mean seconds of the networks of a study; trials without a network count too."""
    networks = len({trial.network_id for trial in history.complete})
    spent_s = math.fsum(history.spent_s.values())
    if not networks or not spent_s:
        return None
    return Pace(network_s=spent_s / networks, networks=networks, study=history.study)


def pace_of_others(settings: StudySettings) -> Pace | None:
    """Return the pace of another study here with the same data and training, or None."""
    for name in study_names():
        with contextlib.suppress(JejunetError):  # of the other study
            named = find_named(name)
            other = named.settings
            if other.name == settings.name or _work(other) != _work(settings):
                continue
            ledger = Ledger.find(other, named.storage or storage_url(named.folder), lambda _: None)
            if ledger and (pace := pace_of(ledger.history())):
                return pace
    return None


def _work(settings: StudySettings) -> tuple[Any, ...]:
    """Return what a network's seconds depend on, beside the space."""
    recipe = {**settings.training.recipe(), "seed": None, "init": None}
    return settings.data.dataset, settings.data.options, recipe


def pace_lines(pace: Pace | None, budget: Budget, now: datetime) -> list[str]:
    """Return the seconds a network takes, what the budget buys, and the end of the search."""
    if budget.left == 0:
        return ["  no network is left to train", *_last_round(budget)]
    left = f"{counted(budget.left, 'network')} left to train"
    seconds, end = budget.networks_s, "last round" if budget.repeats else "end"
    if pace is None:
        limit = "" if seconds is None else f", none begins after {_at(now, seconds)}"
        said = [f"  {left}{limit}; {end}: known after the first {FIRST_NETWORKS}"]
        return said + _last_round(budget)
    networks, left_s = budget.networks(pace.network_s), budget.left_s(pace.network_s)
    bought = left
    if seconds is not None and networks < budget.left:
        bought = f"{duration(seconds)} buy about {networks} of the {left}"
    return [
        f"  {duration(pace.network_s)} a network ({counted(pace.networks, 'network')} of "
        f"{pace.study})",
        f"  {bought}; {end}: about {_at(now, left_s)}, in {duration(left_s)}",
        *_last_round(budget),
    ]


def _last_round(budget: Budget) -> list[str]:
    kept = f", {duration(budget.kept_s)} are kept for it" if budget.kept_s else ""
    most = f"  last round: at most {counted(budget.repeats, 'training')} with other seeds{kept}"
    return [most] if budget.repeats else []


class FirstNetworks:
    """Says the end of a search again, once, when its first networks are trained."""

    def __init__(self, study: str, say: Say) -> None:
        self._study, self._say, self._said = study, say, False

    def look(self, results: Sequence[TrialResult], spent_s: float, budget: Budget) -> None:
        """Say the end if `results`, of `spent_s` seconds, are the first with enough networks."""
        networks = len({each.network_id for each in results if not each.network_reused})
        if self._said or networks < FIRST_NETWORKS or budget.left <= 0:
            return
        self._said = True
        pace = Pace(network_s=spent_s / networks, networks=networks, study=self._study)
        for line in pace_lines(pace, budget, datetime.now()):
            self._say(f"{self._study}:{line[1:]}")


def end_of(now: datetime, seconds: float) -> datetime:
    """Return the time after `seconds`; thirty years are the most."""
    return now + timedelta(seconds=min(seconds, 1e9))


def _at(now: datetime, seconds: float) -> str:
    """Return the time of day after `seconds`, with the day if it is another."""
    end = end_of(now, seconds)
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%a %-d %b %Y %H:%M}"
