"""A folder of your own pictures and masks; no other data set is needed.

    ROOT/images/CLIP/00000.jpg    a folder is a clip, its frames in the order of their names
    ROOT/images/PHOTO.jpg         a picture outside of a folder becomes a short clip (see `camera`)
    ROOT/masks/CLIP/00000.png     the same names; palette or grey PNG of values
    ROOT/masks/PHOTO.png
    ROOT/classes.yaml             a list of names: value 0 is the first, and so on; 255 is ignored.
                                  Or each name with its value or values: {road: 0, car: [1, 7]};
                                  the values of the name `ignore` are ignored
    ROOT/{train,val}.txt          the names of each split's clips and photos; or the folders
                                  images/{train,val} and masks/{train,val}; else a hash of each
                                  name decides

A frame of a clip without a mask is not annotated. A clip without any mask, or a photo without one,
raises `DataError`.
"""

import dataclasses
from pathlib import Path

from jejunet_nas.datasets import layout
from jejunet_nas.datasets.camera import PhotoSettings
from jejunet_nas.datasets.clip_files import (
    NO_CLASS,
    ClipFiles,
    MaskCode,
    SplitFiles,
    mask_code,
    photo_files,
)
from jejunet_nas.datasets.options import Split, check_share, check_whole
from jejunet_nas.documents.yaml_file import read_yaml
from jejunet_nas.errors import DataError, SettingError
from jejunet_nas.records import IGNORE

_PARTS = ("images", "masks", "classes.yaml")
_ROOT_FIX = "Give --data-root the folder that holds images, masks and classes.yaml."
_VALUE_FIX = "Give the value a name in classes.yaml, or ignore it there, or fix the mask."
_PICTURES = ", ".join(layout.PHOTO_SUFFIXES)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderSettings(PhotoSettings):
    """fps: of clips. val_share: of the names, in val, where a hash decides."""

    fps: int = 24
    val_share: float = 0.2

    def __post_init__(self) -> None:
        PhotoSettings.__post_init__(self)
        check_whole("fps", self.fps, 1, 1000)
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
        clips = {folder.name: folder for folder in layout.subfolders(images)}
        photos = layout.by_stem(images, layout.PHOTO_SUFFIXES)
        for name in sorted(clips.keys() & photos.keys()):
            raise DataError(
                f"{photos[name]} has the same name as the folder {clips[name]}; expected: one clip "
                "or photo of that name. Rename one of them, and its masks."
            )
        return cls(images=images, masks=root / "masks" / subfolder, clips=clips, photos=photos)

    def clip(self, name: str, code: MaskCode, fps: int) -> ClipFiles:
        frames = layout.by_stem(self.clips[name], layout.PHOTO_SUFFIXES)
        masks = layout.by_stem(self.masks / name, [".png"])
        if not frames:
            fix = "Copy the clip's frames there, or remove the folder."
            raise layout.missing(self.clips[name], f"frames ({_PICTURES})", fix)
        fix = "Add it, or remove the mask."
        layout.check_partners(masks, frames, self.clips[name], ".jpg", fix)
        if not masks:
            fix = "Add a mask for at least one frame, or remove the clip."
            raise layout.missing(self.masks / name, f"masks (.png) of {self.clips[name]}", fix)
        return ClipFiles(
            name=name,
            frames=tuple(frames.values()),
            masks=tuple(masks.get(stem) for stem in frames),
            mask_code=code,
            fps=float(fps),
        )

    def photo(self, name: str, code: MaskCode) -> ClipFiles:
        mask = self.masks / f"{name}.png"
        if not mask.is_file():
            fix = "Add it, or remove the photo."
            raise layout.missing(mask, f"the mask of {self.photos[name]}", fix)
        return photo_files(self.photos[name], mask, code)


def describe_split(split: Split, root: Path, settings: FolderSettings) -> SplitFiles:
    """Return the files of a split. Raises `DataError`, naming the missing file."""
    layout.check_parts(root, _PARTS, _ROOT_FIX)
    class_names, code = _read_classes(root / "classes.yaml")
    pictures, names = _split(root, split, settings.val_share)
    photos = layout.mixed(name for name in names if name in pictures.photos)[: settings.photos]
    clips = [name for name in names if name in pictures.clips]
    return SplitFiles(
        dataset="folder",
        split=split,
        class_names=class_names,
        root=root,
        clips=tuple(pictures.clip(name, code, settings.fps) for name in clips),
        photos=tuple(pictures.photo(name, code) for name in photos),
        motion=settings.motion,
    )


def _split(root: Path, split: Split, val_share: float) -> tuple[_Pictures, list[str]]:
    """Return the pictures that `split` draws from, and the names of its clips and photos."""
    if any((root / f"{name}.txt").is_file() for name in ("train", "val")):
        pictures = _Pictures.find(root)
        return pictures, _listed(pictures, root / f"{split}.txt")
    divided = any((root / "images" / name).is_dir() for name in ("train", "val"))
    pictures = _Pictures.find(root, split if divided else "")
    names = sorted({*pictures.clips, *pictures.photos})
    if not names:
        expected = f"folders of frames, or photos ({_PICTURES})"
        fix = "Copy pictures there, and their masks into masks."
        raise layout.missing(pictures.images, expected, fix)
    if divided:
        return pictures, names
    if len(names) == 1:
        raise DataError(
            f"{pictures.images} holds only {names[0]}; expected: at least two clips or photos, one "
            "for each split. Add another, or cut the clip in two."
        )
    return pictures, layout.names_of_split(names, split, val_share)


def _listed(pictures: _Pictures, list_file: Path) -> list[str]:
    """Return the names in a list; it may give a photo's file name instead of its name."""
    fix = "Write it, with one name on each line; or remove the other list, to split by a hash."
    names = []
    for words in layout.read_list(list_file, "a clip's or photo's name", fix):
        name = " ".join(words)
        stem = name.rpartition(".")[0]
        if name not in pictures.clips and stem in pictures.photos:
            name = stem
        if name not in pictures.clips and name not in pictures.photos:
            fix = f"Add it, or remove it from {list_file.name}."
            raise layout.missing(pictures.images / name, f"a clip or photo of {list_file}", fix)
        names.append(name)
    return list(dict.fromkeys(names))


def _read_classes(file: Path) -> tuple[tuple[str, ...], MaskCode]:
    try:
        content = read_yaml(file)
    except SettingError as error:
        raise DataError(str(error)) from None
    if isinstance(content, list):
        content = {name: index for index, name in enumerate(content)}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise _bad_classes(file, "holds no names of classes")
    ignored = content.pop("ignore", [])
    if not 1 <= len(content) < NO_CLASS:
        raise _bad_classes(file, f"names {len(content)} classes")
    class_of: dict[int, int] = {}
    for index, values in [*enumerate(content.values()), (IGNORE, ignored)]:
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 255:
                raise _bad_classes(file, f"gives a class the value {value!r}")
            if value in class_of:
                raise _bad_classes(file, f"uses the value {value} twice")
            class_of[value] = index
    return tuple(content), mask_code({IGNORE: IGNORE, **class_of}, fix=_VALUE_FIX)


def _bad_classes(file: Path, problem: str) -> DataError:
    return DataError(
        f"{file} {problem}; expected: a list of names, or names with values from 0 to 255, each "
        "value once. Fix the file, as in {background: 0, road: [1, 2], ignore: 255}."
    )
