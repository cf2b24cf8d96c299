"""Errors about a study: a wrong file or starting point, or settings unlike the earlier trials'."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import ValidationError

from jejunet_nas.compression.settings import CompressionSettings
from jejunet_nas.datasets.calibration import CANDIDATES
from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError, closest
from jejunet_nas.space.search_space import DIMENSIONS, Choice, SearchSpace, in_words, size_of
from jejunet_nas.training.settings import SCRATCH, TrainingSettings

NAME_WORDS = "at most 100 letters, digits, '_', '.' and '-', the first a letter or digit"
_MOST_BYTES = 1 << 32  # of pictures in memory at once
_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")

_REMOVED = {  # settings of earlier versions: what their keys begin with, and why they are gone
    "sampler.policies_per_network": "every policy of a trained network is scored",
    "training.teacher": "a teacher's masks lost 0.7 to 2.8 points of mIoU on DAVIS",
}


def first_problem(error: ValidationError, settings: type) -> str:
    """Return the most helpful problem of `error`: key, value, what is allowed, and the fix.

    A misspelt key comes first, because it also makes pydantic report a missing key.
    """
    problem = min(error.errors(), key=lambda problem: problem["type"] not in _UNKNOWN_KEY)
    place = problem["loc"]
    key, given = _dotted(place), shortened(repr(problem["input"]))
    if problem["type"] in _UNKNOWN_KEY:
        if why := _why_removed(key):
            return f"{key} is {given}, but it is no longer a setting: {why}. Remove it."
        allowed = _keys_beside(place, settings)
        nearest = closest(str(place[-1]), allowed)
        return f"{shortened(key)} is an unknown key; allowed: {', '.join(allowed)}.{nearest}"
    if problem["type"] in ("missing", "missing_argument"):
        return f"{key} is missing. Add a line `{place[-1]}: ...`."
    return f"{key} is {given}; allowed: {_allowed(problem)}. Fix that value."


def _why_removed(key: str) -> str | None:
    return next((why for start, why in _REMOVED.items() if key.startswith(start)), None)


def _allowed(problem: Any) -> str:
    if problem["type"] == "string_pattern_mismatch":
        return NAME_WORDS
    reason = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    words = str(reason).replace("a valid ", "")
    return words[0].lower() + words[1:]


def _dotted(place: tuple[int | str, ...]) -> str:
    """Return, for example, `start_with[0].reuse_below`."""
    words = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in place]
    if place and place[-1] in ("int", "float", "str"):  # pydantic adds the type of a choice
        words.pop()
    return "".join(words).lstrip(".")


def _keys_beside(place: tuple[int | str, ...], settings: type) -> list[str]:
    kind: Any = settings
    for step in place[:-1]:
        kind = get_type_hints(kind)[str(step)]
    fields = kind.model_fields if hasattr(kind, "model_fields") else kind.__dataclass_fields__
    return list(fields)


def check_starts(starts: Sequence[Mapping[str, Choice]], space: SearchSpace, file: Path) -> None:
    """Raise `SettingError` if a point in `file` has a dimension or choice not in `space`."""
    for number, start in enumerate(starts):
        where = f"{file}: start_with[{number}]"
        for name, choice in start.items():
            if name not in DIMENSIONS:
                raise SettingError(
                    f"{where}: {shortened(name)} is an unknown dimension; allowed: "
                    f"{', '.join(DIMENSIONS)}.{closest(name, DIMENSIONS)}"
                )
            choices = getattr(space, name)
            switch = isinstance(choices[0], bool)
            if choice not in choices or isinstance(choice, bool) is not switch:
                given = shortened(in_words(choice))
                allowed = shortened(", ".join(map(in_words, choices)), 400)
                raise SettingError(
                    f"{where}: {name} is {given}; allowed: {allowed}. "
                    "Use one of these, or add it to the space."
                )


def check_pictures(
    training: TrainingSettings, compression: CompressionSettings, space: SearchSpace, file: Path
) -> None:
    """Raise `SettingError` if the pictures that are in memory at once would fill it.

    Of a training step they are the smallest part: the layers' outputs take a hundred times as much.
    """
    height, width = max(map(size_of, space.resolution), key=math.prod)
    post_training = compression.post_training
    candidates = CANDIDATES if post_training.calibration_choice == "varied" else 1
    for name, count, frames, most in (
        ("training.pairs_per_step", training.pairs_per_step, 2, _MOST_BYTES // 16),
        ("training.gate_pairs", training.gate_pairs, 8 / 28, _MOST_BYTES),
        (
            "compression.post_training.calibration_frames",
            post_training.calibration_frames,
            candidates,
            _MOST_BYTES,
        ),
    ):
        allowed = int(most / (frames * 3 * height * width))
        if count > allowed:
            raise SettingError(
                f"{file}: {name} is {count} with a resolution of {height}x{width}; allowed: at "
                f"most {allowed}, whose pictures take {most >> 20} MiB. Lower it, or the "
                "resolution."
            )


def require_same(study: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `SettingError` naming the first key of `now` whose value differs from `before`.

    Weights are compared by their hash, in `made_from`; the name of their file may differ.
    """
    for key in now:
        for dotted, old, new in _differences(before.get(key), now[key], key):
            if dotted == "training.init" and SCRATCH not in (old, new):
                continue
            given, earlier = (shortened(str(value), 200) for value in (new, old))
            if why := _why_removed(dotted):
                raise SettingError(
                    f"the trials of {study} were made with {dotted} {earlier}, which is no longer "
                    f"a setting: {why}. Give the study another name, or remove its state folder."
                )
            if dotted.startswith("made_from.init_sha256"):
                raise SettingError(
                    f"the initial weights of {study} have the SHA-256 {given}, but its earlier "
                    f"trials started from {earlier}. Give --init with that file, or give the study "
                    "another name."
                )
            raise SettingError(
                f"{dotted} of {study} is {given}, but its earlier trials were made with {earlier}. "
                "Restore that value, give the study another name, or remove its state folder."
            )


def _differences(old: Any, new: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted key and both values of each difference."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}")
    elif old != new:
        yield key, old, new
