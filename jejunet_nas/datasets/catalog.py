"""The data sets by name: a study names one, and gets the clips of a split.

The procedural set is generated from its settings. The others are on disk: a reader describes their
files, and `cache` decodes them once. A new data set is one line of `_READERS`.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.datasets import camvid, davis, folder, layout, voc2012, youtube_vos
from jejunet_nas.datasets.cache import open_clips
from jejunet_nas.datasets.clip_files import SplitFiles
from jejunet_nas.datasets.learnable import check_learnable, labels_of, lost_labels
from jejunet_nas.datasets.options import SEARCHED, Split, settings_from
from jejunet_nas.datasets.procedural import ProceduralSettings, generate_split
from jejunet_nas.datasets.scene import CLASS_NAMES
from jejunet_nas.errors import SettingError, check_choice, closest
from jejunet_nas.progress import Tell
from jejunet_nas.records import DataSplit

_READERS: dict[str, tuple[type, Callable[[Split, Path, Any], SplitFiles]]] = {
    "davis": (davis.DavisSettings, davis.describe_split),
    "voc2012": (voc2012.Voc2012Settings, voc2012.describe_split),
    "youtube_vos": (youtube_vos.YoutubeVosSettings, youtube_vos.describe_split),
    "camvid": (camvid.CamvidSettings, camvid.describe_split),
    "folder": (folder.FolderSettings, folder.describe_split),
}
# Names that are the same for every root and option; the reader tells the others.
_CLASS_NAMES: dict[str, tuple[str, ...] | Callable[[Path | None, Any], tuple[str, ...] | None]] = {
    "procedural": CLASS_NAMES,
    "davis": davis.CLASS_NAMES,
    "voc2012": voc2012.CLASS_NAMES,
    "youtube_vos": youtube_vos.class_names,
    "camvid": camvid.CLASS_NAMES,
    "folder": folder.class_names,
}
_WITH_TEST = ("camvid", "folder")  # of the others, no masks of a test split are published
ON_DISK = tuple(_READERS)
DATA_SET_NAMES = ("procedural", *ON_DISK)


def open_split(
    dataset: str,
    split: Split,
    *,
    root: Path | None,
    cache_dir: Path | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Tell | None = None,
) -> DataSplit:
    """Return the clips of one split of the data set named `dataset`.

    root: the folder of a data set on disk; the procedural set ignores it. options: the fields of
    the data set's settings. Raises `SettingError` for an unknown name, split or option, `DataError`
    for files that do not match the layout, or whose masks hold fewer than two classes.
    """
    check_choice("dataset", dataset, DATA_SET_NAMES)
    _check_split(dataset, split)
    if dataset == "procedural":
        settings = settings_from(ProceduralSettings, dataset, options)
        return generate_split(split, settings, progress)
    files = describe_split(dataset, split, require_root(dataset, root), options)
    opened = open_clips(files, cache_dir=cache_dir, progress=progress)
    if labels := labels_of(opened):
        check_learnable(labels, files)
    held = [{*(clip.pixels or ())} for clip in opened.clips]
    return dataclasses.replace(opened, notes=(*lost_labels(files, held), *opened.notes))


def _check_split(dataset: str, split: Split) -> None:
    """Raise `SettingError` unless the data set can have that split."""
    allowed = (*SEARCHED, "test") if dataset in _WITH_TEST else SEARCHED
    check_choice(f"split of {dataset}", split, allowed)


def require_root(dataset: str, root: Path | None) -> Path:
    """Return the folder of a data set on disk. Raises `SettingError` if none is given."""
    if root is None:
        raise SettingError(
            f"The folder with the files of the data set {dataset} is not known. Add --data-root "
            "DIR."
        )
    return root


def class_names(
    dataset: str, root: Path | None, options: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Return the names of the classes, without opening a picture; most need no root.

    Raises as `open_split` does.
    """
    check_choice("dataset", dataset, DATA_SET_NAMES)
    names = _CLASS_NAMES[dataset]
    if isinstance(names, tuple):
        return names
    settings: Any = settings_from(_READERS[dataset][0], dataset, options)
    return names(root, settings) or names(require_root(dataset, root), settings) or ()


def describe_splits(
    dataset: str, root: Path, options: Mapping[str, Any] | None = None
) -> tuple[SplitFiles, ...]:
    """Return the files of train and val, which a search needs.

    Raises as `describe_split`, with the faults of both.
    """
    return layout.all_of(
        functools.partial(describe_split, dataset, split, root, options) for split in SEARCHED
    )


def describe_split(
    dataset: str, split: Split, root: Path, options: Mapping[str, Any] | None = None
) -> SplitFiles:
    """Return the files of one split of a data set on disk, without opening a picture.

    Raises as `open_split` does.
    """
    if dataset not in _READERS:
        no_files = ", which is generated and has no files" if dataset in DATA_SET_NAMES else ""
        raise SettingError(
            f"DATASET is {dataset}{no_files}; allowed: {', '.join(ON_DISK)}."
            f"{closest(dataset, ON_DISK)}"
        )
    _check_split(dataset, split)
    kind, describe = _READERS[dataset]
    settings: Any = settings_from(kind, dataset, options)
    return describe(split, root.expanduser().absolute(), settings)
