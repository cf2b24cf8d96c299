"""Where a study's files lie: its YAML file, found by name or path, and the folder of its state."""

import os
from pathlib import Path

from jejunet_nas.errors import SettingError

STUDIES = "studies"  # the folder of YAML files, and of states


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
