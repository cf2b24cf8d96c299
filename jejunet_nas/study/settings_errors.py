"""Pydantic's errors about a study's file in this project's words."""

from typing import Any, get_type_hints

from pydantic import ValidationError

from jejunet_nas.errors import closest

_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")


def first_problem(error: ValidationError, settings: type) -> str:
    """Return the most helpful problem of `error`: key, value, what is allowed, and the fix.

    A misspelt key comes first, because it also makes pydantic report a missing key.
    """
    problem = min(error.errors(), key=lambda problem: problem["type"] not in _UNKNOWN_KEY)
    place = problem["loc"]
    key = _dotted(place)
    if problem["type"] in _UNKNOWN_KEY:
        allowed = _keys_beside(place, settings)
        return f"{key} is no key; allowed: {', '.join(allowed)}.{closest(str(place[-1]), allowed)}"
    if problem["type"] in ("missing", "missing_argument"):
        return f"{key} is missing. Add a line `{place[-1]}: ...`."
    return f"{key} is {problem['input']!r}; allowed: {_allowed(problem)}. Fix that value."


def _allowed(problem: Any) -> str:
    if problem["type"] == "string_pattern_mismatch":
        return "at most 100 letters, digits, '_', '.' and '-', the first a letter or digit"
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
