"""A folder of your own pictures and masks; no other data set is needed.

    ROOT/images/CLIP/00000.jpg    a folder is a clip, its frames in the order of their numbers
    ROOT/images/PHOTO.jpg         a picture outside of a folder becomes a short clip (see `camera`)
    ROOT/masks/CLIP/00000.png     the same names; palette or grey PNG of values
    ROOT/masks/PHOTO.png
    ROOT/classes.yaml             see `classes_file`
    ROOT/{train,val}.txt          the names of each split's clips and photos; or the option `val`;
                                  or the folders images/{train,val} and masks/{train,val}; else a
                                  hash of each name decides, for clips and photos apart

A frame of a clip without a mask is not annotated. A clip without any mask, or a photo without one,
raises `DataError`. docs/folder.md is the page for users.
"""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

from jejunet_nas.datasets import layout, lists
from jejunet_nas.datasets.camera import PhotoSettings
from jejunet_nas.datasets.classes_file import read_classes
from jejunet_nas.datasets.clip_files import ClipFiles, MaskCode, SplitFiles, photo_files
from jejunet_nas.datasets.options import Split, check_share
from jejunet_nas.errors import DataError, SettingError, check_range, closest
from jejunet_nas.images.listing import SUFFIXES, plain
from jejunet_nas.records.words import counted, one_line

_PARTS = ("images", "masks", "classes.yaml")
_ROOT_FIX = "Give --data-root the folder that holds images, masks and classes.yaml."
_PICTURES = ", ".join(SUFFIXES)
ASSUMED_FPS = 24.0
_MOST_NAMED = 3  # of the clips and photos in no list


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings(PhotoSettings):
    """fps: of clips; None: 24 is assumed, and said.

    val: the names of val's clips and photos, the others are train. val_share: of the names, in val,
    where a hash decides.
    """

    fps: float | None = None
    val: str | Sequence[str] = ()
    val_share: float = 0.2

    def __post_init__(self) -> None:
        PhotoSettings.__post_init__(self)
        if self.fps is not None:
            if not isinstance(self.fps, int | float) or isinstance(self.fps, bool):
                raise SettingError(f"fps is {self.fps!r}; allowed: numbers. Use 24, or 29.97.")
            check_range("fps", self.fps, 1, 1000)
        names = [self.val] if isinstance(self.val, str) else self.val
        if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
            raise SettingError(f"val is {self.val!r}; allowed: names, as in val: [drive_01, ride].")
        object.__setattr__(self, "val", tuple(plain(name) for name in names))
        check_share("val_share", self.val_share)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Pictures:
    """The clips' folders and the photos' files in one images folder, by name."""

    images: Path
    masks: Path
    clips: dict[str, Path]
    photos: dict[str, Path]

    @classmethod
    def find(cls, root: Path, subfolder: str = "") -> "_Pictures":
        images = root / "images" / subfolder
        clips, photos = layout.folders_by_name(images), layout.by_stem(images)
        for name in sorted(clips.keys() & photos.keys()):
            raise DataError(
                f"{photos[name]} has the same name as the folder {clips[name]}; expected: one clip "
                "or photo of that name. Rename one of them, and its masks."
            )
        return cls(images=images, masks=root / "masks" / subfolder, clips=clips, photos=photos)

    @property
    def names(self) -> set[str]:
        """All clips and photos."""
        return {*self.clips, *self.photos}

    def clip(self, name: str, code: MaskCode, fps: float) -> ClipFiles:
        frames = layout.by_stem(self.clips[name])
        masks = layout.masks_in(layout.folders_by_name(self.masks).get(name, self.masks / name))
        if not frames:
            fix = "Copy the clip's frames there, or remove the folder."
            raise layout.missing(self.clips[name], f"frames ({_PICTURES})", fix)
        fix = "Add it, or remove the mask."
        layout.check_partners(masks, frames, self.clips[name], ".jpg", fix)
        if not masks:
            strays = layout.folders_by_name(self.masks).keys() - self.clips.keys()
            fix = f"Add a mask for at least one frame, or remove the clip.{_renamed(name, strays)}"
            raise layout.missing(self.masks / name, f"masks (.png) of {self.clips[name]}", fix)
        return ClipFiles(
            name=name,
            frames=tuple(frames.values()),
            masks=tuple(masks.get(stem) for stem in frames),
            mask_code=code,
            fps=fps,
        )

    def photo(self, name: str, mask: Path | None, code: MaskCode) -> ClipFiles:
        if mask is None:
            strays = layout.masks_in(self.masks).keys() - self.photos.keys()
            path, fix = self.masks / f"{name}.png", "Add it, or remove the photo."
            fix += _renamed(name, strays)
            raise layout.missing_partner(self.photos[name], path, True, fix)
        return dataclasses.replace(photo_files(self.photos[name], mask, code), name=name)


def _renamed(name: str, strays: Iterable[str]) -> str:
    """Return which of `strays`, masks without pictures, may be those of `name`; or ''."""
    near = closest(name, sorted(strays))
    return f"{near} Then rename it to {name}." if near else ""


def class_names(root: Path | None, _: FolderSettings) -> tuple[str, ...] | None:
    """Return the names of the classes, None without a root. Raises `DataError`."""
    return None if root is None else read_classes(root.expanduser() / "classes.yaml")[0]


def describe_split(split: Split, root: Path, settings: FolderSettings) -> SplitFiles:
    """Return the files of a split. Raises `DataError`, naming the missing file."""
    layout.check_parts(root, _PARTS, _ROOT_FIX)
    class_names, code = read_classes(root / "classes.yaml")
    pictures, names = _split(root, split, settings)
    unlisted = _unlisted(root, pictures)
    photos = layout.mixed(name for name in names if name in pictures.photos)[: settings.photos]
    clips = [name for name in names if name in pictures.clips]
    masks = layout.masks_in(pictures.masks) if photos else {}
    fps = float(settings.fps or ASSUMED_FPS)
    assumed = f"{fps:g} fps is assumed for clips. Set the option fps to your camera's rate."
    every = layout.all_of(
        [functools.partial(pictures.clip, name, code, fps) for name in clips]
        + [functools.partial(pictures.photo, name, masks.get(name), code) for name in photos]
    )
    return SplitFiles(
        dataset="folder",
        split=split,
        class_names=class_names,
        root=root,
        clips=every[: len(clips)],
        photos=every[len(clips) :],
        motion=settings.motion,
        notes=(*unlisted, *([assumed] if clips and settings.fps is None else [])),
    )


def _split(root: Path, split: Split, settings: FolderSettings) -> tuple[_Pictures, list[str]]:
    """Return the pictures that `split` draws from, and the names of its clips and photos."""
    found = [root / f"{name}.txt" for name in ("train", "val") if (root / f"{name}.txt").is_file()]
    if found and settings.val:
        raise SettingError(
            f"val is set, but {found[0]} decides already. Remove the option, or the lists."
        )
    if found:
        return _listed(root, split)
    divided = any((root / "images" / name).is_dir() for name in ("train", "val"))
    if divided and settings.val:
        raise SettingError(
            f"val is set, but {root / 'images'} has folders train or val, which decide already. "
            "Remove the option, or the folders."
        )
    pictures = _Pictures.find(root, split if divided else "")
    if not pictures.names:
        expected = f"folders of frames, or photos ({_PICTURES})"
        fix = "Copy pictures there, and their masks into masks."
        raise layout.missing(pictures.images, expected, fix)
    if divided:
        return pictures, sorted(pictures.names)
    if len(pictures.names) == 1:
        raise DataError(
            f"{pictures.images} holds only {next(iter(pictures.names))}; expected: at least two "
            "clips or photos, one for each split. Add another, or cut the clip in two."
        )
    if settings.val:
        return pictures, _chosen(pictures, split, settings.val)
    both = pictures.clips, pictures.photos
    return pictures, layout.stratified_split(*both, split, settings.val_share)


def _chosen(pictures: _Pictures, split: Split, val: Sequence[str]) -> list[str]:
    """Return the names of a split where the option `val` names those of val."""
    for name in val:
        if name not in pictures.names:
            parts = [plain(part.strip()) for part in name.split(",")]
            several = len(parts) > 1 and {*parts} <= pictures.names
            fix = f" Use val=[{', '.join(parts)}]." if several else closest(name, pictures.names)
            raise SettingError(
                f"val names {name}, which is no clip or photo in {pictures.images}.{fix}"
            )
    train = sorted(pictures.names - {*val})
    if not train:
        raise SettingError("val names all clips and photos. Leave some for train.")
    return sorted({*val}) if split == "val" else train


def _listed(root: Path, split: Split) -> tuple[_Pictures, list[str]]:
    """Return the names in the split's list."""
    pictures, other = _Pictures.find(root), root / "val.txt"
    names = _names_in(root / f"{split}.txt", pictures)
    if split == "train" and other.is_file():
        lists.check_apart(names, root / "train.txt", _names_in(other, pictures), other.name)
    return pictures, names


def _unlisted(root: Path, pictures: _Pictures) -> list[str]:
    """Return a sentence on the clips and photos that neither train.txt nor val.txt names."""
    files = root / "train.txt", root / "val.txt"
    if not all(file.is_file() for file in files):
        return []
    left = sorted(pictures.names - {name for file in files for name in _names_in(file, pictures)})
    if not left:
        return []
    kinds = ((pictures.clips, "clip"), (pictures.photos, "photo"))
    numbers = [(len({*left} & {*kind}), noun) for kind, noun in kinds]
    what = " and ".join(counted(number, noun) for number, noun in numbers if number)
    return [f"train.txt and val.txt leave out {what}, which are not used: {_few(left)}."]


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(map(one_line, names[:_MOST_NAMED]))
    return f"{shown} and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else shown


def _names_in(list_file: Path, pictures: _Pictures) -> list[str]:
    """Return the names in a list; a line may give a photo's file name, or a path below images."""
    fix = "Write it, with one name on each line; or remove the other list, to split by a hash."
    names = []
    for line in lists.read_list(list_file, "a clip's or photo's name", fix):
        below = line.text.removeprefix("/").removeprefix("images/")
        spaced = " ".join(below.split())
        ways = (below, spaced, lists.stem_of(below), lists.stem_of(spaced))
        name = next((way for way in ways if way in pictures.names), None)
        if name is None:
            fix = f"Add it, or remove it from {list_file.name}.{closest(spaced, pictures.names)}"
            expected = f"a clip or photo that {line.place} names"
            raise layout.missing(pictures.images / spaced, expected, fix)
        names.append(name)
    return list(dict.fromkeys(names))
