"""Front: the Pareto front of points (mIoU, mean ms a frame), its hypervolume and its knee.

mIoU is maximised, latency minimised. A point dominates another if it is no worse in both and better
in one.

Units: the hypervolume is in mIoU x ms. With the reference point of a target it is at most the
target's deadline in ms.
"""

from collections.abc import Sequence

import moocore
import numpy as np

Point = tuple[float, float]  # (mIoU, mean ms a frame)


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Return the indices of the Pareto front, best mIoU first; of equal points only the first."""
    front: list[int] = []
    fastest = float("inf")
    for index in sorted(range(len(points)), key=lambda i: (-points[i][0], points[i][1])):
        if points[index][1] < fastest:
            front.append(index)
            fastest = points[index][1]
    return front


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Return the area that `points` dominate up to `reference`, in mIoU x ms.

    A point that is worse than the reference in either objective adds nothing.
    """
    if not points:
        return 0.0
    array = np.asarray(points, dtype=np.float64)
    return float(moocore.hypervolume(array, ref=list(reference), maximise=[True, False]))


def reference_point(target_fps: float) -> Point:
    """Return the worst point that meets the target: mIoU 0 at the time of a frame."""
    return (0.0, 1000.0 / target_fps)


def knee(points: Sequence[Point]) -> int:
    """Return the index of the point where a front bends most.

    It is the furthest from the line between the front's ends, with both objectives scaled to
    [0, 1]. Of one or two points it is the fastest.
    """
    array = np.asarray(points, dtype=np.float64)
    if len(array) < 3:
        return int(array[:, 1].argmin())
    extent = array.max(axis=0) - array.min(axis=0)
    better, slower = ((array - array.min(axis=0)) / np.maximum(extent, 1e-12)).T
    return int((better - slower).argmax())
