"""Reads YAML files that people write, and says in one line what is wrong with them."""

from pathlib import Path
from typing import Any

import yaml

from jejunet_nas.errors import SettingError


def read_mapping(file: Path) -> dict[str, Any]:
    """Return the mapping that `file` holds. Raises `SettingError` naming the file and the line."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingError(
            f"{file} does not exist; allowed: a YAML file. Check the path."
        ) from None
    except (OSError, UnicodeDecodeError) as reason:
        raise SettingError(f"{file} cannot be read ({reason}); allowed: a YAML file.") from None
    except yaml.YAMLError as reason:
        mark = getattr(reason, "problem_mark", None)
        place = f" line {mark.line + 1}" if mark else ""
        problem = getattr(reason, "problem", None) or "cannot be parsed"
        raise SettingError(f"{file}{place}: {problem}; allowed: YAML. Mend that line.") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingError(
            f"{file} holds {_kind(content)}; allowed: keys with values. "
            "Write one `key: value` a line."
        )
    return content


def _kind(content: object) -> str:
    if content is None:
        return "nothing"
    if isinstance(content, dict):
        return "keys that are no words"
    return "a list" if isinstance(content, list) else f"the value {content}"
