"""The data sets by name: a study names one, and gets the clips of a split.

Two kinds: embedded ones are generated from their settings alone; those on disk are described by
their reader, then decoded once by `cache`. A new data set is one line of `_DATA_SETS`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from jejunet_nas.datasets import camvid, davis, folder, voc2012, youtube_vos
from jejunet_nas.datasets.cache import open_clips
from jejunet_nas.datasets.clip_files import SplitFiles
from jejunet_nas.datasets.options import Progress, Split, settings_from
from jejunet_nas.datasets.procedural import ProceduralSettings, generate_split
from jejunet_nas.errors import SettingError, closest
from jejunet_nas.records import DataSplit


@dataclasses.dataclass(frozen=True, slots=True)
class _Embedded:
    settings: type
    generate: Callable[[Split, Any, Progress | None], DataSplit]


@dataclasses.dataclass(frozen=True, slots=True)
class _OnDisk:
    settings: type
    describe: Callable[[Split, Path, Any], SplitFiles]


_DATA_SETS: dict[str, _Embedded | _OnDisk] = {
    "procedural": _Embedded(ProceduralSettings, generate_split),
    "davis": _OnDisk(davis.DavisSettings, davis.describe_split),
    "voc2012": _OnDisk(voc2012.Voc2012Settings, voc2012.describe_split),
    "youtube_vos": _OnDisk(youtube_vos.YoutubeVosSettings, youtube_vos.describe_split),
    "camvid": _OnDisk(camvid.CamvidSettings, camvid.describe_split),
    "folder": _OnDisk(folder.FolderSettings, folder.describe_split),
}
DATA_SET_NAMES = tuple(_DATA_SETS)
ON_DISK = tuple(name for name, kind in _DATA_SETS.items() if isinstance(kind, _OnDisk))


def open_split(
    dataset: str,
    split: Split,
    *,
    root: Path | None,
    cache_dir: Path | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> DataSplit:
    """Return the clips of one split of the data set named `dataset`.

    `root` is the folder that a data set on disk lies in; an embedded one has no use for it.
    `options` fills the data set's settings. `progress` is told what is being done, how many are
    done, and of how many. Raises `SettingError` for a name, split or option that does not exist,
    `DataError` for files that are not what the layout promises.
    """
    _check_known("dataset", dataset, DATA_SET_NAMES)
    _check_known("split", split, get_args(Split))
    kind = _DATA_SETS[dataset]
    settings: Any = settings_from(kind.settings, dataset, options)
    if isinstance(kind, _Embedded):
        return kind.generate(split, settings, progress)
    if root is None:
        raise SettingError(
            f"The data set {dataset} lies on disk, and no folder is given; allowed: its root "
            "folder. Add --data-root DIR, or use the dataset procedural, which needs no files."
        )
    files = describe_split(dataset, split, root, options)
    return open_clips(files, cache_dir=cache_dir, progress=progress)


def describe_split(
    dataset: str, split: Split, root: Path, options: Mapping[str, Any] | None = None
) -> SplitFiles:
    """Return the files of one split of a data set that lies on disk; no picture is opened.

    Raises as `open_split` does.
    """
    kind = _DATA_SETS.get(dataset)
    if not isinstance(kind, _OnDisk):
        drawn = ", which is drawn from its settings and has no files" if kind else ""
        raise SettingError(
            f"DATASET is {dataset}{drawn}; allowed: {', '.join(ON_DISK)}."
            f"{closest(dataset, ON_DISK) or ' Name one of these.'}"
        )
    settings: Any = settings_from(kind.settings, dataset, options)
    return kind.describe(split, root.expanduser().absolute(), settings)


def _check_known(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingError(
            f"{name} is {value}; allowed: {', '.join(allowed)}.{closest(value, allowed)}"
        )
