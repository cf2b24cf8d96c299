"""Front: which trials no other beats, and how much they cover together.

A trial is a point (mIoU, ms): mean IoU in [0, 1], the more the better, and the mean latency of a
frame in ms, the less the better. One point beats another where it is no worse in both and better in
one.

Units: the hypervolume is in mIoU x ms. With the reference point of a target it is at most the
target's deadline in ms.
"""

from collections.abc import Sequence

import moocore
import numpy as np

Point = tuple[float, float]  # (mIoU, mean ms a frame)


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Return the indices of the unbeaten points, best mIoU first; of twins the first alone."""
    front: list[int] = []
    fastest = float("inf")
    for index in sorted(range(len(points)), key=lambda i: (-points[i][0], points[i][1])):
        if points[index][1] < fastest:
            front.append(index)
            fastest = points[index][1]
    return front


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Return the area between `points` and `reference`, in mIoU x ms.

    It counts what is reached with at least the reference's mIoU in at most its ms; a point that is
    worse than the reference in either adds nothing.
    """
    if not points:
        return 0.0
    array = np.asarray(points, dtype=np.float64)
    return float(moocore.hypervolume(array, ref=list(reference), maximise=[True, False]))


def reference_point(target_fps: float) -> Point:
    """Return the worst point that still meets the target: no mIoU, in just the frame's time."""
    return (0.0, 1000.0 / target_fps)


def knee(points: Sequence[Point]) -> int:
    """Return the index of the point of a front where it bends most.

    That is the one furthest above the line between the front's ends, both scales brought to the
    front's own extent. Of a front of two or fewer it is the fastest.
    """
    array = np.asarray(points, dtype=np.float64)
    if len(array) < 3:
        return int(array[:, 1].argmin())
    extent = array.max(axis=0) - array.min(axis=0)
    better, slower = ((array - array.min(axis=0)) / np.maximum(extent, 1e-12)).T
    return int((better - slower).argmax())
