"""Files: the paths of a study; writing a file whole, and hashing it."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from jejunet_nas.documents.yaml_file import read_mapping as read_mapping
from jejunet_nas.errors import SettingError, closest

STUDIES = "studies"  # the folder of study files, and of the studies' states


def write_whole(file: Path, write: Callable[[Path], object]) -> Path:
    """Call `write` with a temporary path beside `file`, rename the result to `file`, return it.

    A reader sees the old file or the new one, never a part. The temporary name keeps the suffix,
    because some libraries choose a format by it. It begins with a dot; `Path.glob` finds it all the
    same.
    """
    # The process number separates two processes that write the same file.
    beside = file.with_name(f".{os.getpid()}.{file.name}")
    try:
        write(beside)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return file


def write_text_whole(file: Path, text: str) -> Path:
    """Write `text` to `file` as UTF-8 with its line ends, whole or not at all; return it."""
    return write_whole(file, lambda beside: beside.write_text(text, encoding="utf-8", newline=""))


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of the content of `file`, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def is_file(path: Path) -> bool:
    """Whether `path` is a file; False for what cannot be a path, such as a name of 300 letters."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def study_file(study: str) -> Path:
    """Return the file of a study by its name or path. Raises `SettingError`."""
    if study.endswith((".yaml", ".yml")):
        # A bare name, or one behind .., does not name the folder of the file.
        folder = Path(study).parent.name
        return Path(study) if folder and folder != ".." else Path(os.path.abspath(study))
    file = Path(STUDIES) / f"{study}.yaml"
    if not is_file(file):
        known = sorted(found.stem for found in Path(STUDIES).glob("*.yaml"))
        raise SettingError(
            f"study {study} does not exist; allowed: "
            f"{', '.join([*known, 'the path of a YAML file'])}.{closest(study, known)}"
        )
    return file


def project_folder(study_file: Path) -> Path:
    """Return the folder that contains studies/ and reports/."""
    folder = study_file.parent
    return folder.parent if folder.name == STUDIES else folder


def state_folder(study_file: Path, name: str) -> Path:
    """Return the folder of a study's state."""
    return project_folder(study_file) / STUDIES / name
