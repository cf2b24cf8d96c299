"""A train/val split for data sets without one: a hash of each name decides, and nothing else.

A name keeps its split when other names are added or removed, on any machine.
"""

import hashlib
from collections.abc import Iterable

from jejunet_nas.datasets.options import Split


def share_of(name: str) -> float:
    """Return a pseudo-random number in [0, 1) that depends on `name` alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def mixed(names: Iterable[str]) -> list[str]:
    """Return `names` in a pseudo-random order, of which the first n are a fair sample."""
    return sorted(names, key=lambda name: (share_of(f"order/{name}"), name))


def names_of_split(names: Iterable[str], split: Split, val_share: float) -> list[str]:
    """Return the names of `split`, sorted; with two names or more, no split is empty."""
    ranked = sorted(names, key=lambda name: (share_of(name), name))
    count = sum(share_of(name) < val_share for name in ranked)
    count = min(max(count, 1), max(1, len(ranked) - 1))
    return sorted(ranked[:count] if split == "val" else ranked[count:])
