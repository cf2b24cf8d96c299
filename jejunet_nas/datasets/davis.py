"""DAVIS 2016 and 2017 in the official layout.

    ROOT/ImageSets/{2016,2017}/{train,val}.txt   a sequence, or image and mask, on each line
    ROOT/JPEGImages/480p/SEQUENCE/00000.jpg      frames of a 24 fps video
    ROOT/Annotations/480p/SEQUENCE/00000.png     a mask a frame: 0 background, else an object

The lists of the first release are in ImageSets/480p and name files; later ones are in
ImageSets/2016 and name sequences. Both are read; a list that names some frames of a sequence means
those. The instances of 2017 have no categories and no common order, so there is one class of
objects.
"""

import dataclasses
import functools
import itertools
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from jejunet_nas.datasets import layout, lists
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
    listed = _listed(sequence_list)
    if split == "train" and (other := sequence_list.with_name("val.txt")).is_file():
        lists.check_apart(listed, sequence_list, _listed(other), other.name)
    return SplitFiles(
        dataset="davis",
        split=split,
        class_names=CLASS_NAMES,
        root=root,
        clips=layout.all_of(
            functools.partial(_describe, root, resolution, name, listed[name], settings)
            for name in [*listed][: settings.clips]
        ),
    )


_Named = Mapping[str, lists.Line]  # the lines that name a sequence: by frame, or by "" for all


def _listed(sequence_list: Path) -> Mapping[str, _Named]:
    """Return the lines of a list by sequence, then by frame."""
    listed: dict[str, dict[str, lists.Line]] = {}
    for line in lists.read_list(sequence_list, "a sequence", "Copy or download it again."):
        path = PurePosixPath(line.words[0])
        is_file = len(path.parts) > 1 and lists.stem_of(path.name) != path.name
        name, frame = (path.parent.name, lists.stem_of(path.name)) if is_file else (path.name, "")
        listed.setdefault(name, {}).setdefault(frame, line)
    return listed


def _resolution(root: Path, wanted: str | None) -> str:
    folder, preferred = root / "JPEGImages", wanted or _PREFERRED_RESOLUTION
    found = [*layout.folders_by_name(folder)]
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
    others = (each for each in (2016, 2017) if (root / f"ImageSets/{each}/{split}.txt").is_file())
    found = next(others, None)
    fix = f"Copy the lists of {year} again" + (f", or set year={found}." if found else ".")
    raise layout.missing(lists[0], f"the list of DAVIS's {split} sequences", fix)


def _describe(
    root: Path, resolution: str, name: str, named: _Named, settings: DavisSettings
) -> ClipFiles:
    frame_folder, mask_folder = (
        root / part / resolution / name for part in ("JPEGImages", "Annotations")
    )
    frames, masks = layout.by_stem(frame_folder), layout.masks_in(mask_folder)
    line = next(iter(named.values()))
    for folder, found in ((frame_folder, frames), (mask_folder, masks)):
        if not found:
            fix = "Copy or download it again, or remove the sequence from the list."
            raise layout.missing(folder, f"pictures of a sequence that {line.place} names", fix)
    pace = settings.every
    if "" not in named:
        every_frame, frames = [*frames], _chosen(frames, named, frame_folder)
        pace *= _pace([every_frame.index(stem) for stem in frames])
    fix = "Copy or download this file again, or remove the frame."
    layout.check_partners(frames, masks, mask_folder, ".png", fix)
    used = [*frames][:: settings.every]
    return ClipFiles(
        name=name,
        frames=tuple(frames[stem] for stem in used),
        masks=tuple(masks[stem] for stem in used),
        mask_code=_FIRST if settings.instances == "first" else _ALL,
        fps=FPS / pace,
    )


def _chosen(frames: Mapping[str, Path], named: _Named, folder: Path) -> dict[str, Path]:
    """Return the frames that a list names, in the order of time."""
    for frame, line in named.items():
        if frame not in frames:
            fix = "Copy or download it again, or remove the line."
            raise layout.missing(folder / f"{frame}.jpg", f"a frame that {line.place} names", fix)
    return {stem: file for stem, file in frames.items() if stem in named}


def _pace(places: Sequence[int]) -> int:
    """Return the usual step between the frames at `places` of a sequence."""
    steps = [after - before for before, after in itertools.pairwise(places)]
    return statistics.median_low(steps) if steps else 1
