"""Comparison of two trainings of one network under one policy, part by part.

Bit for bit: weights, graphs, losses, the path of each frame. Where the bits differ, the mIoU of
what the screen shows decides whether the difference is within the noise of training.

Units: mIoU in [0, 1]; words have per cent and points.
"""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

from jejunet_nas.documents.arrays import read_arrays
from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.records import PATHS, FramePaths, NetworkRecord
from jejunet_nas.records.provenance import Change, changes
from jejunet_nas.records.scores import Streamed
from jejunet_nas.records.words import counted, per_cent, points

Verdict = Literal["equal", "within_noise", "different"]
WEIGHTS = "weights"  # the part that is read from a file, not from a record


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training: its record, the file of its weights, and the screen under the policy."""

    record: NetworkRecord
    weights: Path
    streamed: Streamed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one part of two trainings has in common. equal: None where it cannot be compared."""

    name: str
    equal: bool | None
    words: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two trainings of one network.

    changes: what differs in their provenance; None where the first has none. ordered: whether both
    should be equal bit for bit. tolerance: of the difference of mIoU.
    """

    parts: tuple[Part, ...]
    changes: tuple[Change, ...] | None
    ordered: bool
    miou_then: float
    miou_now: float
    tolerance: float

    @property
    def unequal(self) -> list[str]:
        """The names of the parts that differ."""
        return [part.name for part in self.parts if part.equal is False]

    @property
    def verdict(self) -> Verdict:
        """Whether the second training reproduces the first."""
        if not self.unequal:
            return "equal"
        # Graphs and losses come from the weights, so equal ones come from equal weights.
        expected = self.ordered or self.unequal == [WEIGHTS]
        near = abs(self.miou_now - self.miou_then) <= self.tolerance
        return "within_noise" if near and not expected else "different"

    @property
    def words(self) -> str:
        """Return the reason of the verdict, to follow a colon."""
        if self.verdict == "equal":
            known = all(part.equal is not None for part in self.parts)
            return "equal bit for bit" if known else "what could be compared is equal bit for bit"
        if self.unequal == [WEIGHTS]:
            return "the weights on disk are not those that its graphs were made from"
        if self.ordered and self.verdict == "different":
            return (
                f"{', '.join(self.unequal)} differ, although processor, versions, data and seed "
                "are the same and both used one thread"
            )
        inside = "within" if self.verdict == "within_noise" else "outside"
        return (
            f"mIoU was {per_cent(self.miou_then)}, now {per_cent(self.miou_now)}: "
            f"{points(self.miou_now - self.miou_then)} points, {inside} the "
            f"{per_cent(self.tolerance)} by which two trainings of a network may differ"
        )


def compare(then: Training, now: Training, *, tolerance: float) -> Comparison:
    """Return the comparison of two trainings; see `Comparison`."""
    before, after = then.record, now.record
    both = before.provenance and after.provenance and (before.provenance, after.provenance)
    changed = tuple(changes(*both)) if both else None
    parts = [
        _weights(then.weights, now.weights),
        *(
            _hash(f"{name} graph", graph.sha256, after.graphs[name].sha256)
            for name, graph in before.graphs.items()
        ),
        _losses(before, after),
        _shares("float mIoU", before.float_miou, after.float_miou),
        _shares("int8 mIoU", before.int8_miou, after.int8_miou),
        _shares("mIoU", then.streamed.score.miou, now.streamed.score.miou),
        _paths(then.streamed.walks, now.streamed.walks),
    ]
    return Comparison(
        parts=tuple(parts),
        changes=changed,
        ordered=bool(both and both[0].ordered and not changed),
        miou_then=then.streamed.score.miou,
        miou_now=now.streamed.score.miou,
        tolerance=tolerance,
    )


def _weights(then: Path, now: Path) -> Part:
    if not then.is_file():
        return Part(name=WEIGHTS, equal=None, words=f"not compared, because {then} is missing")
    after = read_arrays(now)
    try:
        before = read_arrays(then)
    except (SettingError, ValueError) as reason:
        words = f"{then} is damaged: {shortened(str(reason))}"
        return Part(name=WEIGHTS, equal=False, words=words)
    shapes = [{name: array.shape for name, array in each.items()} for each in (before, after)]
    if shapes[0] != shapes[1]:
        return Part(name=WEIGHTS, equal=False, words=f"{then} has the layers of another network")
    unequal = [name for name in before if before[name].tobytes() != after[name].tobytes()]
    if not unequal:
        return Part(name=WEIGHTS, equal=True, words=counted(len(before), "array"))
    most = max(float(np.abs(before[name] - after[name]).max(initial=0.0)) for name in unequal)
    words = f"{len(unequal)} of {counted(len(before), 'array')} differ, by up to {most:.2g}"
    return Part(name=WEIGHTS, equal=False, words=words)


def _hash(name: str, then: str, now: str) -> Part:
    same = then == now
    words = then[:12] if same else f"SHA-256 was {then[:12]}, now {now[:12]}"
    return Part(name=name, equal=same, words=words)


def _losses(then: NetworkRecord, now: NetworkRecord) -> Part:
    before = [*then.training.losses, then.training.gate_loss]
    after = [*now.training.losses, now.training.gate_loss]
    if len(before) != len(after):
        words = f"{counted(len(before), 'value')} then, {len(after)} now"
        return Part(name="losses", equal=False, words=words)
    most = max(abs(a - b) for a, b in zip(before, after, strict=True))
    words = f"{counted(len(before), 'value')}" + (f", up to {most:.2g} apart" if most else "")
    return Part(name="losses", equal=before == after, words=words)


def _shares(name: str, then: float, now: float) -> Part:
    words = f"{per_cent(then)} %"
    if then != now:
        words = f"{per_cent(then)} % then, {per_cent(now)} % now, {points(now - then, 2)} points"
    return Part(name=name, equal=then == now, words=words)


def _paths(then: tuple[FramePaths, ...], now: tuple[FramePaths, ...]) -> Part:
    before, after = ("".join(walk.taken for walk in each).lower() for each in (then, now))
    shares = ", ".join(
        f"{path} {per_cent(before.count(path[0]) / max(1, len(before)))} %"
        + ("" if then == now else f", now {per_cent(after.count(path[0]) / max(1, len(after)))} %")
        for path in PATHS
    )
    return Part(name="paths", equal=then == now, words=shares)
