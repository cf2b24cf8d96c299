from pathlib import Path

import matplotlib.figure
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from PIL import Image

from jejunet_nas.drawing.front import draw_front
from jejunet_nas.records import StudyHistory
from tests.reporting.build import history, many_trials, measured, refused, trial

FEW = history(trial(0, 0.65, 30), trial(1, 0.70, 20, interval=4), trial(2, 0.72, 60))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Keep every figure that is saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *args: object, **options: object) -> None:
        figures.append(figure)
        save(figure, *args, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
    return figures


def chart(drawn: list[Figure], study: StudyHistory, folder: Path) -> Figure:
    draw_front(study, folder / "front.png")
    return drawn[-1]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def numbers(figure: Figure) -> list[Annotation]:
    texts = [text for text in figure.axes[0].texts if text.get_text().isdigit()]
    return [text for text in texts if isinstance(text, Annotation)]


@pytest.mark.parametrize(
    "study",
    [
        history(),
        history(trial(0, 0.7, 30, interval=4)),
        history(trial(0, 0.7, 50), refused=(refused(1, 400),)),
        history(refused=(refused(1, 60),)),
        history(trial(0, 0.0, 0.4), trial(1, 1.0, 4000)),
    ],
    ids=["nothing", "one", "none feasible", "refused alone", "extremes"],
)
def test_any_study_can_be_drawn(study: StudyHistory, tmp_path: Path) -> None:
    draw_front(study, tmp_path / "front.png")

    with Image.open(tmp_path / "front.png") as image:
        assert (image.format, image.size) == ("PNG", (1350, 825))


def test_names_show_as_they_are_written(drawn: list[Figure], tmp_path: Path) -> None:
    study = history(trial(0, 0.7, 30), study=r"a_$\b$_é_研究", device="Pixel $2$")

    axes = chart(drawn, study, tmp_path).axes[0]

    assert axes.get_title(loc="left") == r"a_$\b$_é_研究 on DAVIS 2016"
    assert axes.get_xlabel() == "mean latency per frame (ms), predicted for Pixel $2$, 1 thread"
    assert not axes.xaxis.label.get_parse_math()


def test_the_target_is_named_in_both_units(drawn: list[Figure], tmp_path: Path) -> None:
    texts = [text.get_text() for text in chart(drawn, FEW, tmp_path).axes[0].texts]

    assert "25 fps = 40.0 ms" in texts


def test_the_legend_names_what_is_drawn_and_nothing_else(
    drawn: list[Figure], tmp_path: Path
) -> None:
    few = legend(chart(drawn, FEW, tmp_path))
    one = legend(chart(drawn, history(trial(0, 0.7, 30, interval=4)), tmp_path))

    assert few == [
        *("front", "dominated", "over the target"),
        "diamond: every frame a keyframe; orange: the best",
    ]
    assert one == ["front"]


def test_what_was_measured_shows_where_it_was_predicted_and_the_others_say_predicted(
    drawn: list[Figure], tmp_path: Path
) -> None:
    trials = measured(trial(0, 0.6, 10, interval=4), 20), trial(1, 0.7, 30, interval=4)

    axes = chart(drawn, history(*trials, phone="Pixel 2"), tmp_path).axes[0]

    lines = [[float(x) for x in line.get_xdata()] for line in axes.lines]
    assert [10.0, 20.0] in lines
    assert {"0", "1, predicted"} <= {text.get_text() for text in axes.texts}
    assert "from predicted to measured" in legend(drawn[-1])


def test_of_a_crowded_front_no_two_numbers_overlap(drawn: list[Figure], tmp_path: Path) -> None:
    figure = chart(drawn, history(*many_trials(60, seed=1)), tmp_path)
    boxes = [text.get_window_extent() for text in numbers(figure)]

    assert len(boxes) > 5
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[at + 1 :])


def test_the_label_of_the_fastest_trial_does_not_cover_the_axis(
    drawn: list[Figure], tmp_path: Path
) -> None:
    slow = measured(trial(1, 0.7, 30, interval=4), 31)

    figure = chart(drawn, history(trial(1234567, 0.6, 10), slow, phone="Pixel 2"), tmp_path)

    axes = figure.axes[0]
    (label,) = [text for text in axes.texts if text.get_text() == "1234567, predicted"]
    assert label.get_window_extent().x0 >= axes.get_window_extent().x0


def test_drawing_leaves_no_figure_open_behind(tmp_path: Path) -> None:
    from matplotlib import pyplot

    draw_front(FEW, tmp_path / "front.png")

    assert pyplot.get_fignums() == []
