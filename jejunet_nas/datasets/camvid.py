"""CamVid on disk, in SegNet's layout: 11 classes of a street seen from a car, and void.

    ROOT/{train,val}.txt                a frame and its mask a line, whatever folders come first
    ROOT/train/0001TP_006690.png        frames, named by video and frame number at 30 fps
    ROOT/trainannot/0001TP_006690.png   grey PNG of class indices, 11 = void; val and valannot too

Train holds a frame a second: as the context of the next it is worth nothing at a camera's rate, so
each one is a photo that the camera moves over. Val is consecutive at 15 fps, as it is. A frame or
a mask of a list that is not there stops the reader.
"""

import dataclasses
import itertools
import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from jejunet_nas.datasets.camera import Motion
from jejunet_nas.datasets.clip_files import ClipFiles, PhotoFiles, SplitFiles, mask_code
from jejunet_nas.datasets.layout import PHOTO_SUFFIXES, by_stem, missing, read_list, root_hint
from jejunet_nas.datasets.options import Split, check_at_most, check_word
from jejunet_nas.datasets.stable_split import mixed
from jejunet_nas.errors import DataError
from jejunet_nas.records import IGNORE

CLASS_NAMES = (
    *("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car"),
    *("pedestrian", "bicyclist"),
)
NUMBERED_FPS = 30.0  # what the numbers in the names count
_VOID = len(CLASS_NAMES)
_CODE = mask_code(
    {_VOID: IGNORE, IGNORE: IGNORE, **{index: index for index in range(len(CLASS_NAMES))}}
)
_MARKS = ("train.txt", "val.txt")
_AGAIN = "Copy or download this file again, or take it out of the list."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CamvidSettings:
    """How train is taken, as `photos` (see `camera`) or as `clips` at a frame a second."""

    train_as: str = "photos"
    frames: int = Motion().frames
    photos: int | None = None  # None: all
    seed: int = 0

    def __post_init__(self) -> None:
        check_word("train_as", self.train_as, ("photos", "clips"))
        Motion(frames=self.frames, seed=self.seed)
        check_at_most("photos", self.photos, 100_000)


def describe_split(split: Split, root: Path, settings: CamvidSettings) -> SplitFiles:
    """Return the files of a split; raises `DataError`, naming the file that is not there."""
    pairs = _pairs(root, split)
    still = split == "train" and settings.train_as == "photos"
    return SplitFiles(
        dataset="camvid",
        split=split,
        class_names=CLASS_NAMES,
        root=root,
        clips=() if still else tuple(_clips([pairs[stem] for stem in sorted(pairs)])),
        photos=tuple(
            PhotoFiles(name=stem, frame=pairs[stem][0], mask=pairs[stem][1])
            for stem in (mixed(pairs)[: settings.photos] if still else ())
        ),
        photo_code=_CODE,
        motion=Motion(frames=settings.frames, seed=settings.seed),
    )


def _pairs(root: Path, split: Split) -> dict[str, tuple[Path, Path]]:
    """Return frame and mask of each line of the list, by the frame's name."""
    list_file = root / f"{split}.txt"
    fix = "Give --data-root the folder that holds train.txt, train and trainannot."
    if not list_file.is_file() and not (root / _MARKS[0]).is_file():
        fix = root_hint(root, _MARKS, fix)
    pairs: dict[str, tuple[Path, Path]] = {}
    there: dict[Path, dict[str, Path]] = {}
    for number, words in enumerate(
        read_list(list_file, "the paths of a frame and its mask", fix), 1
    ):
        if len(words) != 2:
            raise DataError(
                f"{list_file} line {number} is {' '.join(words)!r}; expected: the paths of a frame "
                "and its mask. Mend that line, or copy the file again."
            )
        frame, mask = (root.joinpath(*Path(word).parts[-2:]) for word in words)
        for path in (frame, mask):
            if path.parent not in there:
                there[path.parent] = by_stem(path.parent, PHOTO_SUFFIXES)
            if path.stem not in there[path.parent]:
                raise missing(path, f"a file that line {number} of {list_file} names", _AGAIN)
        pairs[frame.stem] = there[frame.parent][frame.stem], there[mask.parent][mask.stem]
    return pairs


def _clips(pairs: Sequence[tuple[Path, Path]]) -> Iterator[ClipFiles]:
    """Yield runs of frames of one video at an even pace, each named by its first frame."""
    steps = [
        _number(later) - _number(earlier)
        for (earlier, _), (later, _) in itertools.pairwise(pairs)
        if _video(earlier) == _video(later)
    ]
    step = max(1.0, statistics.median_low(steps)) if steps else 1.0
    first = 0
    for end in range(1, len(pairs) + 1):
        if end < len(pairs):
            last, following = pairs[end - 1][0], pairs[end][0]
            if _video(last) == _video(following) and _number(following) - _number(last) < 2 * step:
                continue
        run = pairs[first:end]
        yield ClipFiles(
            name=run[0][0].stem,
            frames=tuple(frame for frame, _ in run),
            masks=tuple(mask for _, mask in run),
            mask_code=_CODE,
            fps=NUMBERED_FPS / step,
        )
        first = end


def _video(path: Path) -> str:
    return path.stem.rpartition("_")[0]


def _number(path: Path) -> int:
    digits = re.search(r"\d+$", path.stem)
    return int(digits.group()) if digits else 0
