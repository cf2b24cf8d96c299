"""Errors of the command line's parser, in the words of all our errors: value, allowed, fix."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.errors import SettingError, closest

_OF_A_STUDY = {
    "--target-fps": "The target of a search is `target_fps` in the study's file; "
    "`jejunet-nas report STUDY --target-fps FPS` scores trained trials for another, without "
    "training.",
    "--device": "The device of a search is `latency.device` in the study's file; "
    "`jejunet-nas report STUDY --device PROFILE` scores trained trials for another, without "
    "training.",
}


def parser_words(error: Any, given: Sequence[str]) -> str:
    """Return one line about `error`, raised by the parser on the words `given`."""
    parameter = getattr(error, "param", None)
    name = _name(parameter) if parameter is not None else ""
    if type(error).__name__ == "MissingParameter":
        path = error.ctx.command_path if error.ctx else "jejunet-nas"
        return f"{name} is missing. See {path} --help."
    if type(error).__name__ == "NoSuchOption":
        return _no_such_option(error, given)
    problems = error.__cause__.errors() if hasattr(error.__cause__, "errors") else []
    if not name or not problems:
        return str(error.format_message())
    value = problems[0]["input"]
    return f"{name} is {value}; allowed: {_allowed(parameter, str(value))}"


@contextlib.contextmanager
def naming_options(names: Mapping[str, str]) -> Iterator[None]:
    """Make errors about settings name the options that gave them: `names`, by the setting."""
    try:
        yield
    except SettingError as error:
        for setting, option in names.items():
            before, found, rest = str(error).partition(f"{setting} is ")
            if found and (not before or before.endswith(": ")):
                raise type(error)(f"{option} is {rest}") from error
        raise


def _name(parameter: Any) -> str:
    options = [word for word in parameter.opts if word.startswith("--")]
    return str(options[0] if options else parameter.metavar or parameter.name)


def _allowed(parameter: Any, value: str) -> str:
    """Return what `parameter` allows, and the fix for `value`."""
    kind = parameter.type_descriptor
    if kind.is_choice:
        choices = [str(choice) for choice in kind.choices]
        return f"{', '.join(choices)}.{closest(value, choices)}"
    low, high = kind.parameter_info.min, kind.parameter_info.max
    number = "a whole number" if kind.annotation in (int, int | None) else "a number"
    if low is not None and high is not None:
        allowed = f"{number} from {low} to {high}"
    elif low is not None:
        allowed = f"{number}, {low} or more"
    else:
        allowed = number
    return f"{allowed}.{_nearest(value, low, high)}"


def _nearest(value: str, low: float | None, high: float | None) -> str:
    try:
        given = float(value)
    except ValueError:
        return ""
    if low is not None and given < low:
        return f" The nearest is {low}."
    return f" The nearest is {high}." if high is not None and given > high else ""


def _no_such_option(error: Any, given: Sequence[str]) -> str:
    """Return words about an unknown option, which may be the name of a file."""
    for word in given:
        if word.startswith(error.option_name) and Path(word).exists():
            return f"{word} begins with a dash, as options do. If it is the file, write ./{word}."
    if error.ctx.command.name == "search" and error.option_name in _OF_A_STUDY:
        return f"{error.message}. {_OF_A_STUDY[error.option_name]}"
    known = [word for option in error.ctx.command.params for word in option.opts]
    mean = closest(error.option_name, [word for word in known if word.startswith("-")])
    return f"{error.message}.{mean or f' See {error.ctx.command_path} --help.'}"
