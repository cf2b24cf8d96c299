"""Recognises the data set in a folder by its files, and takes its facts for a new study.

Only names and the headers of a few pictures are read.
"""

import dataclasses
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jejunet_nas.datasets.catalog import describe_split
from jejunet_nas.datasets.clip_files import picture_size
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.images.listing import folders_in

_VOC = ("", "VOC2012", "VOCdevkit/VOC2012")
# In this order: VOC also has the folders of DAVIS.
_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *(("voc2012", (f"{folder}/SegmentationClass".lstrip("/"),)) for folder in _VOC),
    ("davis", ("JPEGImages", "Annotations", "ImageSets")),
    ("youtube_vos", ("train/JPEGImages", "train/Annotations")),
    ("camvid", ("train.txt", "trainannot")),
    ("folder", ("images", "masks")),
)
_SAMPLE = 9  # pictures whose sizes are read


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What a study needs to know of a data set.

    root: absolute. options: of the data set, where its defaults do not read it. fps: of its clips,
    None for photos alone. aspect: the median width / height, 1.0 if pictures lie and stand.
    """

    dataset: str
    root: Path
    options: Mapping[str, Any]
    class_names: tuple[str, ...]
    clips: int
    photos: int
    fps: float | None
    aspect: float


def data_set_of(root: Path) -> str | None:
    """Return the name of the data set whose files lie in `root`, or None."""
    for dataset, signs in _SIGNS:
        if all((root / sign).exists() for sign in signs):
            return dataset
    return None


def find_data(folder: Path) -> list[tuple[str, Path]]:
    """Return the data sets in `folder` or directly below it, as name and root."""
    here = data_set_of(folder)
    if here is not None:
        return [(here, folder)]
    found = [(data_set_of(below), below) for below in folders_in(folder)]
    return [(dataset, below) for dataset, below in found if dataset is not None]


def read_facts(dataset: str, root: Path) -> DataFacts:
    """Return the facts of a data set on disk. Raises `SettingError` or `DataError`, as a search."""
    options = _options(dataset, root)
    train, val = (describe_split(dataset, split, root, options) for split in ("train", "val"))
    clips, photos = [*train.clips, *val.clips], [*train.photos, *val.photos]
    sample = [clip.frames[0] for clip in (*clips, *photos)]
    sizes = [picture_size(file) for file in sample[:: max(1, len(sample) // _SAMPLE)][:_SAMPLE]]
    aspects = [width / height for height, width in sizes]
    lie_and_stand = min(aspects) < 1 < max(aspects)
    return DataFacts(
        dataset=dataset,
        root=root.expanduser().absolute(),
        options=options,
        class_names=train.class_names,
        clips=len(clips),
        photos=len(photos),
        fps=statistics.median(clip.fps for clip in clips) if clips else None,
        aspect=1.0 if lie_and_stand else statistics.median(aspects),
    )


def _options(dataset: str, root: Path) -> dict[str, Any]:
    """Return the options with which a data set can be read: DAVIS may have only the 2017 lists."""
    if dataset != "davis":
        return {}
    try:
        describe_split(dataset, "train", root)
    except DataError:
        try:
            describe_split(dataset, "train", root, {"year": 2017})
        except SettingError:
            return {}  # the first error is the one to show
        return {"year": 2017}
    return {}
