"""PASCAL VOC 2012 on disk, its 21 classes; each photo becomes a short clip.

    ROOT/JPEGImages/2007_000033.jpg               ROOT holds VOCdevkit/VOC2012, or is one of the two
    ROOT/SegmentationClass/2007_000033.png        palette PNG of class indices, 255 = void
    ROOT/ImageSets/Segmentation/{train,val}.txt   a photo's name a line

With `augmented`, train is the 10582 photos that SBD annotates, in any of their usual layouts:

    ROOT/SegmentationClassAug/2007_000032.png     grey or palette PNG of class indices
    ROOT/ImageSets/Segmentation/train_aug.txt     or trainaug.txt: names a line
    ROOT/ImageSets/SegmentationAug/train_aug.txt  paths of photo and mask a line
    ROOT/ImageSets/Segmentation/aug.txt           names that come on top of train.txt

A photo without a mask, or a name without a photo, stops the reader.
"""

import dataclasses
from pathlib import Path

from jejunet_nas.datasets.camera import Motion
from jejunet_nas.datasets.clip_files import PhotoFiles, SplitFiles, mask_code
from jejunet_nas.datasets.layout import by_stem, missing, read_list, root_hint
from jejunet_nas.datasets.options import Split, check_at_most, check_word
from jejunet_nas.datasets.stable_split import mixed
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE

CLASS_NAMES = (
    "background",
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
_CODE = mask_code({IGNORE: IGNORE, **{index: index for index in range(len(CLASS_NAMES))}})
_WHOLE_LISTS = (
    "Segmentation/train_aug.txt",
    "SegmentationAug/train_aug.txt",
    "Segmentation/trainaug.txt",
)
_ADDED_LIST = "Segmentation/aug.txt"
_AGAIN = "Unpack the archive again: it holds the file."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Voc2012Settings:
    """How photos become clips (see `camera`), and how many of them are taken, spread over all."""

    frames: int = Motion().frames
    photos: int | None = None  # None: all
    augmented: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        Motion(frames=self.frames, seed=self.seed)
        check_at_most("photos", self.photos, 100_000)
        check_word("augmented", self.augmented, (False, True))


def describe_split(split: Split, root: Path, settings: Voc2012Settings) -> SplitFiles:
    """Return the files of a split; raises `DataError`, naming the file that is not there."""
    folder = _devkit(root)
    if settings.augmented and split == "train":
        masks = _augmented(folder)
    else:
        list_file = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        masks = _masks(folder, _names(list_file), list_file, ("SegmentationClass",))
    frames = by_stem(folder / "JPEGImages", [".jpg"])
    names = mixed(masks)[: settings.photos]
    for name in names:
        if name not in frames:
            path = folder / "JPEGImages" / f"{name}.jpg"
            raise missing(path, "a photo that ImageSets names", _AGAIN)
    return SplitFiles(
        dataset="voc2012",
        split=split,
        class_names=CLASS_NAMES,
        root=folder,
        photos=tuple(PhotoFiles(name=n, frame=frames[n], mask=masks[n]) for n in names),
        photo_code=_CODE,
        motion=Motion(frames=settings.frames, seed=settings.seed),
    )


def _devkit(root: Path) -> Path:
    """Return the folder of VOC2012 itself."""
    parts = ("JPEGImages", "SegmentationClass", "ImageSets")
    for folder in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        absent = [part for part in parts if not (folder / part).is_dir()]
        if not absent:
            return folder
        if len(absent) < len(parts):
            raise missing(
                folder / absent[0],
                "a folder of VOC2012, beside " + " and ".join(p for p in parts if p not in absent),
                "Unpack VOCtrainval_11-May-2012.tar again.",
            )
    raise missing(
        root / "VOCdevkit" / "VOC2012",
        "VOC2012 with " + ", ".join(parts),
        root_hint(
            root,
            parts,
            "Give --data-root the folder into which VOCtrainval_11-May-2012.tar was unpacked.",
        ),
    )


def _names(list_file: Path) -> list[str]:
    lines = read_list(list_file, "a photo's name", _AGAIN)
    return [Path(words[0]).stem if "/" in words[0] else words[0] for words in lines]


def _masks(
    folder: Path, names: list[str], list_file: Path, mask_folders: tuple[str, ...]
) -> dict[str, Path]:
    """Return the mask of each name, from the first of `mask_folders` that has it."""
    there = [by_stem(folder / name, [".png"]) for name in mask_folders]
    masks = {}
    for name in names:
        found = next((files[name] for files in there if name in files), None)
        if found is None:
            path = folder / mask_folders[0] / f"{name}.png"
            raise missing(path, f"the mask of a photo that {list_file} names", _AGAIN)
        masks[name] = found
    return masks


def _augmented(folder: Path) -> dict[str, Path]:
    """Return the masks of the augmented train split by name."""
    sets, both = folder / "ImageSets", ("SegmentationClassAug", "SegmentationClass")
    for list_name in _WHOLE_LISTS:
        list_file = sets / list_name
        if not list_file.is_file():
            continue
        lines = read_list(list_file, "a photo's name, or photo and mask", _AGAIN)
        if len(lines[0]) == 1:
            return _masks(folder, _names(list_file), list_file, both)
        return _listed(folder, lines, list_file)
    added = sets / _ADDED_LIST
    if added.is_file():
        train = sets / "Segmentation" / "train.txt"
        masks = _masks(folder, _names(added), added, both[:1])
        return {**masks, **_masks(folder, _names(train), train, both[1:])}
    raise missing(
        sets / _WHOLE_LISTS[0],
        f"the list of the augmented split, there or at {', '.join(_WHOLE_LISTS[1:])} or "
        f"{_ADDED_LIST} below ImageSets",
        "Add the list that came with SegmentationClassAug, or set augmented to false.",
    )


def _listed(folder: Path, lines: list[list[str]], list_file: Path) -> dict[str, Path]:
    """Return the masks by name where each line holds the paths of photo and mask."""
    masks: dict[str, Path] = {}
    there: dict[str, dict[str, Path]] = {}
    for number, words in enumerate(lines, 1):
        if len(words) != 2:
            raise DataError(
                f"{list_file} line {number} is {' '.join(words)!r}; expected: the paths of a photo "
                "and its mask. Mend that line, or copy the file again."
            )
        photo, mask = (Path(word) for word in words)
        folder_name = mask.parent.name
        if folder_name not in there:
            there[folder_name] = by_stem(folder / folder_name, [".png"])
        if mask.stem not in there[folder_name]:
            path = folder / folder_name / mask.name
            raise missing(path, f"the mask that line {number} of {list_file} names", _AGAIN)
        masks[photo.stem] = there[folder_name][mask.stem]
    return masks
