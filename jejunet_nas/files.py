"""Files: where those of a study lie, how one is written whole, hashed, and read as YAML."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from jejunet_nas.errors import SettingError

STUDIES = "studies"  # the folder of YAML files, and of states


def write_whole(file: Path, write: Callable[[Path], object]) -> Path:
    """Have `write` make `file` beside its place, rename it into place in one step, and return it.

    Whoever reads `file` meanwhile sees the old one or the new one, never a part. The name that
    `write` gets has the suffix of `file`, since some libraries choose a format by it.
    """
    # The process's number keeps two that are written at once apart.
    beside = file.with_name(f".{os.getpid()}.{file.name}")
    try:
        write(beside)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return file


def write_text_whole(file: Path, text: str) -> Path:
    """Write `text` to `file` as UTF-8, whole or not at all; return it."""
    return write_whole(file, lambda beside: beside.write_text(text, encoding="utf-8"))


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of what `file` holds, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def study_file(study: str) -> Path:
    """Return the file of a study by its name or path. Raises `SettingError`."""
    if study.endswith((".yaml", ".yml")):
        # A bare name, or one behind .., says nothing of the folder that it lies in.
        said = Path(study).parent.name
        return Path(study) if said and said != ".." else Path(os.path.abspath(study))
    file = Path(STUDIES) / f"{study}.yaml"
    if not file.is_file():
        known = sorted(found.stem for found in Path(STUDIES).glob("*.yaml"))
        raise SettingError(
            f"{study} is no study here; allowed: {', '.join(known) or 'a YAML file'}. Give the "
            "path of its YAML file."
        )
    return file


def project_folder(study_file: Path) -> Path:
    """Return the folder in which studies/ and reports/ lie."""
    folder = study_file.parent
    return folder.parent if folder.name == STUDIES else folder


def state_folder(study_file: Path, name: str) -> Path:
    """Return the folder of a study's state."""
    return project_folder(study_file) / STUDIES / name


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
