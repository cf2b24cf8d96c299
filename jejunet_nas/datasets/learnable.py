"""What the masks of a data set hold: whether they can be learnt from, and what a score misses.

`data check` counts them in the files, a search in the decoded splits, before it trains. Both say
the same sentences.

Masks with fewer than two classes are refused: every network has the same mIoU, often 100 %. The
usual reason are masks of 0 and 255, where 255 is ignored unless classes.yaml says otherwise.
"""

import contextlib
import dataclasses
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from jejunet_nas.datasets.clip_files import NO_CLASS, MaskCode, SplitFiles
from jejunet_nas.datasets.options import Split
from jejunet_nas.documents.yaml_file import yaml_text
from jejunet_nas.errors import DataError
from jejunet_nas.images.read import read_values
from jejunet_nas.records import IGNORE, DataSplit
from jejunet_nas.records.words import counted, one_line

FEW_PIXELS = 1000  # of a class in a split: a patch of 32 x 32
FEW_FRAMES = 10  # annotated ones of val
MOST_IGNORED = 0.5  # of the masks' pixels
_READ = 40  # masks whose values are named
_MOST_NAMED = 6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What the annotated masks of a split hold.

    pixels: of each class index that occurs, and of `IGNORE`; of a photo in its own mask. videos,
    photos: their numbers. annotated_frames: of videos and photos, a photo counts as one.
    """

    split: Split
    class_names: tuple[str, ...]
    pixels: Mapping[int, int]
    videos: int
    photos: int
    annotated_frames: int

    @property
    def absent(self) -> tuple[str, ...]:
        """The classes that occur in no mask."""
        return tuple(name for i, name in enumerate(self.class_names) if not self.pixels.get(i))

    @property
    def can_be_learnt(self) -> bool:
        """Whether two classes or more occur."""
        return len(self.class_names) - len(self.absent) >= 2

    @property
    def ignored(self) -> float:
        """The share of the pixels that are ignored."""
        return self.pixels.get(IGNORE, 0) / max(1, sum(self.pixels.values()))


def labels_of(split: DataSplit) -> Labels | None:
    """Return what the masks of a decoded split hold; None where its pixels are not counted."""
    pixels = Counter[int]()
    for clip in split.clips:
        if clip.pixels is None:
            return None
        pixels.update(clip.pixels)
    videos = [clip for clip in split.clips if clip.origin == "video"]
    photos = len(split.clips) - len(videos)
    return Labels(
        split=split.split,
        class_names=split.class_names,
        pixels=pixels,
        videos=len(videos),
        photos=photos,
        annotated_frames=photos + sum(int(clip.annotated.sum()) for clip in videos),
    )


def check_learnable(labels: Labels, files: SplitFiles) -> None:
    """Raise `DataError` unless two classes occur, naming the values of the masks and the fix."""
    if labels.can_be_learnt:
        return
    values = _values(_masks(files))
    named = ", ".join(map(str, values[:_MOST_NAMED])) + (", ..." if values[_MOST_NAMED:] else "")
    code = next(_masks(files))[1]
    made = [f"{value} is {_meaning(value, files, code)}" for value in values[:_MOST_NAMED]]
    present = [name for name in labels.class_names if name not in labels.absent]
    classes = f"only the class {one_line(present[0])}" if present else "no class"
    raise DataError(
        f"The masks of {files.dataset} {files.split} in {files.root} hold {classes}: their values "
        f"are {named} ({', '.join(made)}); expected: two classes or more. {_fix(values, files)}"
    )


def lost_labels(files: SplitFiles, held: Sequence[Collection[int]]) -> tuple[str, ...]:
    """Return a sentence on the clips and photos whose masks hold only 0 and 255, if 255 is ignored.

    Their objects are lost, where the other masks have classes. held: the class indices in the masks
    of each clip, then of each photo, of `files`.
    """
    every = (*files.clips, *files.photos)
    if files.dataset != "folder" or every[0].mask_code.classes[255] != IGNORE:
        return ()
    lost = []
    for clip, indices in zip(every, held, strict=True):
        code = clip.mask_code.classes
        if {*indices} == {code[0], IGNORE} and code[0] != IGNORE:
            masks = [mask for mask in clip.masks if mask is not None]
            if _values([(mask, clip.mask_code) for mask in masks]) == [0, 255]:
                lost.append((clip, masks[0]))
    if len(lost) in (0, len(every)) or len(files.class_names) < 2:  # of all: `check_learnable`
        return ()
    photos = {photo.name for photo in files.photos}
    number = sum(clip.name in photos for clip, _ in lost)
    counts = ((len(lost) - number, "clip"), (number, "photo"))
    what = " and ".join(counted(count, noun) for count, noun in counts if count)
    return (
        f"the masks of {what} of {files.split} hold only the values 0 and 255, and 255 is ignored, "
        f"so their objects are lost; the first is {lost[0][1]}. {_lost_fix(files)}",
    )


def _lost_fix(files: SplitFiles) -> str:
    """Return what to write: the example takes 255 for the first class that value 0 is not."""
    code = (*files.clips, *files.photos)[0].mask_code.classes
    index = next(i for i in range(len(files.class_names)) if i != code[0])
    values = [value for value in range(256) if code[value] == index]
    name = one_line(files.class_names[index])
    pair = yaml_text(
        {name: [*values, 255]}, default_flow_style=True, allow_unicode=True, width=1 << 20
    )
    return (
        f"If 255 is {name} there, write {values[0]} into these masks, or give "
        f"{files.root / 'classes.yaml'} names with values, such as {pair.strip()}."
    )


def label_warnings(train: Labels, val: Labels) -> list[str]:
    """Return what a network cannot learn and what a score does not tell, a sentence each."""
    said = []
    for labels, never, few in (
        (train, "a network cannot learn it", "a network hardly learns it"),
        (val, "the mIoU is that of the other classes", "its IoU depends on chance"),
    ):
        if 0 < len(labels.absent) < len(labels.class_names):  # masks without any are refused
            said.append(f"no mask of {labels.split} has {_listed(labels.absent)}: {never}")
        rare = [
            f"{one_line(name)} ({counted(labels.pixels[i], 'pixel')})"
            for i, name in enumerate(labels.class_names)
            if 0 < labels.pixels.get(i, 0) < FEW_PIXELS
        ]
        if rare:
            said.append(f"the masks of {labels.split} have few pixels of {_listed(rare)}: {few}")
        if labels.ignored > MOST_IGNORED:
            said.append(
                f"{100 * labels.ignored:.0f} % of the pixels of {labels.split}'s masks are ignored"
            )
    if val.annotated_frames < FEW_FRAMES:
        frames = counted(val.annotated_frames, "annotated frame")
        said.append(f"val has only {frames}: small differences of mIoU mean nothing")
    return said


def origin_warning(videos: int, photos: int) -> list[str]:
    """Return a sentence on what val is, where some of its clips are simulated pans over photos."""
    if not photos:
        return []
    pans = f"{counted(photos, 'simulated pan')} over photos"
    if videos:
        return [f"val is {counted(videos, 'video')} and {pans}, where nothing moves by itself"]
    return [f"val is {pans} and no video: video policies are judged on simulated motion alone"]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    shown = ", ".join(map(one_line, names[:_MOST_NAMED]))
    return f"{shown} and {more} more" if more > 0 else shown


def _fix(values: list[int], files: SplitFiles) -> str:
    if files.dataset == "folder" and len(values) >= 2:
        names = [*files.class_names, *(f"class_{value}" for value in values)]
        pairs = ", ".join(f"{name}: {value}" for name, value in zip(names, values, strict=False))
        return f"Write classes.yaml as {{{pairs}}}, each value with its class."
    return "Use masks with two classes or more, or another part of the data set."


def _meaning(value: int, files: SplitFiles, code: MaskCode) -> str:
    index = code.classes[value]
    if index == NO_CLASS:
        return "no class"
    return "ignored" if index == IGNORE else one_line(files.class_names[index])


def _values(masks: Iterable[tuple[Path, MaskCode]]) -> list[int]:
    """Return the values that occur in the first masks that can be read."""
    seen = set[int]()
    for path, code in itertools.islice(masks, _READ):
        with contextlib.suppress(DataError):
            values = read_values(path, colours_as_grey=code.colours_as_grey)
            seen |= {int(value) for value in np.unique(values)}
    return sorted(seen)


def _masks(files: SplitFiles) -> Iterator[tuple[Path, MaskCode]]:
    for clip in (*files.clips, *files.photos):
        yield from ((mask, clip.mask_code) for mask in clip.masks if mask is not None)
