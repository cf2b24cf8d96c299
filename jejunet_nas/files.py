"""Files: the paths of a study; writing a file whole, and hashing it."""

import contextlib
import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from jejunet_nas.documents.yaml_file import read_mapping as read_mapping
from jejunet_nas.errors import SettingError, closest
from jejunet_nas.faults import naming

STUDIES = "studies"  # the folder of study files, and of the studies' states
SPACES = "search_spaces"
NOTED = "study.yaml"  # in the folder of a study's state: what its search was given
EXPORTS = "exports"  # in that folder too
WEIGHTS, RECORD = "weights.npz", "record.json"  # in the folder of a network
LEFT_OVER_S = 3600.0  # a temporary file of a dead process is removed when it is as old

_BESIDE = ".jejunet-part."  # what temporary names begin with
_swept: set[Path] = set()  # folders that this process has rid of leftovers


def write_whole(file: Path, write: Callable[[Path], object]) -> Path:
    """Call `write` with a temporary path beside `file`, rename the result to `file`, return it.

    A reader sees the old file or the new one, never a part. An `OSError` names `file`.
    """
    beside = beside_of(file)
    try:
        with naming(file, beside):
            write(beside)
            beside.replace(file)
    finally:
        with contextlib.suppress(OSError):  # the first error is the one to report
            beside.unlink(missing_ok=True)
    return file


def beside_of(file: Path) -> Path:
    """Return the temporary name under which this process writes `file`, a file or a folder.

    The name keeps the suffix, because some libraries choose a format by it. It begins with a dot;
    `Path.glob` finds it all the same. What killed processes left in that folder is removed first,
    once a process.
    """
    if file.parent not in _swept:
        _swept.add(file.parent)
        remove_leftovers(file.parent)
    # The process number separates two processes that write the same file.
    return file.with_name(f"{_BESIDE}{os.getpid()}.{file.name}")


def remove_leftovers(folder: Path) -> None:
    """Remove from `folder` the temporary files and folders of processes that were killed.

    Only names of `beside_of` count, whose process has ended and which are an hour old: on a network
    drive the process may be another computer's.
    """
    with contextlib.suppress(OSError):
        for part in leftovers(folder, older_than_s=LEFT_OVER_S):
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink()


def leftovers(folder: Path, *, older_than_s: float) -> list[Path]:
    """Return the temporary files and folders in `folder` of processes that ended, by name.

    The process is looked up on this computer: on a network drive only the age tells.
    """
    found = []
    for entry in [each for each in os.scandir(folder) if each.name.startswith(_BESIDE)]:
        number = entry.name.removeprefix(_BESIDE).partition(".")[0]
        age_s = time.time() - entry.stat(follow_symlinks=False).st_mtime
        if number.isdigit() and age_s >= older_than_s and not is_alive(int(number)):
            found.append(Path(entry.path))
    return sorted(found)


def is_alive(process: int) -> bool:
    """Whether this computer has a process of that number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it belongs to another user
        return True
    return True


def write_text_whole(file: Path, text: str) -> Path:
    """Write `text` to `file` as UTF-8 with its line ends, whole or not at all; return it."""
    return write_whole(file, lambda beside: beside.write_text(text, encoding="utf-8", newline=""))


def keep_text(file: Path, text: str) -> None:
    """Write `text` to `file`, which is only to save work: not on a disk that is read-only."""
    try:
        file.parent.mkdir(exist_ok=True)
        write_text_whole(file, text)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of the content of `file`, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def shipped_folder(kind: str) -> Path:
    """Return the folder of the studies, or of the search spaces, that come with the package.

    kind: `studies` or `search_spaces`. A wheel has them inside the package, a checkout beside it.
    """
    package = Path(__file__).parent
    inside = package / "shipped" / kind
    return inside if inside.is_dir() else package.parent / kind


def is_file(path: Path) -> bool:
    """Whether `path` is a file; False for what cannot be a path, such as a name of 300 letters."""
    return os.path.isfile(path)  # Path.is_file raises OSError for a name that is too long


def study_file(study: str) -> Path:
    """Return the file of a study by its name or path. Raises `SettingError`.

    A name is looked up in studies/ of the current folder: as a file, then as the state of a study
    whose file is elsewhere. Then come the studies of the package.
    """
    if study.endswith((".yaml", ".yml")):
        # A bare name, or one behind .., does not name the folder of the file.
        folder = Path(study).parent.name
        return Path(study) if folder and folder != ".." else Path(os.path.abspath(study))
    if Path(study).name == study:
        here, shipped = Path(STUDIES), shipped_folder(STUDIES)
        for file in (here / f"{study}.yaml", noted_file(here / study), shipped / f"{study}.yaml"):
            if file is not None and is_file(file):
                return file
    known, here = study_names(), Path(STUDIES).absolute()
    raise SettingError(
        f"study {study} does not exist; allowed: "
        f"{', '.join([*known, 'the path of a YAML file'])}. The studies of {here} were looked up."
        f"{closest(study, known)}"
    )


def study_names() -> list[str]:
    """Return the names that `study_file` finds from the current folder, sorted."""
    here, shipped = Path(STUDIES), shipped_folder(STUDIES)
    files = {file.stem for folder in (here, shipped) for file in folder.glob("*.yaml")}
    states = {note.parent.name for note in here.glob(f"*/{NOTED}") if noted_file(note.parent)}
    return sorted(name for name in files | states if not name.startswith("."))


def noted_file(state: Path) -> Path | None:
    """Return the study's file that its `state` notes because its name does not lead there."""
    if not is_file(state / NOTED):
        return None
    try:
        noted = read_mapping(state / NOTED).get("file")
    except SettingError:
        return None
    return Path(noted) if isinstance(noted, str) and is_file(Path(noted)) else None


def leads_nowhere_else(name: str) -> bool:
    """Whether `name`, of a file from anyone, is that of something in a folder and no path."""
    return Path(name).name == name and name != ".."


def study_word(file: Path, name: str) -> str:
    """Return what names the study in `file` on a command line: its name, else the file's path."""
    for word in (name, file.stem):
        try:
            if study_file(word).absolute() == file.absolute():
                return word
        except SettingError:
            continue
    return str(file)


def project_folder(study_file: Path) -> Path:
    """Return the folder that contains studies/ and reports/; for a shipped study, the current."""
    folder = study_file.parent
    if folder.resolve() == shipped_folder(STUDIES).resolve():
        return Path()
    return folder.parent if folder.name == STUDIES else folder


def state_folder(study_file: Path, name: str) -> Path:
    """Return the folder of a study's state."""
    return project_folder(study_file) / STUDIES / name
