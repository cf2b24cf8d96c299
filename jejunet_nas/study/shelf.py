"""The studies that a folder can name: listed, described, copied, and their state removed."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

from jejunet_nas.errors import JejunetError, SettingError
from jejunet_nas.files import (
    NOTED,
    STUDIES,
    shipped_folder,
    study_names,
    write_text_whole,
)
from jejunet_nas.scoring.ranking import front_of
from jejunet_nas.study.kept_measurements import NETWORKS, with_measured
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.named import NamedStudy, find_named
from jejunet_nas.study.settings import check_name
from jejunet_nas.study.storage import storage_url
from jejunet_nas.study.study_file import read_study


def shelf() -> list[dict[str, Any]]:
    """Return a row of plain values for each study that has a name here, sorted by name.

    complete, best_miou (in [0, 1], of the front): None without trials. problem: why the study
    cannot be read, or None.
    """
    return [_row(name) for name in study_names()]


def described(study: str) -> dict[str, Any]:
    """Return the file, the state and the settings of a study. Raises `SettingError`."""
    named = find_named(study)
    settings = named.settings.model_dump(mode="json")
    return {
        "file": str(named.file),
        "state": str(named.folder) if named.folder.is_dir() else None,
        **_progress(named),
        "settings": settings,
    }


def copy_study(study: str, new: str) -> tuple[Path, str]:
    """Copy a study's file to studies/NEW.yaml; return the file and the command that searches it.

    Comments stay; commands in them get the new name. Raises `SettingError` if the name is taken,
    or if the study would not be the same from there.
    """
    check_name(new, "NEW")
    named = find_named(study)
    file = Path(STUDIES) / f"{new}.yaml"
    for taken in (file, Path(STUDIES) / new, shipped_folder(STUDIES) / file.name):
        if taken.exists():
            raise SettingError(f"NEW is {new}, but {taken} exists. Use another name.")
    old, text = named.settings.name, named.file.read_text(encoding="utf-8")
    text, count = re.subn(r"^name:[^#\n]*?(?=\s*(?:#.*)?$)", f"name: {new}", text, flags=re.M)
    if count != 1:
        raise SettingError(f"{named.file} has no line `name: {old}`. Write it on a line alone.")
    word = re.compile(rf"(?<![\w.-])(?<!--data-root ){re.escape(old)}(?![\w-]|\.\w)")
    commands = re.compile(r"(?<=jejunet-nas )[^\n]*")  # all that a line names, in comments
    text = re.sub(
        r"^#[^\n]*",
        lambda line: commands.sub(lambda c: word.sub(new, c[0]), line[0]),
        text,
        flags=re.M,
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text_whole(file, text)
    try:
        same = read_study(file).model_copy(update={"name": old}) == read_study(named.file)
    except SettingError:
        same = False
    if not same:
        file.unlink()
        raise SettingError(
            f"{named.file} names files that lie beside it, so its copy in {STUDIES}/ would differ. "
            f"Copy {named.file} with them by hand, and change its name."
        )
    root = named.notes["given"].get("data.root")
    return file, f"jejunet-nas search {new}{f' --data-root {shlex.quote(root)}' if root else ''}"


def state_to_remove(study: str) -> tuple[Path, int]:
    """Return the folder of a study's state and its size in bytes. Raises `SettingError`.

    A study whose file is gone is named by its folder in studies/.
    """
    folder = Path(STUDIES) / study
    gone = Path(study).name == study and any(
        (folder / name).is_file() for name in (NOTED, "study.db")
    )
    try:
        folder = find_named(study).folder
    except SettingError:
        if not gone:
            raise
    if folder.is_symlink():
        raise SettingError(f"{folder} is a link. Remove it, and the folder that it names, by hand.")
    if not folder.is_dir():
        raise SettingError(f"{study} has no state: {folder} does not exist. Nothing to remove.")
    return folder, sum(f.lstat().st_size for f in folder.rglob("*") if not f.is_dir())


def remove_state(folder: Path) -> None:
    """Remove the folder of a study's state; links in it are removed, not followed.

    Raises `SettingError` while a search holds the study's lock.
    """
    with study_lock(folder, str(folder)):
        shutil.rmtree(folder)


def _row(name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"study": name, "from": "package", "problem": None}
    try:
        named = find_named(name)
        if named.file.parent.resolve() != shipped_folder(STUDIES).resolve():
            row["from"] = str(named.file)
        data = named.settings.data
        row |= {"dataset": data.dataset, "data_root": data.root, **_progress(named)}
    except JejunetError as error:
        row["problem"] = str(error)
    return row


def _progress(named: NamedStudy) -> dict[str, Any]:
    ledger = Ledger.find(named.settings, named.storage or storage_url(named.folder))
    wanted: dict[str, Any] = {"trials": named.settings.trials, "complete": None, "best_miou": None}
    if ledger is None:
        return wanted
    history = with_measured(ledger.history(), named.folder / NETWORKS)
    front = front_of(history)
    best = front[0].score.miou if front else None
    return {**wanted, "complete": len(history.drawn), "best_miou": best}
