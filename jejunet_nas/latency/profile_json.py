"""Finds the file of a device profile, and reads its JSON, which anyone may have written."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.documents.json_file import read_json
from jejunet_nas.errors import SettingError, closest

PROFILES = Path(__file__).parent / "profiles"
FIX = (
    "Make it again: python -m jejunet_nas.latency.fit --points FILE.csv --out PROFILE.json, or "
    "jejunet-nas calibrate"
)
_MOST_FAULTS = 3  # that a message names


def profile_file(name_or_path: str | Path) -> Path:
    """Return the file of the profile that ships as `name_or_path`, or that `.json` file.

    Raises `SettingError` if it is missing.
    """
    file = Path(name_or_path)
    if file.suffix != ".json":
        file = PROFILES / f"{name_or_path}.json"
    if not file.is_file():
        names = profile_names()
        raise SettingError(
            f"device profile is {name_or_path}; allowed: {', '.join(names)}, or the path of a "
            f".json file that `jejunet-nas calibrate` wrote.{closest(str(name_or_path), names)}"
        )
    return file


def profile_names() -> list[str]:
    """Return the names of the profiles that ship, sorted."""
    return sorted(found.stem for found in PROFILES.glob("*.json"))


def read_profile_json(file: Path) -> dict[str, Any]:
    """Return the JSON object in `file`. Raises `SettingError` naming the file and what is wrong."""
    try:
        plain = read_json(file)
    except ValueError as reason:
        raise unreadable(file, str(reason)) from None
    except OSError as reason:
        raise unreadable(file, reason.strerror or str(reason)) from None
    if not isinstance(plain, dict):
        raise unreadable(file, "it is not a JSON object")
    return plain


def unreadable(file: Path, reason: str) -> SettingError:
    """Return the error of a profile that is wrong."""
    return SettingError(f"device profile {file} cannot be read ({reason.rstrip('.')}). {FIX}")


def faults_of(error: ValidationError) -> str:
    """Return what pydantic found wrong, key by key, in one line."""
    found = error.errors(include_url=False, include_input=False)
    lines = [
        f"{shortened('.'.join(map(str, each['loc'])))}: {each['msg']}"
        for each in found[:_MOST_FAULTS]
    ]
    more = [f"{len(found) - _MOST_FAULTS} more"] if len(found) > _MOST_FAULTS else []
    return " ".join("; ".join([*lines, *more]).split())
