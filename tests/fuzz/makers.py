"""Makers of inputs, from seeds that the project itself writes; and where an input is put."""

import functools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.fuzz.mutation import mutated, mutated_json

Maker = Callable[[random.Random], bytes]


def of_bytes(seeds: Callable[[], tuple[bytes, ...]]) -> Maker:
    """Return a maker of damaged bytes; the seeds are made when the first input is."""
    kept = functools.cache(seeds)
    return lambda rng: mutated(rng, kept(), text=False)


def of_text(*seeds: bytes) -> Maker:
    """Return a maker of texts: changed words, numbers, lines and bytes."""
    return lambda rng: mutated(rng, seeds, text=True)


def of_values(*plain: Any) -> Maker:
    """Return a maker of JSON: changed values mostly, changed bytes otherwise."""
    texts = [json.dumps(each).encode() for each in plain]

    def make(rng: random.Random) -> bytes:
        if rng.random() < 0.3:
            return mutated(rng, texts, text=True)
        return json.dumps(mutated_json(rng, rng.choice(plain))).encode("utf-8", "surrogatepass")

    return make


def of_yaml(texts: list[str]) -> Maker:
    """Return a maker of YAML: changed values, or changed bytes."""
    plain = [yaml.safe_load(text) for text in texts]
    seeds = [text.encode() for text in texts]

    def make(rng: random.Random) -> bytes:
        if rng.random() < 0.6:
            return mutated(rng, seeds, text=True)
        changed = mutated_json(rng, rng.choice(plain))
        return yaml.safe_dump(changed, allow_unicode=rng.random() < 0.5).encode()

    return make


def put(folder: Path, name: str, data: bytes) -> Path:
    """Write `data` to the file `name` in `folder`, and return the file."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file
