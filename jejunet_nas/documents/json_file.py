"""JSON, without repeated keys, numbers beyond 64 bits, NaN, or half characters.

Python's own reader silently keeps the last of several equal keys, and takes NaN.
"""

import json
import math
from pathlib import Path
from typing import Any

from jejunet_nas.documents.bounds import require_file, shortened

MOST_BYTES = 256 * 1024 * 1024
_LARGEST = 2**63 - 1


def read_json(file: Path) -> Any:
    """Return the JSON in `file`. Raises OSError, or ValueError as `parse_json` does."""
    require_file(file, MOST_BYTES)
    return parse_json(file.read_bytes())


def parse_json(text: str | bytes) -> Any:
    """Return the JSON value in `text`, as `json.loads` does.

    Raises ValueError, in words, where `json.loads` does, and for repeated keys, numbers that are
    not finite or have more than 64 bits, deep nesting, and text that is not Unicode.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        value = json.loads(
            text,
            object_pairs_hook=_unrepeated,
            parse_constant=_not_finite,
            parse_float=_finite,
            parse_int=_whole,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if r"\ud" in text.lower():  # only an escape can make half a character
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shortened(twice)} occurs twice")
    return found


def _not_finite(word: str) -> float:
    raise ValueError(f"{word} is not a finite number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{shortened(digits)} is too large a number")
    return value


def _whole(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) > _LARGEST:
        raise ValueError(f"{shortened(digits)} is too large a number")
    return int(digits)
