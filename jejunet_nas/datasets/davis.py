"""DAVIS 2016 and 2017 in the official layout.

    ROOT/ImageSets/{2016,2017}/{train,val}.txt   a sequence, or image and mask, on each line
    ROOT/JPEGImages/480p/SEQUENCE/00000.jpg      frames of a 24 fps video
    ROOT/Annotations/480p/SEQUENCE/00000.png     a mask a frame: 0 background, else an object

The lists of the first release are in ImageSets/480p and name files; later ones are in
ImageSets/2016 and name sequences. Both are read. The instances of 2017 have no categories and no
common order, so there is one class of objects.
"""

import dataclasses
from pathlib import Path

from jejunet_nas.datasets import layout
from jejunet_nas.datasets.clip_files import ClipFiles, MaskCode, SplitFiles
from jejunet_nas.datasets.options import Split, check_at_most, check_whole
from jejunet_nas.errors import DataError, check_choice
from jejunet_nas.records import IGNORE

FPS = 24.0
CLASS_NAMES = ("background", "object")
# A few official masks of 2016 are stored as RGBA; their grey is used.
_ALL = MaskCode(classes=bytes([0] + [1] * 255), colours_as_grey=True)
_FIRST = MaskCode(classes=bytes([0, 1] + [IGNORE] * 254))
_PREFERRED_RESOLUTION = "480p"
_PARTS = ("JPEGImages", "Annotations", "ImageSets")
_ROOT_FIX = (
    f"Give --data-root the folder that holds {', '.join(_PARTS)}; download it from "
    "https://davischallenge.org."
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DavisSettings:
    """Which part of DAVIS is used: every n-th frame of the first `clips` sequences of the list.

    year: of the lists. instances: with `all`, every instance of 2017 is the object; with `first`,
    the others are ignored, because a single frame does not show which one is meant. resolution: a
    folder of JPEGImages; None: 480p, or the only folder.
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
        check_choice(f"instances of year {self.year}", self.instances, allowed)


def describe_split(split: Split, root: Path, settings: DavisSettings) -> SplitFiles:
    """Return the files of a DAVIS split. Raises `DataError`, naming the missing file."""
    layout.check_parts(root, _PARTS, _ROOT_FIX)
    resolution = _resolution(root, settings.resolution)
    sequence_list = _sequence_list(root, split, resolution, settings.year)
    lines = layout.read_list(sequence_list, "a sequence", "Copy or download it again.")
    entries = [words[0] for words in lines]
    names = dict.fromkeys(Path(e).parent.name if "/" in e else e for e in entries)
    return SplitFiles(
        dataset="davis",
        split=split,
        class_names=CLASS_NAMES,
        root=root,
        clips=tuple(
            _describe(root, resolution, name, sequence_list, settings)
            for name in [*names][: settings.clips]
        ),
    )


def _resolution(root: Path, wanted: str | None) -> str:
    folder, preferred = root / "JPEGImages", wanted or _PREFERRED_RESOLUTION
    found = [entry.name for entry in layout.subfolders(folder)]
    if preferred in found:
        return preferred
    if len(found) == 1 and not wanted:
        return found[0]
    state = f"holds {', '.join(found)}" if found else "is empty"
    fix = f"Set resolution to {found[0]}." if found else "Unpack DAVIS again."
    raise DataError(f"{folder} {state}; expected: JPEGImages/{preferred}. {fix}")


def _sequence_list(root: Path, split: Split, resolution: str, year: int) -> Path:
    first_release = [resolution, _PREFERRED_RESOLUTION] if year == 2016 else []
    lists = [root / "ImageSets" / name / f"{split}.txt" for name in (str(year), *first_release)]
    for path in lists:
        if path.is_file():
            return path
    fix = f"Copy the lists of {year} again, or set year."
    raise layout.missing(lists[0], f"the list of DAVIS's {split} sequences", fix)


def _describe(
    root: Path, resolution: str, name: str, sequence_list: Path, settings: DavisSettings
) -> ClipFiles:
    frame_folder, mask_folder = (
        root / part / resolution / name for part in ("JPEGImages", "Annotations")
    )
    frames, masks = layout.by_stem(frame_folder, [".jpg"]), layout.by_stem(mask_folder, [".png"])
    for folder, found in ((frame_folder, frames), (mask_folder, masks)):
        if not found:
            fix = "Copy or download it again, or remove the sequence from the list."
            raise layout.missing(folder, f"pictures of a sequence that {sequence_list} names", fix)
    fix = "Copy or download this file again, or remove the frame."
    layout.check_partners(frames, masks, mask_folder, ".png", fix)
    used = [*frames][:: settings.every]
    return ClipFiles(
        name=name,
        frames=tuple(frames[stem] for stem in used),
        masks=tuple(masks[stem] for stem in used),
        mask_code=_FIRST if settings.instances == "first" else _ALL,
        fps=FPS / settings.every,
    )
