"""Strips of a page: tiles in rows, captions and the legend."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.drawing.legend import fitted, font
from jejunet_nas.drawing.page import IN_A_ROW, WIDTH_PX, Tile, heading, legend, tile_row
from jejunet_nas.records import IGNORE


def tile(height: int = 30, width: int = 40, caption: str = "a") -> Tile:
    frame = np.full((height, width, 3), 90, np.uint8)
    return Tile(frame=frame, mask=np.zeros((height, width), np.uint8), caption=caption)


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), min_size=1, max_size=IN_A_ROW))
def test_tiles_of_any_shape_fit_into_a_row(sizes: list[tuple[int, int]]) -> None:
    strip = tile_row([tile(*size, "a long caption: 00012") for size in sizes], [None], tallest=300)

    assert strip.width == WIDTH_PX
    assert 1 <= strip.height <= 320


def test_a_full_row_ends_at_the_margin() -> None:
    row = np.asarray(tile_row([tile(30, 41)] * IN_A_ROW, [None], tallest=400))

    columns = np.flatnonzero((row[row.shape[0] // 2] < 200).all(axis=-1))
    assert (columns[0], columns[-1]) == (18, WIDTH_PX - 19)


@pytest.mark.parametrize("count", [1, 12, 95])
def test_a_legend_names_every_class_and_void(count: int) -> None:
    colours = [None, *((10 + number, 0, 0) for number in range(count))]
    names = ["background", *(f"class $x$ {number}" for number in range(count))]

    strip = np.asarray(legend({*range(count + 1), IGNORE}, names, colours))

    for colour in ((201, 201, 201), (140, 140, 140), *colours[1:]):
        assert (strip == colour).all(axis=-1).any()


def test_a_heading_that_is_too_long_is_cut() -> None:
    strip = np.asarray(heading("W" * 200, "w" * 200))

    assert (strip[:, -9:] == 255).all()
    assert fitted("short", font(12), 100) == "short"
    assert fitted("W" * 200, font(12), 100).endswith("W…")
