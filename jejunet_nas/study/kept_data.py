"""What a study's database keeps beside its trials, so that a report needs no data: user attributes.

class_names         names, in the order of the class indices
data                `records.DataFacts` as JSON; studies of earlier versions have none
repeat N seed S     `records.Repeat` as JSON: the network of trial N, trained again with seed S
no repeat N seed S  the reason why that training failed
repeats of N begun  of further trainings of trial N that have not ended, see `search.last_round`
repaired N          `records.TrialResult` as JSON, in place of the one that trial N ended with

A damaged attribute raises ValueError or TypeError, which `storage.readable` words.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from jejunet_nas.records import DataFacts, Repeat, from_json

CLASS_NAMES, DATA = "class_names", "data"
_REPAIRED = re.compile(r"repaired (\d+)")
_REPEAT = re.compile(r"(no )?repeat (\d+) seed (\d+)")


def kept_class_names(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes."""
    names = attributes.get(CLASS_NAMES, ())
    if not isinstance(names, list | tuple) or not {*map(type, names)} <= {str}:
        raise ValueError(f"class_names is {names}")
    return tuple(names)


def kept_data(attributes: Mapping[str, Any]) -> DataFacts:
    """Return what is known about the data."""
    text = attributes.get(DATA)
    return DataFacts() if text is None else from_json(DataFacts, text)


def repeat_key(number: int, seed: int, *, failed: bool = False) -> str:
    """Return the attribute of the further training of a trial's network with `seed`."""
    return f"{'no ' if failed else ''}repeat {number} seed {seed}"


def kept_repeats(attributes: Mapping[str, Any]) -> dict[int, tuple[Repeat, ...]]:
    """Return the further trainings of each trial's network, in the order of their seeds."""
    found: dict[int, list[Repeat]] = defaultdict(list)
    for key, text in attributes.items():
        match = _REPEAT.fullmatch(key)
        if match and not match[1]:
            repeat = from_json(Repeat, text)
            if (repeat.number, repeat.seed) != (int(match[2]), int(match[3])):
                raise ValueError(f"{key} is of trial {repeat.number}, seed {repeat.seed}")
            found[repeat.number].append(repeat)
    return {n: tuple(sorted(found[n], key=lambda each: each.seed)) for n in sorted(found)}


def kept_failed_repeats(attributes: Mapping[str, Any]) -> dict[tuple[int, int], str]:
    """Return why further trainings failed, by the trial's number and the seed, in order."""
    found: dict[tuple[int, int], str] = {}
    for key, reason in attributes.items():
        match = _REPEAT.fullmatch(key)
        if match and match[1]:
            if not isinstance(reason, str):
                raise ValueError(f"{key} is {reason}, not text")
            found[int(match[2]), int(match[3])] = reason
    return dict(sorted(found.items()))


def begun_key(number: int) -> str:
    """Return the attribute that counts the trial's further trainings that have not ended."""
    return f"repeats of {number} begun"


def repaired_key(number: int) -> str:
    """Return the attribute of the result that replaces that of a trial: its network was lost."""
    return f"repaired {number}"


def kept_repaired(attributes: Mapping[str, Any]) -> dict[int, str]:
    """Return the results that replace those of trials, as JSON, by the trial's number."""
    matches = {key: _REPAIRED.fullmatch(key) for key in attributes}
    return {int(match[1]): attributes[key] for key, match in matches.items() if match}
