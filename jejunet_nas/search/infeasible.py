"""Infeasible: a space in which nothing can meet the target, and what would have to change.

Each change that is proposed is computed: with it alone, the space's fastest architecture can meet
the target.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, get_args

from jejunet_nas.errors import SettingError
from jejunet_nas.records.words import architecture_words
from jejunet_nas.scoring.ranking import RULES, miss_words
from jejunet_nas.search.feasibility import Aim, Feasibility, Found
from jejunet_nas.space.architecture import GRID_PX, LAST_BLOCKS
from jejunet_nas.space.search_space import Choice, in_words, size_of
from jejunet_nas.study.settings import TARGET_FPS, Threads

MOST_CHANGES = 3  # of the space, in one sentence
_LEAST_PX = 64
_HALVINGS = 20  # of the range of frame rates
_INTERVALS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 120)
_WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25, 0.2, 0.15, 0.1)
_CHANNELS = (96, 64, 48, 32, 24, 16, 8)


def infeasible_error(study: str, aim: Aim, found: Feasibility) -> SettingError:
    """Return the error for a space whose `nearest` network cannot meet the target."""
    nearest = found.nearest
    missed = miss_words(nearest.stream, aim.rule, aim.target_fps)
    searched = "No network" if found.whole else "No network found"
    smallest = ", ".join(smallest_choices(aim, nearest))
    has = f", with the smallest {smallest} of the space," if smallest else ""
    return SettingError(
        f"{searched} in the search space of {study} can meet {aim.target_fps:g} fps "
        f"({1000 / aim.target_fps:.3g} ms a frame) {RULES[aim.rule]}; the fastest "
        f"({architecture_words(nearest.architecture)}){has} is predicted for "
        f"{aim.profile.device} at {nearest.stream.mean_ms:.3g} ms a frame: {missed}. "
        f"{_fix(aim, nearest)}"
    )


def _fix(aim: Aim, nearest: Found) -> str:
    fps, threads = highest_fps(aim, nearest), threads_that_suffice(aim, nearest)
    changes = [
        f"{in_words(choice)} to {name}" for name, choice in changes_that_suffice(aim, nearest)
    ]
    ways = [f"lower target_fps to {fps:g}"] if fps else []
    if changes:
        ways.append(f"add {' or '.join(changes[:MOST_CHANGES])}")
    if threads:
        ways.append(f"set latency.threads to {threads}")
    if not ways:
        return "No single change is enough: change several settings."
    said = f"{', '.join(ways[:-1])}, or {ways[-1]}" if ways[1:] else ways[0]
    alone = "" if ways[1:] else "; no other single change is enough"
    return f"{said[0].upper()}{said[1:]}{alone}."


def smallest_choices(aim: Aim, nearest: Found) -> list[str]:
    """Return the dimensions with several choices of which `nearest` has the smallest already."""
    choices = aim.space.choices()
    return [
        name
        for name in ("depth_multiplier", "last_block", "decoder_channels", "resolution")
        if len(choices[name]) > 1
        and nearest.choices[name] == min(choices[name], key=lambda each: _order(name, each))
    ]


def highest_fps(aim: Aim, nearest: Found) -> float | None:
    """Return the highest target that the network of `nearest` can meet, rounded down.

    None where it is lower than a study may have.
    """
    low, high = 0.0, aim.target_fps
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _meets(dataclasses.replace(aim, target_fps=middle), nearest):
            low = middle
        else:
            high = middle
    for unit in (1.0, 0.1, 0.01):
        rounded = round(low // unit * unit, 2)
        if rounded and _meets(dataclasses.replace(aim, target_fps=rounded), nearest):
            return rounded
    return low if low >= TARGET_FPS[0] else None


def threads_that_suffice(aim: Aim, nearest: Found) -> int | None:
    """Return the least number of threads with which `nearest` can meet the target, or None.

    Of those that a study may have and the profile knows.
    """
    known = [n for n in get_args(Threads) if n in aim.profile.thread_factors]
    more = (n for n in known if n > aim.threads)
    return next((n for n in more if _meets(dataclasses.replace(aim, threads=n), nearest)), None)


def changes_that_suffice(aim: Aim, nearest: Found) -> list[tuple[str, Choice]]:
    """Return the dimensions of which a further choice suffices, with the least such choice."""
    found = []
    for name, further in _FURTHER.items():
        for choice in further(nearest.choices.get(name), aim.space.choices()[name]):
            if _suffices(aim, nearest, name, choice):
                found.append((name, choice))
                break
    return found


def _suffices(aim: Aim, nearest: Found, name: str, choice: Choice) -> bool:
    with contextlib.suppress(SettingError):  # it does not go with the others of the space
        more: dict[str, Any] = {name: (*aim.space.choices()[name], choice)}
        space = dataclasses.replace(aim.space, **more)
        changed = dataclasses.replace(aim, space=space)
        return changed.find(changed.network({**nearest.choices, name: choice})).meets
    return False


def _meets(aim: Aim, nearest: Found) -> bool:
    return aim.find(nearest.architecture.network).meets


def _order(name: str, choice: Choice) -> float:
    if name == "resolution":
        height, width = size_of(choice)
        return height * width
    return float(choice or 0)


def _smaller(choice: Choice, scale: Iterable[float]) -> Iterator[Choice]:
    yield from (each for each in scale if each < float(choice or 0))


def _shorter_sides(choice: Choice, _: Sequence[Choice]) -> Iterator[Choice]:
    """Yield smaller pictures of about the same aspect, the largest first."""
    height, width = size_of(choice)
    for shorter in range(height - GRID_PX, _LEAST_PX - 1, -GRID_PX):
        other = max(round(width * shorter / height / GRID_PX) * GRID_PX, _LEAST_PX)
        yield shorter if other == shorter else f"{shorter}x{other}"


_FURTHER: dict[str, Callable[[Choice, Sequence[Choice]], Iterator[Choice]]] = {
    "resolution": _shorter_sides,
    "depth_multiplier": lambda choice, _: _smaller(choice, _WIDTHS),
    "keyframe_interval": lambda _, known: (n for n in _INTERVALS if n > max(map(int, known))),  # type: ignore[arg-type]
    "between_keyframes": lambda _, known: (
        n for n in ("propagate", "warp", "move", "reuse") if n not in known
    ),
    "last_block": lambda choice, _: _smaller(choice, reversed(LAST_BLOCKS)),
    "decoder_channels": lambda choice, _: _smaller(choice, _CHANNELS),
    "detail": lambda _, known: (n for n in ("narrow", "thin") if n not in known),
    "logit_stride": lambda _, known: (n for n in (8,) if n not in known),
}
