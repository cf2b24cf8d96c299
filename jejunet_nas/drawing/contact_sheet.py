"""A contact sheet: frames of both splits with their masks, to see whether a data set is right.

The frames come from clips that are spread evenly over the split. Background is muted, void hatched.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from jejunet_nas.datasets.check import DataCheck, SplitCheck
from jejunet_nas.datasets.clip_files import (
    Pair,
    SplitFiles,
    clip_pairs,
    picture_size,
    read_frame,
    read_mask,
)
from jejunet_nas.drawing.overlay import class_colours
from jejunet_nas.drawing.page import (
    IN_A_ROW,
    Tile,
    classes_in,
    heading,
    legend,
    tile_row,
    write_page,
)
from jejunet_nas.errors import DataError
from jejunet_nas.records.words import counted, one_line

TILES = 8  # of a split, at most
_TALLEST_PX = 330


def draw_contact_sheet(check: DataCheck, file: Path) -> bool:
    """Write the sheet of a data set to `file`, a PNG; return False where no frame can be shown."""
    broken = {*check.faults}
    samples = [choose_samples(files, broken) for files in check.files]
    if not any(samples):
        return False
    names = [each.name for each in check.splits[0].classes]
    colours = class_colours(names)
    strips = []
    for split, tiles in zip(check.splits, samples, strict=True):
        strips.append(heading(f"{one_line(check.dataset)}  {split.split}", _split_words(split)))
        strips += [
            tile_row(tiles[first : first + IN_A_ROW], colours, tallest=_TALLEST_PX)
            for first in range(0, len(tiles), IN_A_ROW)
        ]
    shown = classes_in([tile.mask for tiles in samples for tile in tiles])
    write_page([*strips, legend(shown, names, colours)], file)
    return True


def choose_samples(files: SplitFiles, broken: set[Path]) -> list[Tile]:
    """Return up to `TILES` annotated frames, evenly spread over the clips, without broken ones."""
    groups = [
        [p for p in pairs if p.mask is not None and not {p.frame, p.mask} & broken]
        for pairs in clip_pairs(files)
    ]
    names = [clip.name for clip in files.clips] + [photo.name for photo in files.photos]
    whole = [(name, group) for name, group in zip(names, groups, strict=True) if group]
    samples = []
    for name, pair in _spread(whole):
        try:
            assert pair.mask is not None
            mask = read_mask(pair.mask, pair.code)
            frame = read_frame(pair.frame, picture_size(pair.frame))
            samples.append(Tile(caption=name, frame=frame, mask=mask))
        except DataError:  # damaged in its pixels, which the check does not read
            continue
    return samples


def _spread(groups: Sequence[tuple[str, list[Pair]]]) -> Iterator[tuple[str, Pair]]:
    """Yield frames of groups at even distances; of few groups, several frames of each."""
    count = min(TILES, sum(len(pairs) for _, pairs in groups))
    places = [(2 * i + 1) * len(groups) // (2 * count) for i in range(count)]
    for place in dict.fromkeys(places):
        name, pairs = groups[place]
        wanted = min(places.count(place), len(pairs))
        for step in range(wanted):
            pair = pairs[(2 * step + 1) * len(pairs) // (2 * wanted)]
            stem = pair.frame.stem
            yield (stem if stem.startswith(name) else f"{name}: {stem}"), pair


def _split_words(split: SplitCheck) -> str:
    frames = f"{split.frames} frames" if split.clips else ""
    words = (clip_words(split), frames, size_words(split), fps_words(split))
    return ", ".join(word for word in words if word)


def clip_words(split: SplitCheck) -> str:
    """Return the numbers of clips and photos of a split: '30 clips', '367 photos'."""
    counts = ((split.clips, "clip"), (split.photos, "photo"))
    return ", ".join(counted(number, noun) for number, noun in counts if number)


def size_words(split: SplitCheck) -> str:
    """Return the sizes of a split, height x width: the only one, or the extremes."""
    sizes = [f"{height}x{width}" for height, width in split.sizes]
    if len(sizes) < 2:
        return sizes[0] if sizes else "no readable frame"
    return f"{sizes[0]} to {sizes[-1]} ({len(sizes)} sizes)"


def fps_words(split: SplitCheck) -> str:
    """Return the frame rates of a split's clips: '24 fps', '6 to 30 fps'; '' for photos."""
    rates = [f"{rate:g}" for rate in split.fps]
    if not rates:
        return ""
    return f"{' to '.join(dict.fromkeys((rates[0], rates[-1])))} fps"
