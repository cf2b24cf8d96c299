"""Promotion: which networks of a round are trained on, after all were scored at a lower budget.

Successive halving (Jamieson & Talwalkar, AISTATS 2016) with several objectives. All points of all
networks, one for each policy, are sorted by constrained dominance (Deb et al., 2002): feasible
points in non-dominated layers, then the others by how far they miss the target. A network stands
where its best point stands; in one layer the higher mIoU comes first, so that the best of all at
the target is always promoted.

Scores after brief training are noisy. A network that the noise cannot tell apart from the last one
promoted is promoted too, up to half of the round.

Units: mIoU in [0, 1], latency in ms a frame.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

PROMOTED_SHARE = 1 / 3  # of a round, rounded up
MOST_SHARE = 1 / 2  # of a round, with those that the noise cannot tell apart


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPoint:
    """A policy of a network; over_ms: by how much it misses the target, 0 or less if feasible."""

    miou: float
    mean_ms: float
    over_ms: float


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class _Standing:
    """Where a network stands: the lowest is the best. layer: of an infeasible one, past all."""

    layer: float
    over_ms: float
    minus_miou: float


def promoted(
    networks: Mapping[str, Sequence[PolicyPoint]],
    others: Sequence[PolicyPoint] = (),
    *,
    noise: float = 0.0,
) -> list[str]:
    """Return the names of the networks of a round that are trained on, the best first.

    others: points of networks outside the round at the same budget, which compete but are not
    promoted. noise: a difference of mIoU that two trainings of one network may have; 0 promotes by
    the sort alone.
    """
    surely, at_best = _standings(networks, others, 0.0), _standings(networks, others, noise)
    order = sorted(networks, key=lambda name: surely[name])
    quota = math.ceil(len(order) * PROMOTED_SHARE)
    most = max(quota, math.floor(len(order) * MOST_SHARE))
    if not order:
        return []
    last = surely[order[quota - 1]]
    close = [name for name in order[quota:] if at_best[name] <= last]
    return [*order[:quota], *close][:most]


def layers(points: Sequence[PolicyPoint], *, noise: float = 0.0) -> list[int]:
    """Return the layer of each of feasible `points`: 0 if no point beats it, else 1 more than all.

    A point is beaten by one that is no slower, and better by at least `noise`.
    """
    # Whatever beats a point comes before it in this order.
    order = sorted(range(len(points)), key=lambda i: (points[i].mean_ms, -points[i].miou))
    found = [0] * len(points)
    for place, index in enumerate(order):
        above = (other for other in order[:place] if _beats(points[other], points[index], noise))
        found[index] = max((found[other] + 1 for other in above), default=0)
    return found


def _beats(one: PolicyPoint, other: PolicyPoint, noise: float) -> bool:
    return (
        one.mean_ms <= other.mean_ms
        and one.miou >= other.miou + noise
        and (one.miou > other.miou or one.mean_ms < other.mean_ms)
    )


def _standings(
    networks: Mapping[str, Sequence[PolicyPoint]], others: Sequence[PolicyPoint], noise: float
) -> dict[str, _Standing]:
    """Return where each network stands if the noise is in its favour."""
    named = [(name, point) for name, points in networks.items() for point in points]
    named += [("", point) for point in others]
    meeting = [(name, point) for name, point in named if point.over_ms <= 0]
    found = {
        name: [
            _Standing(math.inf, point.over_ms, -point.miou) for point in points if point.over_ms > 0
        ]
        for name, points in networks.items()
    }
    places = layers([point for _, point in meeting], noise=noise)
    for (name, point), layer in zip(meeting, places, strict=True):
        if name in found:
            found[name].append(_Standing(layer, 0.0, -point.miou - noise))
    worst = _Standing(math.inf, math.inf, 0.0)
    return {name: min(standings, default=worst) for name, standings in found.items()}
