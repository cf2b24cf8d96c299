from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from jejunet_nas.drawing.film import draw_film
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


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *args: object, **options: object) -> None:
        figures.append(figure)
        save(figure, *args, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
    return figures


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_any_number_of_frames_fits_on_a_page(count: int, tmp_path: Path) -> None:
    file = tmp_path / "film.png"

    draw_film(frames(count), file, clip="a", class_names=("background", "x"), trial=trial(0, 1, 9))

    with Image.open(file) as image:
        assert (image.format, image.width) == ("PNG", 1320)


def test_each_frame_says_its_path_and_score(drawn: list[Figure], tmp_path: Path) -> None:
    names = ("background", "fish $x$")

    draw_film(frames(3), tmp_path / "f.png", clip="b", class_names=names, trial=trial(7, 0.5, 20))

    titles = [axes.get_title() for axes in drawn[0].axes]
    assert {"frame 0, annotated", "key: 75 mIoU"} <= {*titles}
    assert {"propagate", "propagate, gate: 75 mIoU"} <= {*titles}
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["fish $x$", "void"]
    assert "b, trial 7: " in drawn[0].get_suptitle()
    assert "50.0 mIoU over all clips, 20.0 ms a frame (predicted)" in drawn[0].get_suptitle()
