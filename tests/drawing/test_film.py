from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.drawing.film import draw_film, film_rows, title_of
from jejunet_nas.drawing.overlay import PATH_COLOURS
from jejunet_nas.drawing.page import WIDTH_PX
from jejunet_nas.records import IGNORE
from jejunet_nas.records.rows import FilmFrame
from tests.reporting.build import trial

FRAME = np.full((48, 64, 3), 90, np.uint8)
MASK = np.zeros((48, 64), np.uint8)
MASK[10:30, 20:50] = 1


def frames(count: int) -> list[FilmFrame]:
    return [
        FilmFrame(
            time=5 * number,
            frame=FRAME,
            annotation=None if number == 1 else MASK,
            mask=MASK,
            path="propagate" if number else "key",
            gated=number > 1,
            miou=None if number == 1 else 0.753,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_any_number_of_frames_fits_on_a_page(count: int, tmp_path: Path) -> None:
    file = tmp_path / "film.png"

    draw_film(frames(count), file, clip="a", class_names=("background", "x"), trial=trial(0, 1, 9))

    with Image.open(file) as image:
        assert (image.format, image.width) == ("PNG", WIDTH_PX)


def test_each_frame_says_its_path_and_score() -> None:
    annotations, masks = film_rows(frames(3))

    assert [tile.caption for tile in annotations] == [
        *("frame 0, annotated", "frame 5, not annotated", "frame 10, annotated")
    ]
    assert [tile.caption for tile in masks] == [
        *("key: 75 mIoU", "propagate", "propagate, gate: 75 mIoU")
    ]
    assert [tile.chip for tile in masks] == [
        PATH_COLOURS[path] for path in ("key", "propagate", "propagate")
    ]
    assert (annotations[1].mask == IGNORE).all()


def test_the_title_names_clip_and_trial_and_the_trials_figures() -> None:
    assert title_of("b", trial(7, 0.5, 20)) == (
        "b, trial 7",
        "50.0 mIoU (own-frame 51.0) over all clips, 20.0 ms a frame (predicted)",
    )
