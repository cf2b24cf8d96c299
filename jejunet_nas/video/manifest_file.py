"""The file of a bundle's manifest, which may come from anybody: read, checked and written.

It contains the hash of its own text, so that a changed byte is found in it as in any other file.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jejunet_nas.documents.json_file import parse_json
from jejunet_nas.errors import SettingError
from jejunet_nas.records import graphs_run_by
from jejunet_nas.records.words import one_line
from jejunet_nas.video.manifest import FORMAT, MANIFEST, Manifest

MOST_BYTES = 1 << 20  # about a hundred times a usual manifest

_FIX = "Export the bundle again."
_SHOWN = 200  # characters of a value or reason in a message
_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")  # as pydantic calls it


def manifest_text(plain: dict[str, Any]) -> str:
    """Return the text of a manifest; its last line is the hash of the text without that line."""
    digest = hashlib.sha256(_text(plain).encode()).hexdigest()
    return _text({**plain, "sha256": digest})


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest in `folder`. Raises `SettingError` naming the fault."""
    file = folder / MANIFEST
    text, plain = _read(file)
    given = plain.get("format") if isinstance(plain, dict) else None
    if given != FORMAT:
        raise SettingError(
            f"{file}: format is {one_line(str(given))[:_SHOWN]}; allowed: {FORMAT}. Export the "
            "trial again with this version: jejunet-nas export STUDY --trial N --out FOLDER."
        )
    if not _matches_its_hash(text):
        raise SettingError(
            f"{file} was changed: its text does not match its SHA-256. Copy the whole bundle again."
        )
    plain.pop("sha256")
    try:  # as JSON, since a strict check of Python values would not take a list for a tuple
        manifest = Manifest.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        raise SettingError(f"{file}: {_first_problem(error)}") from None
    except SettingError as error:
        raise SettingError(f"{file}: policy: {error}") from None
    for name in graphs_run_by(manifest.policy):
        if name not in manifest.graphs.by_name:
            raise SettingError(f"{file}: graphs.{name} is missing, which the policy runs. {_FIX}")
    return manifest


def _text(plain: dict[str, Any]) -> str:
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _matches_its_hash(text: str) -> bool:
    before, _, after = text.rpartition(',\n  "sha256": "')
    digest = hashlib.sha256(f"{before}\n}}\n".encode()).hexdigest()
    return after == f'{digest}"\n}}\n'


def _read(file: Path) -> tuple[str, Any]:
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SettingError(f"{file} is longer than {MOST_BYTES} bytes. {_FIX}")
        text = content.decode()
        return text, parse_json(text)
    except (FileNotFoundError, NotADirectoryError):
        raise SettingError(
            f"{file} does not exist. Give a bundle: a folder or .zip that `jejunet-nas export` "
            "wrote."
        ) from None
    except (OSError, ValueError) as error:
        reason = one_line(str(error))[:_SHOWN]
        raise SettingError(f"{file} cannot be read as JSON ({reason}). {_FIX}") from None


def _first_problem(error: ValidationError) -> str:
    """Describe one problem: an unknown key first, since it may be a misspelt one."""
    problem = min(error.errors(), key=lambda each: each["type"] not in _UNKNOWN_KEY)
    key = one_line(".".join(map(str, problem["loc"])))[:_SHOWN]
    if problem["type"] in _UNKNOWN_KEY:
        return f"{key} is an unknown key. {_FIX}"
    if problem["type"].startswith("missing"):
        return f"{key} is missing. {_FIX}"
    reason = problem["msg"].removeprefix("Input should be ").replace("a valid ", "")
    given = repr(problem["input"])[:_SHOWN]
    return f"{key} is {given}; allowed: {reason}. {_FIX}"
