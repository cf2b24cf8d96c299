"""Motion of the picture from frame to frame, by which a keyframe's mask or context moves on.

Block matching on small grey pictures, as a video encoder does it: what surrounds a pixel is looked
for in the frame before, first in a picture of half the size, then near what was found there. All is
done in whole numbers, so that a phone computes the same masks.

A motion is an index: for each pixel of a frame, where it was in the frame before. Motions from
frame to frame are joined by indexing one with the next.

Units: pixels of the grey picture, which has half the height and width of the graphs' image.
"""

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

STRIDE = 2  # pixels of the graphs' image per pixel of the grey picture
WINDOW = 5  # pixels, both ways, that are compared at once
COARSE_REACH = 5  # pixels of the half-size picture, in each direction
FINE_REACH = 2  # pixels around what was found there
STILL = 8  # grey levels that a window costs per pixel of motion: flat parts stay where they are
_WEIGHTS = np.array([77, 150, 29], np.int32)  # of 256: brightness as in ITU-R BT.601
_BITS = 7  # of a candidate's number, below its cost: the cheapest, then the nearest is the least

Grey = npt.NDArray[np.uint8]  # [height / 2, width / 2]
Index = npt.NDArray[np.int32]  # [height / 2, width / 2]: places in the flat picture before
_Shift = npt.NDArray[np.int32]  # [2, rows, columns]: rows and columns from a pixel to where it was


def comparisons(height: int, width: int) -> float:
    """Return how many pairs of pixels `motion` compares for images of `height` x `width` pixels."""
    coarse, fine = ((2 * reach + 1) ** 2 for reach in (COARSE_REACH, FINE_REACH))
    return (height // STRIDE) * (width // STRIDE) * (fine + coarse / 4)


def grey_of(frame: npt.NDArray[np.uint8]) -> Grey:
    """Return the grey picture of a frame, uint8 [height, width, 3] in RGB, of even sides.

    Each pixel is the mean brightness of a square of `STRIDE` pixels, rounded down.
    """
    height, width, _ = frame.shape
    lumas = frame.astype(np.int32) @ _WEIGHTS
    squares = lumas.reshape(height // STRIDE, STRIDE, width // STRIDE, STRIDE)
    return np.asarray((squares.sum(axis=(1, 3)) // (256 * STRIDE**2)).astype(np.uint8))


def unmoved(height: int, width: int) -> Index:
    """Return the motion of a picture that stands still."""
    return np.arange(height * width, dtype=np.int32).reshape(height, width)


def motion(now: Grey, before: Grey) -> Index:
    """Return where each pixel of `now` was in `before`, a picture of the same size."""
    (height, width), halves = now.shape, (_half(now), _half(before))
    rough = _search(*halves, np.zeros((2, *halves[0].shape), np.int32), COARSE_REACH)
    y, x = (_upward(side) for side in now.shape)
    rows, columns = _search(now, before, 2 * rough[:, y[:, None], x], FINE_REACH)
    rows += np.arange(height, dtype=np.int32)[:, None]
    columns += np.arange(width, dtype=np.int32)
    return np.asarray(np.clip(rows, 0, height - 1) * width + np.clip(columns, 0, width - 1))


def joined(index: Index, step: Index) -> Index:
    """Return the motion from the frame that `index` leads back to, one `step` further."""
    return np.asarray(index.reshape(-1)[step])


def moved(mask: npt.NDArray[np.uint8], index: Index) -> npt.NDArray[np.uint8]:
    """Return `mask` of the frame that `index` leads back to, moved: uint8, of the same size.

    A mask of another size than the index takes for each pixel the one that the middle of it shows.
    """
    (height, width), (rows, columns) = mask.shape, index.shape
    y, x = _middles(height, rows), _middles(width, columns)
    place = index[y[:, None], x]
    return np.asarray(
        mask[_middles(rows, height)[place // columns], _middles(columns, width)[place % columns]]
    )


def warped(context: npt.NDArray[np.int8], index: Index) -> npt.NDArray[np.int8]:
    """Return an int8 `context` [1, rows, columns, channels] as it looks after the motion `index`.

    A cell of it, a rectangle of whole pixels of the grey picture, is taken from the mean place of
    its pixels: bilinearly, in whole numbers, rounded to the nearest (halves up).
    """
    _, rows, columns, _ = context.shape
    height, width = index.shape
    cell = rows, height // rows, columns, width // columns
    y, x = (each.reshape(cell).sum(axis=(1, 3), dtype=np.int64) for each in divmod(index, width))
    top, low, down, most_down = _around(y, rows, cell[1], cell[3])
    left, right, across, most_across = _around(x, columns, cell[3], cell[1])
    values = context[0].astype(np.int64)
    upper = (most_across - across) * values[top, left] + across * values[top, right]
    lower = (most_across - across) * values[low, left] + across * values[low, right]
    total, parts = (most_down - down) * upper + down * lower, most_down * most_across
    return np.asarray(((total + parts // 2) // parts).astype(np.int8)[None])


def _around(
    sums: npt.NDArray[np.int64], cells: int, side: int, other_side: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """Return the cells before and after each mean place on one axis, and how far it is between.

    sums: of the places of the pixels of a cell, which has `side` of them on this axis. The distance
    from the first is in parts of a cell; their number comes last.
    """
    pixels = side * other_side
    parts = 2 * pixels * side
    place = np.clip(2 * sums + pixels - pixels * side, 0, (cells - 1) * parts)
    first = place // parts
    return first, np.minimum(first + 1, cells - 1), (place % parts)[..., None], parts


def _middles(from_side: int, to_side: int) -> npt.NDArray[np.int64]:
    """Return which of `to_side` pixels is at the middle of each of `from_side` pixels."""
    return (2 * np.arange(from_side) + 1) * to_side // (2 * from_side)


class Motions:
    """The motion of a video's frames since a keyframe, and since one in the background began.

    Call `see` with each frame in its order; `begun` after it, if a keyframe begins on it in the
    background; `arrived` when that one is ready, before the next frame. `ahead` uses the motion
    that was found last: on keyframes none is found.
    """

    def __init__(self) -> None:
        self._grey: Grey | None = None  # of the newest frame
        self._index: Index | None = None  # from it to the keyframe
        self._begun: Index | None = None  # to the keyframe in the background
        self._step: Index | None = None  # the motion that was found last

    def see(self, frame: npt.NDArray[np.uint8], *, keyframe: bool) -> None:
        """Follow the picture to `frame`, uint8 [height, width, 3] in RGB, of even sides.

        keyframe: the motion begins anew at this frame, as it does at the first.
        """
        grey, before = grey_of(frame), self._grey
        self._grey = grey
        if keyframe:
            self._index = self._still()
            return
        assert before is not None, "the first frame is a keyframe"
        self._step = step = motion(grey, before)
        self._index = None if self._index is None else joined(self._index, step)
        self._begun = None if self._begun is None else joined(self._begun, step)

    def begun(self) -> None:
        """Begin a second motion at the newest frame, which is a keyframe in the background."""
        self._begun = self._still()

    def arrived(self) -> None:
        """Use the second motion: its keyframe is ready."""
        self._index, self._begun = self._begun, None

    def move(self, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the keyframe's `mask` as it looks on the newest frame."""
        assert self._index is not None, "the first frame is a keyframe"
        return moved(mask, self._index)

    def warp(self, context: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """Return the keyframe's `context` as it looks on the newest frame."""
        assert self._index is not None, "the first frame is a keyframe"
        return warped(context, self._index)

    def ahead(self, mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the newest frame's `mask` as the next frame is expected to look."""
        return mask if self._step is None else moved(mask, self._step)

    def _still(self) -> Index:
        assert self._grey is not None, "a frame was seen"
        return unmoved(*self._grey.shape)


def _half(grey: Grey) -> Grey:
    rows, columns = grey.shape[0] // 2, grey.shape[1] // 2
    squares = grey[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
    return np.asarray((squares.sum(axis=(1, 3), dtype=np.int32) // 4).astype(np.uint8))


def _upward(side: int) -> npt.NDArray[np.int64]:
    """Return the pixel of the half-size picture that shows each of `side` pixels."""
    return np.minimum(np.arange(side) // 2, side // 2 - 1)


@functools.cache
def _candidates(reach: int) -> Sequence[tuple[int, int]]:
    """Return the shifts within `reach`, the nearest first."""
    side = range(-reach, reach + 1)
    square = [(down, right) for down in side for right in side]
    return sorted(square, key=lambda shift: (abs(shift[0]) + abs(shift[1]), shift))


def _search(now: Grey, before: Grey, around: _Shift, reach: int) -> _Shift:
    """Return the shift of each pixel of `now` that fits best, at most `reach` from `around`."""
    margin = 2 * COARSE_REACH + FINE_REACH
    padded = np.pad(before, margin, mode="edge").astype(np.int16)
    stride, (rows, columns) = padded.shape[1], now.shape
    y, x = np.arange(rows, dtype=np.int32)[:, None], np.arange(columns, dtype=np.int32)
    base = (y + around[0] + margin) * stride + x + around[1] + margin
    flat, seen = padded.reshape(-1), now.astype(np.int16)
    least = np.full(now.shape, np.iinfo(np.int32).max, np.int32)
    for number, (down, right) in enumerate(_candidates(reach)):
        apart = np.abs(seen - flat[base + (down * stride + right)])
        moves = np.abs(around[0] + down) + np.abs(around[1] + right)
        cost = _over_window(apart).astype(np.int32) + STILL * moves
        np.minimum(least, (cost << _BITS) | number, out=least)
    best = np.array(_candidates(reach), np.int32)[least & ((1 << _BITS) - 1)]
    return np.asarray(around + best.transpose(2, 0, 1))


def _over_window(values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return the sum of the window around each pixel, of those that are inside the picture."""
    (rows, columns), half = values.shape, WINDOW // 2
    padded = np.pad(values, half)
    down = sum(padded[at : at + rows] for at in range(1, WINDOW)) + padded[:rows]
    return sum(down[:, at : at + columns] for at in range(1, WINDOW)) + down[:, :columns]
