"""YouTube-VOS 2018 and 2019 on disk: the official train archives, whose videos make both splits.

    ROOT/train/JPEGImages/VIDEO/00000.jpg              every fifth frame of a 30 fps video
    ROOT/train/Annotations/VIDEO/00000.png             palette PNG of object ids, 0 = background
    ROOT/train/meta.json                               the category of each object
    ROOT/train_all_frames/JPEGImages/VIDEO/00001.jpg   all frames, from an archive of their own

Val is a share of the train videos, by a hash of their names: of the official valid and test videos
only each object's first mask is published. A class index comes from the object's category, so an
object that enters late is known like any other.

Every fault stops the reader: a video of meta.json that is not on disk, or the other way round; a
mask without a frame; an object id that meta.json lacks (`classes: object` needs no categories). A
broken frame between two annotated ones may be deleted: it is then left out of its clip.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jejunet_nas.datasets.clip_files import ClipFiles, MaskCode, SplitFiles, Storage, mask_code
from jejunet_nas.datasets.layout import by_stem, missing, root_hint, subfolders
from jejunet_nas.datasets.options import (
    Split,
    check_at_most,
    check_share,
    check_whole,
    check_word,
)
from jejunet_nas.datasets.stable_split import mixed, names_of_split
from jejunet_nas.datasets.voc2012 import CLASS_NAMES as VOC_NAMES
from jejunet_nas.errors import DataError, SettingError, closest
from jejunet_nas.records import IGNORE

FPS, ANNOTATED_FPS = 30.0, 6.0
_WORDS = ("all", "object", "voc")
_MARKS = ("train/meta.json", "train/JPEGImages", "train/Annotations")

# The categories that VOC's guidelines for annotators count among a class, see
# http://host.robots.ox.ac.uk/pascal/VOC/voc2012/guidelines.html. Background are: trucks (not among
# cars there), lions, tigers and leopards (cats are "domestic cats"), foxes (dogs are "domestic
# dogs"), zebras, apes and monkeys, and all that VOC knows no class for.
_TO_VOC = {
    "airplane": "aeroplane",
    "bike": "bicycle",
    **dict.fromkeys(("bird", "duck", "eagle", "owl", "parrot", "penguin"), "bird"),
    "boat": "boat",
    "bus": "bus",
    "sedan": "car",
    "cat": "cat",
    "cow": "cow",
    "dog": "dog",
    "horse": "horse",
    "motorbike": "motorbike",
    "person": "person",
    "sheep": "sheep",
    "train": "train",
}
# May be the class (a hand is part of a person, a plant may stand in a pot) or not: not judged.
_NOT_JUDGED = ("hand", "plant", "others")

Categories = dict[str, dict[int, str]]  # of each video: of each object


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class YoutubeVosSettings:
    """Which videos and frames are taken, and what the objects count as.

    classes: `all` categories of meta.json, one class `object`, the classes of `voc`, or a list of
    categories, the others being background. all_frames: use train_all_frames; `auto`: if it is
    there. shorter_side_px: to which frames and masks are shrunk: all videos at 320 take 70 GB.
    """

    classes: str | Sequence[str] = "all"
    clips: int | None = None  # None: all
    val_share: float = 0.1
    all_frames: str | bool = "auto"
    shorter_side_px: int = 320

    def __post_init__(self) -> None:
        if isinstance(self.classes, str):
            check_word("classes", self.classes, _WORDS)
        elif not self.classes or not all(isinstance(name, str) for name in self.classes):
            raise SettingError(
                f"classes is {self.classes!r}; allowed: {', '.join(_WORDS)}, or a list of "
                "categories. Use all."
            )
        check_at_most("clips", self.clips, 10_000)
        check_share("val_share", self.val_share)
        check_word("all_frames", self.all_frames, ("auto", False, True))
        check_whole("shorter_side_px", self.shorter_side_px, 32, 1080)


def describe_split(split: Split, root: Path, settings: YoutubeVosSettings) -> SplitFiles:
    """Return the files of a split; raises `DataError`, naming the file that is not there."""
    for mark in _MARKS:
        if not (root / mark).exists():
            again = "Give --data-root the folder that holds train, unpacked from train.zip."
            raise missing(root / mark, "a part of train.zip", root_hint(root, _MARKS, again))
    categories = _read_meta(root / "train" / "meta.json")
    _check_same_videos(root, categories)
    frames_folder = _frames_folder(root, settings.all_frames)
    class_names, class_of = _classes(settings.classes, categories)
    names = mixed(names_of_split(categories, split, settings.val_share))[: settings.clips]
    return SplitFiles(
        dataset="youtube_vos",
        split=split,
        class_names=class_names,
        root=root,
        clips=tuple(
            _describe(root, frames_folder, name, _code(categories[name], class_of, name))
            for name in names
        ),
        storage=Storage(shorter_side_px=settings.shorter_side_px, shrink_masks=True),
    )


def _read_meta(file: Path) -> Categories:
    """Return the category of each object of each video."""
    try:
        content: Any = json.loads(file.read_bytes())
        categories = {
            video: {
                int(number): str(entry["category"]) for number, entry in kept["objects"].items()
            }
            for video, kept in content["videos"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"{file} cannot be read ({reason}); expected: videos, each with objects, each with a "
            "category. Unpack train.zip again."
        ) from error
    if not categories:
        raise DataError(f"{file} names no video; expected: one or more. Unpack train.zip again.")
    return categories


def _check_same_videos(root: Path, categories: Categories) -> None:
    meta, train = root / "train" / "meta.json", root / "train"
    for part in ("JPEGImages", "Annotations"):
        there = {folder.name for folder in subfolders(train / part)}
        for video in sorted(categories.keys() - there):
            raise missing(
                train / part / video,
                f"a video that {meta} names",
                "Unpack train.zip again, or take the video out of meta.json.",
            )
        for video in sorted(there - categories.keys()):
            raise DataError(
                f"{meta} lacks the video {video}; expected: every folder of {train / part}. "
                "Unpack train.zip again, or remove the folder."
            )


def _frames_folder(root: Path, all_frames: str | bool) -> Path:
    """Return the folder whose videos hold the frames."""
    folder = root / "train_all_frames" / "JPEGImages"
    if all_frames is False or (all_frames == "auto" and not folder.is_dir()):
        return root / "train" / "JPEGImages"
    if not folder.is_dir():
        fix = "Unpack train_all_frames.zip there, or set all_frames to auto."
        raise missing(folder, "the frames between the annotated ones", fix)
    return folder


def _classes(
    wanted: str | Sequence[str], categories: Categories
) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """Return the names of the classes, and the class index of each category."""
    found = sorted({name for objects in categories.values() for name in objects.values()})
    if wanted == "object":
        return ("background", "object"), dict.fromkeys(found, 1)
    if wanted == "voc":
        class_of = {name: VOC_NAMES.index(_TO_VOC.get(name, "background")) for name in found}
        return VOC_NAMES, {**class_of, **dict.fromkeys(_NOT_JUDGED, IGNORE)}
    names = found if isinstance(wanted, str) else list(wanted)
    for name in names:
        if name not in found:
            raise SettingError(
                f"classes names {name}; allowed: categories of meta.json: {', '.join(found)}."
                f"{closest(name, found)}"
            )
    class_of = {name: names.index(name) + 1 if name in names else 0 for name in found}
    return ("background", *names), class_of


def _code(objects: Mapping[int, str], class_of: Mapping[str, int], video: str) -> MaskCode:
    return mask_code(
        {0: 0, **{number: class_of[category] for number, category in objects.items()}},
        fix=f"Give that object of {video} a category in meta.json, or unpack train.zip again.",
    )


def _describe(root: Path, frames_folder: Path, name: str, code: MaskCode) -> ClipFiles:
    frames = by_stem(frames_folder / name, [".jpg"])
    masks = by_stem(root / "train" / "Annotations" / name, [".png"])
    archive = f"{frames_folder.parent.name}.zip"
    for stem in masks:
        if stem not in frames:
            path = frames_folder / name / f"{stem}.jpg"
            raise missing(path, f"the frame of {masks[stem]}", f"Unpack {archive} again.")
    annotated = frames_folder.parent.name == "train"
    for stem in frames if annotated or not masks else ():
        if stem not in masks:
            path = root / "train" / "Annotations" / name / f"{stem}.png"
            raise missing(path, f"the mask of {frames[stem]}", "Unpack train.zip again.")
    if not frames:
        raise missing(frames_folder / name, "the frames of a video", f"Unpack {archive} again.")
    return ClipFiles(
        name=name,
        frames=tuple(frames.values()),
        masks=tuple(masks.get(stem) for stem in frames),
        mask_code=code,
        fps=ANNOTATED_FPS if annotated else FPS,
    )
