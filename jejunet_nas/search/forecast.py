"""Forecast: what a search can find and when it ends, before it trains anything.

The share of the space that can meet the target is predicted (`feasibility`); the end follows from
the seconds that a network takes (`pace`).
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from jejunet_nas.errors import JejunetError
from jejunet_nas.progress import Say
from jejunet_nas.records import StudyHistory
from jejunet_nas.records.words import counted, per_cent
from jejunet_nas.scoring.ranking import RULES
from jejunet_nas.search.feasibility import Aim, Feasibility, Share, feasibility
from jejunet_nas.search.infeasible import infeasible_error
from jejunet_nas.search.pace import (
    Budget,
    Pace,
    budget_of,
    end_of,
    pace_lines,
    pace_of,
    pace_of_others,
)
from jejunet_nas.space.architecture import Network
from jejunet_nas.space.search_space import Choice, in_words
from jejunet_nas.study.settings import StudySettings

LEAST_CLASSES = 2  # assumed where the classes are not known: fewer are never slower
SHOWN = ("depth_multiplier", "resolution")  # in the table
_WIDTH, _LABEL = 80, 29  # columns of a terminal for a row of the table, and for its label
_SIGMAS = 1.96  # of a 95 % interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is known of a search before it begins. note: what is missing for a better forecast."""

    study: str
    aim: Aim
    found: Feasibility
    budget: Budget
    pace: Pace | None
    note: str | None = None

    def lines(self, now: datetime) -> list[str]:
        """Return the forecast in lines of at most 80 columns or a little more."""
        aim, ms = self.aim, 1000 / self.aim.target_fps
        said = [
            f"forecast for {self.study}: {aim.target_fps:g} fps ({ms:.1f} ms a frame) "
            f"{RULES[aim.rule]}",
            f"  (latency predicted for {aim.profile.device}, {counted(aim.threads, 'thread')})",
            *self._share_lines(),
            *(row for name in SHOWN for row in _rows(name, self.found.by_choice[name])),
            *pace_lines(self.pace, self.budget, now),
        ]
        return [*said, f"  {self.note}"] if self.note else said

    @property
    def rare(self) -> Network | None:
        """A network that can meet the target, if no drawn one could; else None."""
        return None if self.found.share.meeting else self.found.nearest.architecture.network

    def say(self, say: Say, *, end_alone: bool = False) -> None:
        """Say the forecast, with the time of day now; or its end alone, where the rest was said."""
        now = datetime.now()
        lines = pace_lines(self.pace, self.budget, now) if end_alone else self.lines(now)
        for line in lines:
            say(f"{self.study}:{line[1:]}" if end_alone else line)

    def _share_lines(self) -> Iterator[str]:
        share = self.found.share
        of = f"of {'all ' if self.found.whole else ''}{share.networks}"
        drawn = "" if self.found.whole else "drawn "
        said, interval = _per_cent_words(share.meeting, self.found)
        yield f"  {said} {of} {drawn}networks can meet it with the best policy{interval}"
        if share.every_frame is not None and share.every_frame != share.meeting:
            said, interval = _per_cent_words(share.every_frame, self.found)
            yield f"  {said} can with every frame a keyframe{interval}"

    def as_json(self, now: datetime) -> dict[str, Any]:
        """Return the forecast as plain JSON values; shares in [0, 1], `ends` in local time.

        `left_s` and `ends` are those of the networks; the last round follows. `first_rung_s`: the
        part of `network_s` that all networks take.
        """
        aim, pace = self.aim, self.pace
        networks = self.budget.networks(pace) if pace else None
        left_s = self.budget.left_s(pace) if pace else None
        return {
            "study": self.study,
            "target_fps": aim.target_fps,
            "feasible_rule": aim.rule,
            "device": aim.profile.device,
            "threads": aim.threads,
            "classes": aim.classes,
            "whole_space": self.found.whole,
            **_share_json(self.found.share),
            "interval": None
            if self.found.whole
            else wilson(self.found.share.meeting, self.found.share.networks),
            "by_choice": {
                name: [
                    {"choice": choice, **_share_json(share)} for choice, share in choices.items()
                ]
                for name, choices in self.found.by_choice.items()
            },
            "network_s": pace.network_s if pace else None,
            "first_rung_s": pace.first_s if pace else None,
            "network_s_from": pace.study if pace else None,
            "networks_left": self.budget.left,
            "time_budget_s": self.budget.seconds,
            "networks_bought": networks,
            "left_s": left_s,
            "last_round_trainings": self.budget.repeats,
            "ends": None if left_s is None else end_of(now, left_s).isoformat(timespec="minutes"),
            "note": self.note,
        }


def forecast_search(
    settings: StudySettings, history: StudyHistory | None, seconds: float | None
) -> Forecast:
    """Return the forecast of a search that has `history`, with a time budget of `seconds`.

    Raises `SettingError` if nothing in the space can meet the target, with what would have to
    change.
    """
    classes, note = _classes(settings, history)
    aim = Aim.of(settings, classes)
    found = feasibility(aim, seed=settings.sampler.seed)
    if not found.nearest.meets:
        raise infeasible_error(settings.name, aim, found)
    drawn, rungs = len(history.drawn) if history else 0, settings.training.rungs
    return Forecast(
        study=settings.name,
        aim=aim,
        found=found,
        budget=budget_of(settings, drawn=drawn, seconds=seconds),
        pace=(pace_of(history, rungs) if history else None) or pace_of_others(settings),
        note=note,
    )


def _classes(settings: StudySettings, history: StudyHistory | None) -> tuple[int, str | None]:
    """Return the number of classes, and why it is only assumed, or None."""
    if history and history.class_names:
        return len(history.class_names), None
    try:
        names = settings.data.class_names()
    except JejunetError as error:
        return LEAST_CLASSES, f"{LEAST_CLASSES} classes are assumed: {error}"
    return len(names), None


def _share_json(share: Share) -> dict[str, Any]:
    return {
        "networks": share.networks,
        "can_meet": share.meeting / share.networks,
        "can_meet_every_frame": None
        if share.every_frame is None
        else share.every_frame / share.networks,
    }


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927); it is never empty, not at 0 or 1."""
    square = _SIGMAS**2
    middle = (hits + square / 2) / (count + square)
    half = _SIGMAS / (count + square) * math.sqrt(hits * (count - hits) / count + square / 4)
    share = hits / count  # at 0 and 1 an end of the interval, but for rounding
    return max(min(middle - half, share), 0.0), min(max(middle + half, share), 1.0)


def _per_cent_words(hits: int, found: Feasibility) -> tuple[str, str]:
    """Return a share in per cent, and the interval that a sample leaves."""
    count = found.share.networks
    low, high = wilson(hits, count)
    interval = f" (95 %: {per_cent(low, 0)} to {per_cent(high, 0)})"
    return f"{_whole(hits / count, hits)} %", "" if found.whole else interval


def _whole(share: float, hits: int) -> str:
    """Return whole per cent; a share that is neither none nor all is not rounded to either."""
    if hits and share < 0.01:
        return "< 1"
    return "> 99" if 0.99 < share < 1 else per_cent(share, 0)


def _rows(name: str, choices: Mapping[Choice, Share]) -> list[str]:
    """Return the rows of one dimension: its choices, and the share of each that can.

    Where a line has no room for all choices, some from the first to the last are shown.
    """
    if len(choices) < 2:
        return []
    columns = [[in_words(choice), *_cells(share)] for choice, share in choices.items()]
    labels = [f"  {name}", "    can meet it, %", "    every frame a keyframe, %"]
    if all(len({*column[1:]}) == 1 for column in columns):
        columns = [column[:2] for column in columns]
    width = max(len(cell) for column in columns for cell in column) + 2
    shown = min(len(columns), (_WIDTH - _LABEL) // width)
    step = (len(columns) - 1) / max(shown - 1, 1)
    columns = [columns[round(step * place)] for place in range(shown)]
    return [
        f"{label:<{_LABEL}}" + "".join(f"{cell:>{width}}" for cell in row)
        for label, row in zip(labels, zip(*columns, strict=True), strict=False)
    ]


def _cells(share: Share) -> list[str]:
    hits = share.meeting, share.meeting if share.every_frame is None else share.every_frame
    return [_whole(each / share.networks, each) for each in hits]
