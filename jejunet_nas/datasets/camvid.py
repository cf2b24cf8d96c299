"""CamVid in SegNet's layout: 11 classes of a street seen from a car, and void.

    ROOT/{train,val,test}.txt           the paths of a frame and its mask on each line
    ROOT/train/0001TP_006690.png        frames, named by video and frame number at 30 fps
    ROOT/trainannot/0001TP_006690.png   grey PNG of class indices, 11 = void; of val, test too

The train frames are a second apart, too far to be each other's context. So each is used as a photo
that a simulated camera moves over. The val frames are consecutive, at 15 fps. The test frames are a
second apart too: published results compare each frame with its own mask. A search needs no test.
"""

import dataclasses
import itertools
import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from jejunet_nas.datasets import layout, lists
from jejunet_nas.datasets.camera import PhotoSettings
from jejunet_nas.datasets.clip_files import ClipFiles, SplitFiles, mask_code, photo_files
from jejunet_nas.datasets.options import SEARCHED, Split
from jejunet_nas.errors import check_choice
from jejunet_nas.images.listing import natural_key
from jejunet_nas.records import IGNORE

CLASS_NAMES = (
    *("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car"),
    *("pedestrian", "bicyclist"),
)
NUMBERED_FPS = 30.0  # of the numbers in the frames' names
# The splits whose lists, where they are there, may share no frame with that of a split.
_APART: dict[Split, tuple[Split, ...]] = {"train": ("val",), "test": SEARCHED}
_VOID = len(CLASS_NAMES)
_CODE = mask_code(
    {_VOID: IGNORE, IGNORE: IGNORE, **{index: index for index in range(len(CLASS_NAMES))}}
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CamvidSettings(PhotoSettings):
    """train_as: `photos`, or `clips` of a frame a second."""

    train_as: str = "photos"

    def __post_init__(self) -> None:
        PhotoSettings.__post_init__(self)
        check_choice("train_as", self.train_as, ("photos", "clips"))


def describe_split(split: Split, root: Path, settings: CamvidSettings) -> SplitFiles:
    """Return the files of a CamVid split. Raises `DataError`, naming the missing file."""
    list_file = root / f"{split}.txt"
    if not list_file.exists():  # the list names the other folders, which may have other names
        fix = f"Give --data-root the folder that holds {split}.txt and {split}."
        if any((root / f"{other}.txt").is_file() for other in SEARCHED if other != split):
            parts = f"{split}.txt, {split} and {split}annot"
            fix = f"Copy {parts} of SegNet's CamVid into {root}."
        layout.check_parts(root, (list_file.name, f"{split}annot"), fix)
    pairs = lists.listed_pairs(list_file, root)
    for other in (root / f"{name}.txt" for name in _APART.get(split, ())):
        if other.is_file():
            lists.check_apart(pairs, list_file, lists.listed_stems(other), other.name)
    still = split == "train" and settings.train_as == "photos"
    names = layout.mixed(pairs)[: settings.photos] if still else ()
    return SplitFiles(
        dataset="camvid",
        split=split,
        class_names=CLASS_NAMES,
        root=root,
        clips=()
        if still
        else tuple(_clips([pairs[stem] for stem in sorted(pairs, key=natural_key)])),
        photos=tuple(photo_files(*pairs[name], _CODE) for name in names),
        motion=settings.motion,
    )


def _clips(pairs: Sequence[tuple[Path, Path]]) -> Iterator[ClipFiles]:
    """Yield runs of frames of one video at an even pace, each named by its first frame."""
    numbered = [_number(frame) for frame, _ in pairs]
    steps = [
        number - before
        for (video, before), (same, number) in itertools.pairwise(numbered)
        if video == same
    ]
    step = max(1.0, statistics.median_low(steps)) if steps else 1.0
    cuts = [
        index
        for index, ((video, before), (other, number)) in enumerate(itertools.pairwise(numbered), 1)
        if other != video or number - before >= 2 * step
    ]
    for first, end in itertools.pairwise([0, *cuts, len(pairs)]):
        frames, masks = zip(*pairs[first:end], strict=True)
        fps = NUMBERED_FPS / step
        yield ClipFiles(name=frames[0].stem, frames=frames, masks=masks, mask_code=_CODE, fps=fps)


def _number(frame: Path) -> tuple[str, int]:
    """Return the video of a frame and the frame's number in it."""
    digits = re.search(r"\d+$", frame.stem)
    return frame.stem.rpartition("_")[0], int(digits.group()) if digits else 0
