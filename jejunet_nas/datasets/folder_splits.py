"""Which clips and photos of the data set `folder` belong to a split.

Of train and val, the first of these that is there decides: the lists ROOT/{train,val}.txt; the
option `val`; the folders images/{train,val} and masks/{train,val}; a hash of each name, for clips
and photos apart. The test split is the names in ROOT/test.txt or, beside folders of train and val,
the folders images/test and masks/test. What it holds is in no other split.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from jejunet_nas.datasets import layout, lists
from jejunet_nas.datasets.options import SEARCHED, Split
from jejunet_nas.errors import DataError, SettingError, closest
from jejunet_nas.images.listing import SUFFIXES, plain
from jejunet_nas.records.words import counted, one_line

PICTURE_KINDS = ", ".join(SUFFIXES)
_MOST_NAMED = 3  # of the clips and photos in no list


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderPictures:
    """The clips' folders and the photos' files in one images folder, by name."""

    images: Path
    masks: Path
    clips: dict[str, Path]
    photos: dict[str, Path]

    @classmethod
    def find(cls, root: Path, subfolder: str = "") -> "FolderPictures":
        """Return what lies in that subfolder of ROOT/images. Raises `DataError`."""
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

    def without(self, names: set[str]) -> "FolderPictures":
        """Return the clips and photos but for `names`."""
        clips, photos = (
            {name: path for name, path in kind.items() if name not in names}
            for kind in (self.clips, self.photos)
        )
        return dataclasses.replace(self, clips=clips, photos=photos)


def names_of(
    split: Split, root: Path, *, val: Sequence[str], val_share: float
) -> tuple[FolderPictures, list[str]]:
    """Return the pictures that `split` draws from, and the names of its clips and photos.

    val: names of val's clips and photos. val_share: where a hash decides. Raises `SettingError` for
    a wrong `val`, `DataError` for a wrong list or too few pictures.
    """
    found = [root / f"{name}.txt" for name in SEARCHED if (root / f"{name}.txt").is_file()]
    if found and val:
        raise SettingError(
            f"val is set, but {found[0]} decides already. Remove the option, or the lists."
        )
    divided = any((root / "images" / name).is_dir() for name in SEARCHED)
    if found or (split == "test" and not divided):
        return _listed(root, split)
    if divided and val:
        raise SettingError(
            f"val is set, but {root / 'images'} has folders train or val, which decide already. "
            "Remove the option, or the folders."
        )
    pictures = FolderPictures.find(root, split if divided else "")
    if not pictures.names:
        expected = f"folders of frames, or photos ({PICTURE_KINDS})"
        fix = "Copy pictures there, and their masks into masks."
        raise layout.missing(pictures.images, expected, fix)
    if divided:
        return pictures, sorted(pictures.names)
    pictures = _not_tested(root, pictures)
    if val:
        return pictures, _chosen(pictures, split, val)
    return pictures, layout.stratified_split(pictures.clips, pictures.photos, split, val_share)


def unlisted(root: Path, pictures: FolderPictures) -> list[str]:
    """Return a sentence on the clips and photos that the lists of train and val leave out.

    Those in test.txt are left out on purpose.
    """
    files = [root / f"{name}.txt" for name in SEARCHED]
    if not all(file.is_file() for file in files):
        return []
    listed = {name for file in files for name in _names_in(file, pictures)}
    left = sorted(pictures.names - listed - _tested(root, pictures))
    if not left:
        return []
    kinds = ((pictures.clips, "clip"), (pictures.photos, "photo"))
    numbers = [(len({*left} & {*kind}), noun) for kind, noun in kinds]
    what = " and ".join(counted(number, noun) for number, noun in numbers if number)
    return [f"train.txt and val.txt leave out {what}, which are not used: {_few(left)}."]


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(map(one_line, names[:_MOST_NAMED]))
    return f"{shown} and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else shown


def _not_tested(root: Path, pictures: FolderPictures) -> FolderPictures:
    """Return the clips and photos that are not in the test split; two at least, one a split."""
    left = pictures.without(_tested(root, pictures))
    if len(left.names) > 1:
        return left
    held = f"{pictures.images} holds only {next(iter(pictures.names))}"
    if len(pictures.names) > 1:
        held = f"{root / 'test.txt'} leaves only {_few([*left.names]) or 'none'} for train and val"
    raise DataError(
        f"{held}; expected: at least two clips or photos, one for each split. Add another, or cut "
        "the clip in two."
    )


def _chosen(pictures: FolderPictures, split: Split, val: Sequence[str]) -> list[str]:
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


def _listed(root: Path, split: Split) -> tuple[FolderPictures, list[str]]:
    """Return the names in the split's list, which those of others do not share."""
    pictures, list_file = FolderPictures.find(root), root / f"{split}.txt"
    names = _names_in(list_file, pictures)
    for other in SEARCHED if split == "test" else ("val",) if split == "train" else ():
        file = root / f"{other}.txt"
        if file.is_file():
            lists.check_apart(names, list_file, _names_in(file, pictures), file.name)
    return pictures, names


def _tested(root: Path, pictures: FolderPictures) -> set[str]:
    """Return the names in test.txt; a search does not need those to be there."""
    file = root / "test.txt"
    if not file.is_file():
        return set()
    lines = lists.read_list(file, _NAME, _WRITE_TEST)
    return {name for line in lines if (name := _named(line, pictures)) is not None}


_NAME = "a clip's or photo's name"
_WRITE_TEST = "Write it, with one name on each line."
_WRITE = "Write it, with one name on each line; or remove the other list, to split by a hash."


def _names_in(list_file: Path, pictures: FolderPictures) -> list[str]:
    """Return the names in a list, all of which are there."""
    names = []
    write = _WRITE_TEST if list_file.name == "test.txt" else _WRITE
    for line in lists.read_list(list_file, _NAME, write):
        name = _named(line, pictures)
        if name is None:
            spaced = " ".join(_below(line).split())
            fix = f"Add it, or remove it from {list_file.name}.{closest(spaced, pictures.names)}"
            expected = f"a clip or photo that {line.place} names"
            raise layout.missing(pictures.images / spaced, expected, fix)
        names.append(name)
    return list(dict.fromkeys(names))


def _named(line: lists.Line, pictures: FolderPictures) -> str | None:
    """Return the clip or photo that a line names, as its file's name or a path below images."""
    below = _below(line)
    spaced = " ".join(below.split())
    ways = (below, spaced, lists.stem_of(below), lists.stem_of(spaced))
    return next((way for way in ways if way in pictures.names), None)


def _below(line: lists.Line) -> str:
    return line.text.removeprefix("/").removeprefix("images/")
