"""DAVIS 2016 and 2017 on disk: the official layout, described without opening a picture.

    ROOT/ImageSets/{2016,2017}/{train,val}.txt   sequence names, or image and mask paths a line
    ROOT/JPEGImages/480p/SEQUENCE/00000.jpg      frames of a 24 fps video
    ROOT/Annotations/480p/SEQUENCE/00000.png     a mask a frame: 0 background, else an object

The lists of the first release lie in ImageSets/480p and name files, those of the later ones in
ImageSets/2016 and name sequences; both are read. The instances of 2017 are numbered in no common
order and have no categories, so there is one class of objects. A missing frame or mask stops the
reader.
"""

import dataclasses
from pathlib import Path

from jejunet_nas.datasets.clip_files import ClipFiles, MaskCode, SplitFiles
from jejunet_nas.datasets.layout import by_stem, missing, read_list, root_hint, subfolders
from jejunet_nas.datasets.options import Split, check_at_most, check_whole
from jejunet_nas.errors import DataError, SettingError, closest
from jejunet_nas.records import IGNORE

FPS = 24.0
CLASS_NAMES = ("background", "object")
# A few official masks of 2016 are stored as RGBA; their grey is taken.
_ALL = MaskCode(classes=bytes([0] + [1] * 255), colours_as_grey=True)
_FIRST = MaskCode(classes=bytes([0, 1] + [IGNORE] * 254))
_PREFERRED_RESOLUTION = "480p"
_MARKS = ("ImageSets", "JPEGImages", "Annotations")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DavisSettings:
    """How much of DAVIS is taken: every n-th frame of the first `clips` sequences of the list.

    year: whose lists are used. instances: `all` instances of 2017 are the object, or only the
    `first`; the others are then not judged, for nothing in a single frame tells them from it.
    resolution: a folder of JPEGImages; None: 480p, or the only one there is.
    """

    every: int = 1
    clips: int | None = None  # None: all
    year: int = 2016
    instances: str = "all"
    resolution: str | None = None

    def __post_init__(self) -> None:
        check_whole("every", self.every, 1, 24)
        check_at_most("clips", self.clips, 1000)
        check_whole("year", self.year, 2016, 2017)
        allowed = ("all", "first") if self.year == 2017 else ("all",)
        if self.instances not in allowed:
            raise SettingError(
                f"instances is {self.instances}; allowed with year {self.year}: "
                f"{', '.join(allowed)}.{closest(str(self.instances), allowed) or ' Use all.'}"
            )


def describe_split(split: Split, root: Path, settings: DavisSettings) -> SplitFiles:
    """Return the files of a DAVIS split; raises `DataError`, naming the file that is not there."""
    resolution = _resolution(root, settings.resolution)
    sequence_list = _sequence_list(root, split, resolution, settings.year)
    names = _sequences(sequence_list)[: settings.clips]
    return SplitFiles(
        dataset="davis",
        split=split,
        class_names=CLASS_NAMES,
        root=root,
        clips=tuple(_describe(root, resolution, name, sequence_list, settings) for name in names),
    )


def _resolution(root: Path, wanted: str | None) -> str:
    folder = root / "JPEGImages"
    found = [entry.name for entry in subfolders(folder)]
    if (wanted or _PREFERRED_RESOLUTION) in found:
        return wanted or _PREFERRED_RESOLUTION
    if len(found) == 1 and not wanted:
        return found[0]
    state = f"holds {', '.join(found)}" if found else "is missing or empty"
    other = "" if wanted else ", or one folder of another resolution"
    fix = f"Set resolution to {found[0]}." if found else _root_fix(root)
    raise DataError(
        f"{folder} {state}; expected: JPEGImages/{wanted or _PREFERRED_RESOLUTION}{other}. {fix}"
    )


def _sequence_list(root: Path, split: Split, resolution: str, year: int) -> Path:
    first_release = [resolution, _PREFERRED_RESOLUTION] if year == 2016 else []
    lists = [root / "ImageSets" / name / f"{split}.txt" for name in (str(year), *first_release)]
    for path in lists:
        if path.is_file():
            return path
    raise missing(lists[0], f"the list of DAVIS's {split} sequences", _root_fix(root))


def _root_fix(root: Path) -> str:
    otherwise = (
        "Give --data-root the folder that holds ImageSets, JPEGImages and Annotations; "
        "https://davischallenge.org offers it for download."
    )
    return otherwise if (root / "ImageSets").is_dir() else root_hint(root, _MARKS, otherwise)


def _sequences(sequence_list: Path) -> list[str]:
    """Return the names of a list's sequences, each once, in the order of the list."""
    lines = read_list(sequence_list, "a sequence", "Copy or download it again.")
    entries = [words[0] for words in lines]
    return list(dict.fromkeys(Path(e).parent.name if "/" in e else e for e in entries))


def _describe(
    root: Path, resolution: str, name: str, sequence_list: Path, settings: DavisSettings
) -> ClipFiles:
    frames = _pictures(root / "JPEGImages" / resolution / name, ".jpg", sequence_list)
    mask_folder = root / "Annotations" / resolution / name
    masks = _pictures(mask_folder, ".png", sequence_list)
    for stem in frames:
        if stem not in masks:
            fix = "Copy or download this file again, or remove the frame."
            raise missing(mask_folder / f"{stem}.png", f"the mask of {frames[stem]}", fix)
    taken = list(frames)[:: settings.every]
    return ClipFiles(
        name=name,
        frames=tuple(frames[stem] for stem in taken),
        masks=tuple(masks[stem] for stem in taken),
        mask_code=_FIRST if settings.instances == "first" else _ALL,
        fps=FPS / settings.every,
    )


def _pictures(folder: Path, suffix: str, sequence_list: Path) -> dict[str, Path]:
    found = by_stem(folder, [suffix])
    if not found:
        state = "holds no" if folder.is_dir() else "is missing; expected: a folder of"
        raise DataError(
            f"{folder} {state} {suffix} files of a sequence that {sequence_list} names. "
            "Copy or download it again, or take the sequence out of the list."
        )
    return found
