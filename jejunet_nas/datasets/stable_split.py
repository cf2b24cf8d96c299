"""Train and val where the data set has no such lists: by a hash of each name, nothing else.

So a name stays on its side when others come or go, on any machine and in any version of Python.
"""

import hashlib
from collections.abc import Iterable

from jejunet_nas.datasets.options import Split


def share_of(name: str) -> float:
    """Return a number in [0, 1) that is as good as random and belongs to `name` for ever."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def mixed(names: Iterable[str]) -> list[str]:
    """Return `names` in an order as good as random: the first n stand for all."""
    return sorted(names, key=lambda name: (share_of(f"order/{name}"), name))


def names_of_split(names: Iterable[str], split: Split, val_share: float) -> list[str]:
    """Return the names of `split`, sorted; of two names or more, each split has at least one."""
    ranked = sorted(names, key=lambda name: (share_of(name), name))
    count = sum(share_of(name) < val_share for name in ranked)
    count = min(max(count, 1), max(1, len(ranked) - 1))
    return sorted(ranked[:count] if split == "val" else ranked[count:])
