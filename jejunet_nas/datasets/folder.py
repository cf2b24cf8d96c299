"""A folder of your own pictures and masks; no other data set is needed.

    ROOT/images/CLIP/00000.jpg    a folder is a clip, its frames in the order of their numbers
    ROOT/images/PHOTO.jpg         a picture outside of a folder becomes a short clip (see `camera`)
    ROOT/masks/CLIP/00000.png     the same names; palette or grey PNG of values
    ROOT/masks/PHOTO.png
    ROOT/classes.yaml             see `classes_file`
    ROOT/{train,val,test}.txt     the names of a split's clips and photos; see `folder_splits`

A frame of a clip without a mask is not annotated. A clip without any mask, or a photo without one,
raises `DataError`. docs/folder.md is the page for users.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from jejunet_nas.datasets import layout
from jejunet_nas.datasets.camera import PhotoSettings
from jejunet_nas.datasets.classes_file import read_classes
from jejunet_nas.datasets.clip_files import ClipFiles, MaskCode, SplitFiles, photo_files
from jejunet_nas.datasets.folder_splits import (
    PICTURE_KINDS,
    FolderPictures,
    names_of,
    unlisted,
)
from jejunet_nas.datasets.options import Split, check_share
from jejunet_nas.errors import SettingError, check_range, closest
from jejunet_nas.images.listing import plain

_PARTS = ("images", "masks", "classes.yaml")
_ROOT_FIX = "Give --data-root the folder that holds images, masks and classes.yaml."
ASSUMED_FPS = 24.0


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


def class_names(root: Path | None, _: FolderSettings) -> tuple[str, ...] | None:
    """Return the names of the classes, None without a root. Raises `DataError`."""
    return None if root is None else read_classes(root.expanduser() / "classes.yaml")[0]


def describe_split(split: Split, root: Path, settings: FolderSettings) -> SplitFiles:
    """Return the files of a split. Raises `DataError`, naming the missing file."""
    layout.check_parts(root, _PARTS, _ROOT_FIX)
    class_names, code = read_classes(root / "classes.yaml")
    pictures, names = names_of(split, root, val=settings.val, val_share=settings.val_share)
    photos = layout.mixed(name for name in names if name in pictures.photos)[: settings.photos]
    clips = [name for name in names if name in pictures.clips]
    masks = layout.masks_in(pictures.masks) if photos else {}
    fps = float(settings.fps or ASSUMED_FPS)
    assumed = f"{fps:g} fps is assumed for clips. Set the option fps to your camera's rate."
    every = layout.all_of(
        [functools.partial(_clip, pictures, code, fps, name) for name in clips]
        + [functools.partial(_photo, pictures, code, masks, name) for name in photos]
    )
    return SplitFiles(
        dataset="folder",
        split=split,
        class_names=class_names,
        root=root,
        clips=every[: len(clips)],
        photos=every[len(clips) :],
        motion=settings.motion,
        notes=(*unlisted(root, pictures), *([assumed] if clips and settings.fps is None else [])),
    )


def _clip(pictures: FolderPictures, code: MaskCode, fps: float, name: str) -> ClipFiles:
    frames = layout.by_stem(pictures.clips[name])
    masks = layout.masks_in(layout.folders_by_name(pictures.masks).get(name, pictures.masks / name))
    if not frames:
        fix = "Copy the clip's frames there, or remove the folder."
        raise layout.missing(pictures.clips[name], f"frames ({PICTURE_KINDS})", fix)
    fix = "Add it, or remove the mask."
    layout.check_partners(masks, frames, pictures.clips[name], ".jpg", fix)
    if not masks:
        strays = layout.folders_by_name(pictures.masks).keys() - pictures.clips.keys()
        fix = f"Add a mask for at least one frame, or remove the clip.{_renamed(name, strays)}"
        raise layout.missing(pictures.masks / name, f"masks (.png) of {pictures.clips[name]}", fix)
    return ClipFiles(
        name=name,
        frames=tuple(frames.values()),
        masks=tuple(masks.get(stem) for stem in frames),
        mask_code=code,
        fps=fps,
    )


def _photo(
    pictures: FolderPictures, code: MaskCode, masks: Mapping[str, Path], name: str
) -> ClipFiles:
    mask = masks.get(name)
    if mask is None:
        strays = layout.masks_in(pictures.masks).keys() - pictures.photos.keys()
        path, fix = pictures.masks / f"{name}.png", "Add it, or remove the photo."
        fix += _renamed(name, strays)
        raise layout.missing_partner(pictures.photos[name], path, True, fix)
    return dataclasses.replace(photo_files(pictures.photos[name], mask, code), name=name)


def _renamed(name: str, strays: Iterable[str]) -> str:
    """Return which of `strays`, masks without pictures, may be those of `name`; or ''."""
    near = closest(name, sorted(strays))
    return f"{near} Then rename it to {name}." if near else ""
