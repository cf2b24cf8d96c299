"""YouTube-VOS 2018 and 2019: the official train archives, whose videos make both splits.

    ROOT/train/JPEGImages/VIDEO/00000.jpg              every fifth frame of a 30 fps video
    ROOT/train/Annotations/VIDEO/00000.png             palette PNG of object ids, 0 = background
    ROOT/train/meta.json                               the category of each object
    ROOT/train_all_frames/JPEGImages/VIDEO/00001.jpg   all frames, from a separate archive

Val is a share of the train videos, by a hash of their names: of the official valid and test videos
only each object's first mask is published. A pixel's class comes from its object's category, so
objects that appear late count too.

The reader stops at a video that is only in meta.json or only on disk, a mask without a frame, or an
object id that meta.json lacks. A broken frame between two annotated ones may be deleted.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from jejunet_nas.datasets import layout
from jejunet_nas.datasets.clip_files import ClipFiles, SplitFiles, Storage, mask_code
from jejunet_nas.datasets.options import Split, check_at_most, check_share, check_whole
from jejunet_nas.datasets.voc2012 import CLASS_NAMES as VOC_NAMES
from jejunet_nas.documents.bounds import shortened
from jejunet_nas.documents.json_file import read_json
from jejunet_nas.errors import DataError, SettingError, check_choice, closest
from jejunet_nas.records import IGNORE

FPS, ANNOTATED_FPS = 30.0, 6.0
_CHOICES = ("all", "object", "voc")
_PARTS = ("train/meta.json", "train/JPEGImages", "train/Annotations")

# The categories that VOC's guidelines for annotators include in a class, see
# http://host.robots.ox.ac.uk/pascal/VOC/voc2012/guidelines.html. Others are background, such as
# trucks (no cars there), and lions and foxes (cats and dogs are "domestic").
_TO_VOC = {
    **{name: name for name in VOC_NAMES},
    **{"airplane": "aeroplane", "bike": "bicycle", "sedan": "car"},
    **dict.fromkeys(("duck", "eagle", "owl", "parrot", "penguin"), "bird"),
}
# May belong to a class (a hand to a person, a plant to a pot) or not: ignored.
_IGNORED = ("hand", "plant", "others")

_LONGEST_NAME = 240  # bytes: disks take 255
Categories = dict[str, dict[int, str]]  # of each video: of each object


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class YoutubeVosSettings:
    """Which videos and frames are used, and the classes of the objects.

    classes: `all` categories of meta.json, one class `object`, the classes of `voc`, or a list of
    categories, where the others are background. all_frames: use train_all_frames; `auto`: if it
    exists. shorter_side_px: of stored frames and masks; at 320, all videos take 70 GB.
    """

    classes: str | Sequence[str] = "all"
    clips: int | None = None  # None: all
    val_share: float = 0.1
    all_frames: str | bool = "auto"
    shorter_side_px: int = 320

    def __post_init__(self) -> None:
        if isinstance(self.classes, str):
            check_choice("classes", self.classes, _CHOICES)
        elif not self.classes or not all(isinstance(name, str) for name in self.classes):
            raise SettingError(
                f"classes is {self.classes!r}; allowed: {', '.join(_CHOICES)}, or a list of "
                "categories. Use all."
            )
        check_at_most("clips", self.clips, 10_000)
        check_share("val_share", self.val_share)
        check_choice("all_frames", self.all_frames, ("auto", False, True))
        check_whole("shorter_side_px", self.shorter_side_px, 32, 1080)


def class_names(root: Path | None, settings: YoutubeVosSettings) -> tuple[str, ...] | None:
    """Return the names of the classes, None if only meta.json has them and there is no root.

    Raises `SettingError` or `DataError`.
    """
    if not isinstance(settings.classes, str):
        return ("background", *settings.classes)
    if root is None:
        return None if settings.classes == "all" else _classes(settings.classes, {})[0]
    categories = _read_meta(root.expanduser() / "train" / "meta.json")
    return _classes(settings.classes, categories)[0]


def describe_split(split: Split, root: Path, settings: YoutubeVosSettings) -> SplitFiles:
    """Return the files of a split. Raises `DataError`, naming the missing file."""
    fix = "Give --data-root the folder that holds train, from train.zip."
    layout.check_parts(root, _PARTS, fix)
    categories = _read_meta(root / "train" / "meta.json")
    _check_same_videos(root / "train", categories)
    frames_folder = _frames_folder(root, settings.all_frames)
    class_names, class_of = _classes(settings.classes, categories)
    names = layout.mixed(layout.names_of_split(categories, split, settings.val_share))[
        : settings.clips
    ]
    return SplitFiles(
        dataset="youtube_vos",
        split=split,
        class_names=class_names,
        root=root,
        clips=layout.all_of(
            functools.partial(_describe, root, frames_folder, name, categories[name], class_of)
            for name in names
        ),
        storage=Storage(shorter_side_px=settings.shorter_side_px, shrink_masks=True),
    )


def _read_meta(file: Path) -> Categories:
    try:
        content = read_json(file)
        categories = {
            _name(video): {
                int(number): _name(each["category"]) for number, each in entry["objects"].items()
            }
            for video, entry in content["videos"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else shortened(str(error), 200)
        raise DataError(
            f"{file} cannot be read ({reason}); expected: videos, each with objects, each with a "
            "category. Unpack train.zip again."
        ) from error
    if len(categories) < 2:
        named = f"only the video {next(iter(categories))}" if categories else "no video"
        raise DataError(
            f"{file} names {named}; expected: at least two videos, one for each split. "
            "Unpack train.zip again."
        )
    return categories


def _name(value: object) -> str:
    """Return `value` if a folder can have it as its name. Raises ValueError."""
    plain = isinstance(value, str) and value.isprintable() and not value.startswith(".")
    if not plain or "/" in str(value) or not 0 < len(str(value).encode()) <= _LONGEST_NAME:
        raise ValueError(f"{shortened(repr(value))} is no name of a video or category")
    return str(value)


def _check_same_videos(train: Path, categories: Categories) -> None:
    meta = train / "meta.json"
    for part in ("JPEGImages", "Annotations"):
        found = layout.folders_by_name(train / part).keys()
        for video in sorted(categories.keys() - found):
            fix = "Unpack train.zip again, or remove the video from meta.json."
            raise layout.missing(train / part / video, f"a video that {meta} names", fix)
        for video in sorted(found - categories.keys()):
            raise DataError(
                f"{meta} lacks the video {video}; expected: every folder of {train / part}. "
                "Unpack train.zip again, or remove the folder."
            )


def _frames_folder(root: Path, all_frames: str | bool) -> Path:
    folder = root / "train_all_frames" / "JPEGImages"
    if all_frames is False or (all_frames == "auto" and not folder.is_dir()):
        return root / "train" / "JPEGImages"
    if not folder.is_dir():
        fix = "Unpack train_all_frames.zip there, or set all_frames to auto."
        raise layout.missing(folder, "the frames between the annotated ones", fix)
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
        return VOC_NAMES, {**class_of, **dict.fromkeys(_IGNORED, IGNORE)}
    names = found if isinstance(wanted, str) else list(wanted)
    for name in names:
        if name not in found:
            raise SettingError(
                f"classes names {name}; allowed: categories of meta.json: {', '.join(found)}."
                f"{closest(name, found)}"
            )
    class_of = {name: names.index(name) + 1 if name in names else 0 for name in found}
    return ("background", *names), class_of


def _describe(
    root: Path,
    frames_folder: Path,
    name: str,
    objects: Mapping[int, str],
    class_of: Mapping[str, int],
) -> ClipFiles:
    mask_folder = root / "train" / "Annotations" / name
    frames, masks = layout.by_stem(frames_folder / name), layout.masks_in(mask_folder)
    again = f"Unpack {frames_folder.parent.name}.zip again."
    layout.check_partners(masks, frames, frames_folder / name, ".jpg", again)
    annotated = frames_folder.parent.name == "train"
    if annotated or not masks:
        layout.check_partners(frames, masks, mask_folder, ".png", "Unpack train.zip again.")
    if not frames:
        raise layout.missing(frames_folder / name, "the frames of a video", again)
    return ClipFiles(
        name=name,
        frames=tuple(frames.values()),
        masks=tuple(masks.get(stem) for stem in frames),
        mask_code=mask_code(
            {0: 0, **{number: class_of[category] for number, category in objects.items()}},
            fix=f"Give that object of {name} a category in meta.json, or unpack train.zip again.",
        ),
        fps=ANNOTATED_FPS if annotated else FPS,
    )
