import math

from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.scoring.promotion import PolicyPoint, layers, promoted

# Few values, so that ties and twins are drawn often.
POINT = st.builds(
    PolicyPoint,
    miou=st.integers(0, 8).map(lambda i: i / 8),
    mean_ms=st.integers(1, 6).map(lambda i: i * 7.0),
    over_ms=st.integers(-2, 2).map(float),
)
POINTS = st.lists(POINT, max_size=10)
ROUND = st.lists(st.lists(POINT, max_size=3), min_size=1, max_size=9).map(
    lambda networks: {f"n{number}": points for number, points in enumerate(networks)}
)
NOISE = st.integers(0, 4).map(lambda i: i / 8)


def point(miou: float, mean_ms: float, over_ms: float = -1.0) -> PolicyPoint:
    return PolicyPoint(miou=miou, mean_ms=mean_ms, over_ms=over_ms)


def dominates(one: PolicyPoint, other: PolicyPoint) -> bool:
    better = one.miou > other.miou or one.mean_ms < other.mean_ms
    return better and one.miou >= other.miou and one.mean_ms <= other.mean_ms


def peeled(points: list[PolicyPoint]) -> list[int]:
    """Return the layers as the textbook says: take the front away, again and again."""
    found, left, layer = [0] * len(points), {*range(len(points))}, 0
    while left:
        front = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        for index in front:
            found[index] = layer
        left, layer = left - front, layer + 1
    return found


def test_of_six_networks_the_two_best_are_promoted() -> None:
    networks = {f"n{n}": [point(0.5 + n / 10, 20.0)] for n in range(6)}

    assert promoted(networks) == ["n5", "n4"]


def test_one_that_the_noise_cannot_tell_apart_is_promoted_too_up_to_half() -> None:
    mious = {"a": 0.700, "b": 0.690, "c": 0.685, "d": 0.684, "e": 0.5, "f": 0.4}
    networks = {name: [point(miou, 20.0)] for name, miou in mious.items()}

    assert promoted(networks, noise=0.001) == ["a", "b"]
    assert promoted(networks, noise=0.01) == ["a", "b", "c"]


def test_a_slower_network_over_the_target_comes_after_all_that_meet_it() -> None:
    networks = {
        "sharp but slow": [point(0.9, 60.0, over_ms=20.0)],
        "sharp and slower": [point(0.95, 70.0, over_ms=30.0)],
        "coarse": [point(0.3, 30.0)],
    }

    assert promoted(networks) == ["coarse"]
    networks.pop("coarse")
    assert promoted(networks) == ["sharp but slow"]


def test_a_network_stands_where_its_best_policy_stands() -> None:
    networks = {
        "a": [point(0.6, 30.0), point(0.2, 29.0)],
        "b": [point(0.5, 30.0), point(0.5, 29.0)],
        "c": [point(0.5, 31.0)],
    }

    assert promoted(networks) == ["a"]


def test_networks_outside_the_round_compete_but_are_not_promoted() -> None:
    networks = {"slow": [point(0.6, 30.0)], "fast": [point(0.5, 10.0)], "third": [point(0.1, 30.0)]}

    assert promoted(networks) == ["slow"]
    assert promoted(networks, [point(0.8, 20.0)]) == ["fast"]


@given(points=POINTS)
def test_without_noise_the_layers_are_those_of_the_plain_non_dominated_sort(
    points: list[PolicyPoint],
) -> None:
    assert layers(points) == peeled(points)


@given(points=POINTS, noise=NOISE, more=NOISE)
def test_more_noise_moves_no_point_to_a_later_layer(
    points: list[PolicyPoint], noise: float, more: float
) -> None:
    after = layers(points, noise=noise + more)

    assert all(a <= b for a, b in zip(after, layers(points, noise=noise), strict=True))


@given(networks=ROUND, others=POINTS, noise=NOISE, more=NOISE)
def test_more_noise_promotes_no_fewer_and_keeps_those_sure_of_it(
    networks: dict[str, list[PolicyPoint]],
    others: list[PolicyPoint],
    noise: float,
    more: float,
) -> None:
    quota = math.ceil(len(networks) / 3)
    without = promoted(networks, others)
    less, much = (promoted(networks, others, noise=each) for each in (noise, noise + more))

    assert without[:quota] == less[:quota] == much[:quota]
    assert quota <= len(less) <= len(much) <= max(quota, len(networks) // 2)


@given(networks=ROUND, others=POINTS, noise=NOISE)
def test_the_best_of_all_that_meet_the_target_is_promoted(
    networks: dict[str, list[PolicyPoint]], others: list[PolicyPoint], noise: float
) -> None:
    def key(each: PolicyPoint) -> tuple[float, float]:
        return (each.miou, -each.mean_ms)

    meeting = [p for points in (*networks.values(), others) for p in points if p.over_ms <= 0]
    best = max(map(key, meeting), default=None)
    holding = {
        n for n, points in networks.items() if best in {key(p) for p in points if p.over_ms <= 0}
    }

    chosen = promoted(networks, others, noise=noise)
    assert not holding or holding & {*chosen}
