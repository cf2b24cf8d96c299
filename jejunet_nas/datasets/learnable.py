"""The check that a split's masks can be learnt from and scored: at least two classes occur.

Otherwise every network has the same mIoU, often 100 %. The usual reason are masks of 0 and 255,
where 255 is ignored unless classes.yaml says otherwise.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jejunet_nas.datasets.clip_files import MaskCode, SplitFiles
from jejunet_nas.errors import DataError
from jejunet_nas.images.read import read_values
from jejunet_nas.records import IGNORE, DataSplit

_READ = 40  # masks whose values are named
_MOST_NAMED = 6


def check_learnable(split: DataSplit, files: SplitFiles) -> None:
    """Raise `DataError` unless two classes occur, naming the values of the masks and the fix."""
    present = [name for name in split.class_names if name not in split.absent]
    if len(present) >= 2:
        return
    values = _values(files)
    named = ", ".join(map(str, values[:_MOST_NAMED])) + (", ..." if values[_MOST_NAMED:] else "")
    code = next(_masks(files))[1]
    made = [f"{value} is {_meaning(value, split, code)}" for value in values[:_MOST_NAMED]]
    classes = f"only the class {present[0]}" if present else "no class"
    raise DataError(
        f"The masks of {split.dataset} {split.split} in {files.root} hold {classes}: their values "
        f"are {named} ({', '.join(made)}); expected: two classes or more. {_fix(values, split)}"
    )


def _fix(values: list[int], split: DataSplit) -> str:
    if split.dataset == "folder" and len(values) >= 2:
        names = [*split.class_names, *(f"class_{value}" for value in values)]
        pairs = ", ".join(f"{name}: {value}" for name, value in zip(names, values, strict=False))
        return f"Write classes.yaml as {{{pairs}}}, each value with its class."
    return "Use masks with two classes or more, or another part of the data set."


def _meaning(value: int, split: DataSplit, code: MaskCode) -> str:
    index = code.classes[value]
    return "ignored" if index == IGNORE else split.class_names[index]


def _values(files: SplitFiles) -> list[int]:
    """Return the values that occur in the first masks."""
    seen = set[int]()
    for path, code in itertools.islice(_masks(files), _READ):
        values = read_values(path, colours_as_grey=code.colours_as_grey)
        seen |= {int(value) for value in np.unique(values)}
    return sorted(seen)


def _masks(files: SplitFiles) -> Iterator[tuple[Path, MaskCode]]:
    for clip in (*files.clips, *files.photos):
        yield from ((mask, clip.mask_code) for mask in clip.masks if mask is not None)
