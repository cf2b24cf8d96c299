"""Provenance: with what a network was made, and on which machine.

Two trainings of one network are equal bit for bit only if all of it is equal, and they used one
thread: sums of floats depend on their order.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from jejunet_nas.errors import check_range

MOST_THREADS = 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The machine, the versions, the data and the seed of one training.

    processor: its name and model numbers. cores: those that the process could use. threads: of one
    TensorFlow operation. gpus: the names of those that TensorFlow used. versions: of Python and of
    packages, by name. seed: of the training. fingerprints: of the data's files, by split.
    """

    processor: str
    cores: int
    threads: int
    gpus: tuple[str, ...]
    versions: Mapping[str, str]
    seed: int
    fingerprints: Mapping[str, str]

    def __post_init__(self) -> None:
        check_range("threads", self.threads, 1, MOST_THREADS)

    @property
    def ordered(self) -> bool:
        """Whether sums of floats had one order: one thread, no GPU."""
        return self.threads == 1 and not self.gpus


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What differs between two trainings: `what`, say `threads`, and both values in words."""

    what: str
    then: str
    now: str


def changes(then: Provenance, now: Provenance) -> list[Change]:
    """Return what differs between two trainings."""
    before, after = dict(_parts(then)), dict(_parts(now))
    return [
        Change(what=what, then=before.get(what, "none"), now=after.get(what, "none"))
        for what in {**before, **after}
        if before.get(what) != after.get(what)
    ]


def _parts(provenance: Provenance) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(provenance):
        value: Any = getattr(provenance, field.name)
        if field.name == "gpus":
            yield field.name, ", ".join(value) or "none"
        elif isinstance(value, Mapping):
            kind = "version" if field.name == "versions" else "fingerprint"
            yield from ((f"{kind} of {name}", f"{each}") for name, each in value.items())
        else:
            yield field.name, f"{value}"
