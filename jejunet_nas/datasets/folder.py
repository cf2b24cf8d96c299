"""A folder of one's own pictures and masks; no other data set is needed.

    ROOT/images/CLIP/00000.jpg    a folder is a clip, its frames in the order of their names
    ROOT/images/PHOTO.jpg         a loose picture becomes a short clip (see `camera`)
    ROOT/masks/CLIP/00000.png     the same names; palette or grey PNG of values
    ROOT/masks/PHOTO.png
    ROOT/classes.yaml             a list of names: value 0 is the first, and so on; 255 is ignored.
                                  Or each name with its value or values: {road: 0, car: [1, 7]},
                                  `ignore` being the name of those that do not count
    ROOT/{train,val}.txt          which clips and photos are whose; or images/{train,val}/... and
                                  masks/{train,val}/...; else a hash of each name decides

A frame of a clip without a mask is not annotated. A clip without any mask, or a photo without one,
stops the reader: nothing can be learnt from it.
"""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from jejunet_nas.datasets.camera import Motion
from jejunet_nas.datasets.clip_files import (
    NO_CLASS,
    ClipFiles,
    MaskCode,
    PhotoFiles,
    SplitFiles,
    mask_code,
)
from jejunet_nas.datasets.layout import (
    PHOTO_SUFFIXES,
    by_stem,
    missing,
    read_list,
    root_hint,
    subfolders,
)
from jejunet_nas.datasets.options import Split, check_at_most, check_share, check_whole
from jejunet_nas.datasets.stable_split import mixed, names_of_split
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE

_MARKS = ("images", "masks", "classes.yaml")
_FIX_VALUE = "Give the value a name in classes.yaml, or ignore it there, or mend the mask."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings:
    """How photos become clips, at what rate clips were filmed, and how much falls to val."""

    frames: int = Motion().frames
    photos: int | None = None  # None: all
    fps: int = 24
    val_share: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        Motion(frames=self.frames, seed=self.seed)
        check_at_most("photos", self.photos, 100_000)
        check_whole("fps", self.fps, 1, 1000)
        check_share("val_share", self.val_share)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Where the images and the masks of a split lie, and what there is."""

    images: Path
    masks: Path
    clips: dict[str, Path]
    photos: dict[str, Path]

    @classmethod
    def of(cls, images: Path, masks: Path) -> "_Pair":
        clips = {folder.name: folder for folder in subfolders(images)}
        photos = by_stem(images, PHOTO_SUFFIXES)
        for name in sorted(clips.keys() & photos.keys()):
            raise DataError(
                f"{photos[name]} has the name of the folder {clips[name]}; expected: one clip or "
                "photo of that name. Rename one of them, and its masks."
            )
        return cls(images=images, masks=masks, clips=clips, photos=photos)

    def find(self, listed: str) -> str:
        """Return the name that a list's line means: a photo may be listed with its suffix."""
        stem = listed.rpartition(".")[0]
        return stem if listed not in self.clips and stem in self.photos else listed


def describe_split(split: Split, root: Path, settings: FolderSettings) -> SplitFiles:
    """Return the files of a split; raises `DataError`, naming the file that is not there."""
    for mark in _MARKS:
        if not (root / mark).exists():
            whole = "Give --data-root the folder that holds images, masks and classes.yaml."
            fix = root_hint(root, _MARKS, whole)
            raise missing(root / mark, "images, masks and classes.yaml in one folder", fix)
    class_names, code = _read_classes(root / "classes.yaml")
    pair, names = _split(root, split, settings.val_share)
    photos = mixed(name for name in names if name in pair.photos)[: settings.photos]
    return SplitFiles(
        dataset="folder",
        split=split,
        class_names=class_names,
        root=root,
        clips=tuple(_clip(pair, name, code, settings.fps) for name in names if name in pair.clips),
        photos=tuple(_photo(pair, name) for name in photos),
        photo_code=code,
        motion=Motion(frames=settings.frames, seed=settings.seed),
    )


def _split(root: Path, split: Split, val_share: float) -> tuple[_Pair, list[str]]:
    """Return where the files of `split` lie, and the names of its clips and photos."""
    lists = {name: root / f"{name}.txt" for name in ("train", "val")}
    if any(file.is_file() for file in lists.values()):
        pair = _Pair.of(root / "images", root / "masks")
        fix = "Write it: a name a line; or remove the other list to split by a hash."
        lines = read_list(lists[split], "a clip's or photo's name", fix)
        names = [pair.find(" ".join(words)) for words in lines]
        for name in names:
            if name not in pair.clips and name not in pair.photos:
                fix = f"Add it, or take it out of {lists[split].name}."
                raise missing(pair.images / name, f"a clip or photo of {lists[split]}", fix)
        return pair, list(dict.fromkeys(names))
    divided = any((root / "images" / name).is_dir() for name in lists)
    sub = split if divided else ""
    pair = _Pair.of(root / "images" / sub, root / "masks" / sub)
    names = sorted({*pair.clips, *pair.photos})
    if not names:
        expected = f"folders of frames, or photos ({', '.join(PHOTO_SUFFIXES)})"
        raise missing(pair.images, expected, "Copy pictures there, and their masks into masks.")
    if divided:
        return pair, names
    if len(names) == 1:
        raise DataError(
            f"{pair.images} holds {names[0]} alone; expected: two clips or photos or more, one for "
            "each split. Add another, or cut the clip in two."
        )
    return pair, names_of_split(names, split, val_share)


def _clip(pair: _Pair, name: str, code: MaskCode, fps: int) -> ClipFiles:
    frames = by_stem(pair.clips[name], PHOTO_SUFFIXES)
    masks = by_stem(pair.masks / name, [".png"])
    if not frames:
        fix = "Copy the clip's frames there, or remove the folder."
        raise missing(pair.clips[name], f"frames ({', '.join(PHOTO_SUFFIXES)})", fix)
    for stem in masks:
        if stem not in frames:
            path = pair.clips[name] / f"{stem}.jpg"
            raise missing(path, f"the frame of {masks[stem]}", "Add it, or remove the mask.")
    if not masks:
        fix = "Add a mask for at least one frame, or remove the clip."
        raise missing(pair.masks / name, f"masks (.png) of {pair.clips[name]}", fix)
    return ClipFiles(
        name=name,
        frames=tuple(frames.values()),
        masks=tuple(masks.get(stem) for stem in frames),
        mask_code=code,
        fps=float(fps),
    )


def _photo(pair: _Pair, name: str) -> PhotoFiles:
    mask = pair.masks / f"{name}.png"
    if not mask.is_file():
        raise missing(mask, f"the mask of {pair.photos[name]}", "Add it, or remove the photo.")
    return PhotoFiles(name=name, frame=pair.photos[name], mask=mask)


def _read_classes(file: Path) -> tuple[tuple[str, ...], MaskCode]:
    """Return the names of the classes and what the masks' values mean."""
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise _bad_classes(file, f"cannot be read ({reason})") from error
    if isinstance(content, list):
        content = {name: index for index, name in enumerate(content)}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise _bad_classes(file, "holds no names of classes")
    ignored = content.pop("ignore", [])
    if not 1 <= len(content) < NO_CLASS:
        raise _bad_classes(file, f"names {len(content)} classes")
    value_of: dict[int, int] = {}
    for index, values in [*enumerate(content.values()), (IGNORE, ignored)]:
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 255:
                raise _bad_classes(file, f"gives a class the value {value!r}")
            if value in value_of:
                raise _bad_classes(file, f"uses the value {value} twice")
            value_of[value] = index
    return tuple(content), mask_code({IGNORE: IGNORE, **value_of}, fix=_FIX_VALUE)


def _bad_classes(file: Path, problem: str) -> DataError:
    return DataError(
        f"{file} {problem}; expected: a list of names, or names with values from 0 to 255, each "
        "value once. Mend the file, as in {background: 0, road: [1, 2], ignore: 255}."
    )
