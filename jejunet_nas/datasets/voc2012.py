"""PASCAL VOC 2012, its 21 classes; each photo becomes a short clip.

    ROOT/JPEGImages/2007_000033.jpg               ROOT holds VOCdevkit/VOC2012, or is one of the two
    ROOT/SegmentationClass/2007_000033.png        palette PNG of class indices, 255 = void
    ROOT/ImageSets/Segmentation/{train,val}.txt   a photo's name on each line

With `augmented`, train is the 10582 photos that SBD annotates, in any of their usual layouts:

    ROOT/SegmentationClassAug/2007_000032.png     grey or palette PNG of class indices
    ROOT/ImageSets/Segmentation/train_aug.txt     or trainaug.txt: a name on each line
    ROOT/ImageSets/SegmentationAug/train_aug.txt  paths of photo and mask on each line
    ROOT/ImageSets/Segmentation/aug.txt           names that are added to those of train.txt
"""

import dataclasses
from pathlib import Path

from jejunet_nas.datasets import layout, lists
from jejunet_nas.datasets.camera import PhotoSettings
from jejunet_nas.datasets.clip_files import SplitFiles, mask_code, photo_files
from jejunet_nas.datasets.options import Split
from jejunet_nas.errors import check_choice
from jejunet_nas.records import IGNORE

CLASS_NAMES = (
    "background",
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
_CODE = mask_code({IGNORE: IGNORE, **{index: index for index in range(len(CLASS_NAMES))}})
_PARTS = ("JPEGImages", "SegmentationClass", "ImageSets")
_WHOLE_LISTS = (
    "Segmentation/train_aug.txt",
    "SegmentationAug/train_aug.txt",
    "Segmentation/trainaug.txt",
)
_ADDED_LIST = "Segmentation/aug.txt"
_AGAIN = "Unpack the archive again."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Voc2012Settings(PhotoSettings):
    """augmented: train on SBD's masks too."""

    augmented: bool = False

    def __post_init__(self) -> None:
        PhotoSettings.__post_init__(self)
        check_choice("augmented", self.augmented, (False, True))


def describe_split(split: Split, root: Path, settings: Voc2012Settings) -> SplitFiles:
    """Return the files of a VOC split. Raises `DataError`, naming the missing file."""
    folder = _devkit(root)
    if settings.augmented and split == "train":
        masks = _augmented(folder)
    else:
        masks = _masks(folder, f"Segmentation/{split}.txt", "SegmentationClass")
    if split == "train" and (val := folder / "ImageSets" / "Segmentation" / "val.txt").is_file():
        train = val.with_name("trainaug.txt" if settings.augmented else "train.txt")
        lists.check_apart(masks, train, [name for name, _ in _listed(val)], val.name)
    frames = layout.by_stem(folder / "JPEGImages")
    names = layout.mixed(masks)[: settings.photos]
    layout.raise_any(
        layout.missing(folder / f"JPEGImages/{name}.jpg", "a photo that ImageSets names", _AGAIN)
        for name in names
        if name not in frames
    )
    return SplitFiles(
        dataset="voc2012",
        split=split,
        class_names=CLASS_NAMES,
        root=folder,
        photos=tuple(photo_files(frames[name], masks[name], _CODE) for name in names),
        motion=settings.motion,
    )


def _devkit(root: Path) -> Path:
    folders = (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012")
    folder = next((f for f in folders if any((f / part).is_dir() for part in _PARTS)), root)
    archive = "VOCtrainval_11-May-2012.tar"
    fix = f"Unpack {archive} again, and give --data-root the folder that it was unpacked into."
    layout.check_parts(folder, _PARTS, fix)
    return folder


def _masks(folder: Path, list_name: str, *mask_folders: str) -> dict[str, Path]:
    """Return the mask of each name of a list, from the first of `mask_folders` that has it."""
    list_file = folder / "ImageSets" / list_name
    found = [layout.masks_in(folder / name) for name in mask_folders]
    masks = {}
    for name, line in _listed(list_file):
        mask = next((files[name] for files in found if name in files), None)
        if mask is None:
            path = folder / mask_folders[0] / f"{name}.png"
            raise layout.missing(path, f"the mask of a photo that {line.place} names", _AGAIN)
        masks[name] = mask
    return masks


def _listed(list_file: Path) -> list[tuple[str, lists.Line]]:
    """Return the name of a photo on each line, which may be a path, with or without a suffix."""
    lines = lists.read_list(list_file, "a photo's name", _AGAIN)
    return [(lists.stem_of(line.words[0]), line) for line in lines]


def _augmented(folder: Path) -> dict[str, Path]:
    sets, both = folder / "ImageSets", ("SegmentationClassAug", "SegmentationClass")
    for name in _WHOLE_LISTS:
        if (sets / name).is_file():
            first = lists.read_list(sets / name, "a photo's name, or photo and mask", _AGAIN)[0]
            if len(first.words) == 1:
                return _masks(folder, name, *both)
            pairs = lists.listed_pairs(sets / name, folder)
            return {stem: mask for stem, (_, mask) in pairs.items()}
    if (sets / _ADDED_LIST).is_file():
        added = _masks(folder, _ADDED_LIST, both[0])
        return {**added, **_masks(folder, "Segmentation/train.txt", both[1])}
    raise layout.missing(
        sets / _WHOLE_LISTS[0],
        f"the list of the augmented split, or {', '.join((*_WHOLE_LISTS[1:], _ADDED_LIST))} in "
        "ImageSets",
        "Add the list that came with SegmentationClassAug, or set augmented to false.",
    )
