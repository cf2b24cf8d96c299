import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.scoring.front import Point, hypervolume, knee, pareto_front, reference_point

# Few values, so that ties and twins are drawn often.
POINT = st.tuples(st.integers(0, 8).map(lambda i: i / 8), st.integers(1, 9).map(lambda i: i * 7.0))
POINTS = st.lists(POINT, max_size=12)


def beats(one: Point, other: Point) -> bool:
    return one != other and one[0] >= other[0] and one[1] <= other[1]


def test_of_three_points_the_beaten_one_is_left_out() -> None:
    assert pareto_front([(0.60, 20.0), (0.55, 25.0), (0.70, 40.0)]) == [2, 0]


def test_of_exact_twins_the_first_alone_is_on_the_front() -> None:
    assert pareto_front([(0.5, 30.0), (0.6, 30.0), (0.6, 30.0)]) == [1]


def test_nothing_tried_has_no_front_and_covers_nothing() -> None:
    assert pareto_front([]) == []
    assert hypervolume([], (0.0, 40.0)) == 0.0


def test_one_point_covers_a_rectangle() -> None:
    assert hypervolume([(0.5, 30.0)], (0.0, 40.0)) == pytest.approx(0.5 * 10)


def test_two_points_cover_two_rectangles_less_what_they_share() -> None:
    covered = hypervolume([(0.5, 10.0), (0.75, 30.0)], (0.0, 40.0))

    assert covered == pytest.approx(0.5 * 20 + 0.75 * 10)


@pytest.mark.parametrize("worse", [(0.9, 50.0), (0.9, 40.0), (0.2, 10.0)])
def test_a_point_that_is_worse_than_the_reference_covers_nothing(worse: Point) -> None:
    assert hypervolume([worse], (0.25, 40.0)) == 0.0


def test_the_reference_of_25_fps_is_40_ms() -> None:
    assert reference_point(25.0) == (0.0, 40.0)


@given(points=POINTS)
def test_the_front_is_exactly_the_unbeaten_points(points: list[Point]) -> None:
    unbeaten = {p for p in points if not any(beats(other, p) for other in points)}
    front = [points[index] for index in pareto_front(points)]

    assert front == sorted(unbeaten, reverse=True)


@given(points=POINTS, one_more=POINT)
def test_the_hypervolume_never_falls_when_a_point_is_added(
    points: list[Point], one_more: Point
) -> None:
    reference = (0.0, 50.0)

    # Rounding of a sum of 13 areas of at most 50.
    assert hypervolume([*points, one_more], reference) >= hypervolume(points, reference) - 1e-9


@given(points=POINTS)
def test_the_front_covers_all_that_its_points_cover(points: list[Point]) -> None:
    front = [points[index] for index in pareto_front(points)]

    assert hypervolume(front, (0.0, 50.0)) == pytest.approx(hypervolume(points, (0.0, 50.0)))


def test_the_knee_is_where_the_front_bends() -> None:
    assert knee([(0.80, 40.0), (0.79, 12.0), (0.60, 10.0)]) == 1
    assert knee([(0.80, 40.0), (0.62, 28.0), (0.60, 10.0)]) == 0  # a dent: the ends are better


def test_of_two_points_the_knee_is_the_faster() -> None:
    assert knee([(0.8, 40.0), (0.6, 10.0)]) == 1
    assert knee([(0.8, 40.0)]) == 0


@given(POINTS.filter(bool))
def test_the_knee_does_not_depend_on_the_units(points: list[Point]) -> None:
    front = [points[index] for index in pareto_front(points)]

    assert knee([(8 * miou, ms / 4) for miou, ms in front]) == knee(front)
