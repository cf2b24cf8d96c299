"""Pace: the seconds that a network takes, what a budget buys at that pace, and when it ends.

The seconds are those of this study's networks, or of a study with the same data and training; if
there is none, they are known after the first networks of the search (`EndTime`).

With rungs, a round is trained to the first rung, and then some of it further. A time budget ends
the drawing of networks, so in its last round a network costs only its first rung.
"""

import contextlib
import dataclasses
import math
import statistics
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
    """The mean seconds of `networks` networks of the study `study`, from drawing to scoring.

    first_share: of the seconds, until the first rung is scored. trained_on: share of the networks
    that were trained beyond it. 1 and 0 without rungs.
    """

    network_s: float
    networks: int
    study: str
    first_share: float = 1.0
    trained_on: float = 0.0

    @property
    def first_s(self) -> float:
        """The seconds of a network until its first rung is scored."""
        return self.network_s * self.first_share


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a search may spend: networks that are left to train, and seconds (None: no limit).

    kept_s: of the seconds, for the last round. repeats: trainings in the last round, at most.
    round: networks that are drawn before any is trained on. first_steps: of the first rung; None
    without rungs.
    """

    left: int
    seconds: float | None
    kept_s: float = 0.0
    repeats: int = 0
    round: int = 1
    first_steps: int | None = None

    @property
    def networks_s(self) -> float | None:
        """The seconds after which no network begins; None: no limit."""
        return None if self.seconds is None else max(self.seconds - self.kept_s, 0.0)

    def networks(self, pace: Pace) -> int:
        """Return how many networks it buys; the last may begin just before the time is over."""
        if self.networks_s is None:
            return self.left
        rounds, rest_s = divmod(self.networks_s, self.round * max(pace.network_s, 1e-3))
        begun = math.ceil(rest_s / max(pace.first_s, 1e-3))
        return min(self.left, int(rounds) * self.round + min(begun, self.round))

    def left_s(self, pace: Pace) -> float:
        """Return the seconds until the last round, or until the end without one."""
        return self.networks(pace) * pace.network_s


def budget_of(
    settings: StudySettings, *, drawn: int, seconds: float | None, spent_s: float = 0.0
) -> Budget:
    """Return what is left after `drawn` networks, and `spent_s` of a time budget of `seconds`."""
    last, rungs = settings.last_round, settings.training.rungs
    return Budget(
        left=max(settings.trials - drawn, 0),
        seconds=None if seconds is None else max(seconds - spent_s, 0.0),
        kept_s=LAST_ROUND_SHARE * seconds if seconds and last.seeds > 1 else 0.0,
        repeats=(last.seeds - 1) * last.contenders,
        round=settings.networks_a_round,
        first_steps=rungs[0] if rungs else None,
    )


def pace_of(history: StudyHistory, rungs: Sequence[int]) -> Pace | None:
    """Return the mean seconds of the networks of a study; trials without a network count too."""
    return _pace(history.study, history.drawn, math.fsum(history.spent_s.values()), rungs)


def _pace(
    study: str, drawn: Sequence[TrialResult], spent_s: float, rungs: Sequence[int]
) -> Pace | None:
    """Return the pace of networks that took `spent_s` seconds; None without any."""
    if not drawn or not spent_s:
        return None
    pace = Pace(network_s=spent_s / len(drawn), networks=len(drawn), study=study)
    if not rungs:
        return pace
    brief = [each for each in drawn if each.network.training.steps <= rungs[0]]
    part_s, whole_s = _mean_s(brief), _mean_s(drawn)
    return dataclasses.replace(
        pace,
        first_share=min(part_s / whole_s, 1.0) if part_s and whole_s else 1.0,
        trained_on=1 - len(brief) / len(drawn),
    )


def _mean_s(trials: Sequence[TrialResult]) -> float:
    """Return the mean seconds of all stages; what was found trained has not those of training."""
    seconds = [math.fsum(each.stage_s.values()) for each in trials if not each.network_reused]
    return statistics.fmean(seconds) if seconds else 0.0


def pace_of_others(settings: StudySettings) -> Pace | None:
    """Return the pace of another study here with the same data and training, or None."""
    for name in study_names():
        with contextlib.suppress(JejunetError):  # of the other study
            named = find_named(name)
            other = named.settings
            if other.name == settings.name or _work(other) != _work(settings):
                continue
            ledger = Ledger.find(other, named.storage or storage_url(named.folder), lambda _: None)
            if ledger and (pace := pace_of(ledger.history(), settings.training.rungs)):
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
        first = max(FIRST_NETWORKS, budget.round)
        said = [f"  {left}{limit}; {end}: known after the first {first}"]
        return said + _last_round(budget)
    networks, left_s = budget.networks(pace), budget.left_s(pace)
    bought = left
    if seconds is not None and networks < budget.left:
        bought = f"{duration(seconds)} buy about {networks} of the {left}"
    return [
        f"  {duration(pace.network_s)} a network ({counted(pace.networks, 'network')} of "
        f"{pace.study})",
        f"  {bought}; {end}: about {_at(now, left_s)}, in {duration(left_s)}",
        *_first_rung(budget, pace),
        *_last_round(budget),
    ]


def _first_rung(budget: Budget, pace: Pace) -> list[str]:
    if budget.first_steps is None:
        return []
    networks = budget.networks(pace)
    on = round(networks * pace.trained_on)
    rung = f"first rung ({counted(budget.first_steps, 'step')})"
    bought = f"of {counted(networks, 'network')} about {on} {'is' if on == 1 else 'are'} trained on"
    return [f"  {rung}: {duration(pace.first_s)} a network; {bought}"]


def _last_round(budget: Budget) -> list[str]:
    kept = f", {duration(budget.kept_s)} are kept for it" if budget.kept_s else ""
    most = f"  last round: at most {counted(budget.repeats, 'training')} with other seeds{kept}"
    return [most] if budget.repeats else []


class EndTime:
    """The end of a running search, predicted anew after each round, and said after the first."""

    def __init__(self, settings: StudySettings, say: Say) -> None:
        self._study, self._rungs, self._say = settings.name, settings.training.rungs, say
        self._said = False
        self._end_s: float | None = None

    def look(self, drawn: Sequence[TrialResult], spent_s: float, budget: Budget) -> None:
        """Predict the end from the trials `drawn` by this run in `spent_s` seconds."""
        trained = [each for each in drawn if not each.network_reused]
        pace = _pace(self._study, trained or drawn, spent_s, self._rungs)
        if pace is None or budget.left == 0:
            self._end_s = None
            return
        self._end_s = spent_s + budget.left_s(pace)
        if self._said or len(trained) < FIRST_NETWORKS:
            return
        self._said = True
        for line in pace_lines(pace, budget, datetime.now()):
            self._say(f"{self._study}:{line[1:]}")

    def left_s(self, spent_s: float) -> float | None:
        """Return the seconds left after `spent_s`; None while the end is not known."""
        return None if self._end_s is None else max(self._end_s - spent_s, 0.0)


def end_of(now: datetime, seconds: float) -> datetime:
    """Return the time after `seconds`; thirty years are the most."""
    return now + timedelta(seconds=min(seconds, 1e9))


def _at(now: datetime, seconds: float) -> str:
    """Return the time of day after `seconds`, with the day if it is another."""
    end = end_of(now, seconds)
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%a %-d %b %Y %H:%M}"
