"""Chain: compression methods in a valid order, and in words.

A chain is applied from left to right: prune, cluster, then one format of the graphs; the default is
int8 after training.

    (Pruning(kind="channels", share=0.5), QuantizationAware())

In words, as the command line takes them: `prune:share=0.5 + qat`.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, get_args, get_type_hints

from jejunet_nas.compression.settings import (
    Chain,
    Clustering,
    CompressionSettings,
    DynamicRange,
    Float16,
    Float32,
    Format,
    Method,
    PostTrainingInt8,
    Pruning,
    QuantizationAware,
)
from jejunet_nas.errors import SettingError, closest
from jejunet_nas.space.architecture import Network

_WORDS: dict[str, type[Any]] = {
    "float32": Float32,
    "float16": Float16,
    "dynamic": DynamicRange,
    "int8": PostTrainingInt8,
    "qat": QuantizationAware,
    "prune": Pruning,
    "cluster": Clustering,
}
_FORMATS = [word for word, kind in _WORDS.items() if kind in get_args(Format)]
_ORDER = ["prune (channels)", "prune (magnitude)", "cluster", *_FORMATS]


def chain_of(network: Network, settings: CompressionSettings) -> Chain:
    """Return the chain that makes `network` from its trained base."""
    methods: list[Method] = []
    if network.pruning:
        methods.append(dataclasses.replace(settings.pruning, share=network.pruning))
    if network.quantization == "quantization_aware":
        return (*methods, settings.quantization_aware)
    return (*methods, settings.post_training)


def checked_chain(methods: Sequence[Method]) -> Chain:
    """Return `methods` with a format at the end. Raises `SettingError` for another order."""
    kinds = [_kind(method) for method in methods]
    for left, right in itertools.pairwise(kinds):
        if {left, right} <= {*_FORMATS}:
            fix = "Give each its own --settings"
        elif left == right:
            fix = "Leave one out"
        elif _ORDER.index(left) > _ORDER.index(right):
            fix = "Swap them"
        else:
            continue
        raise SettingError(
            f"{left} comes before {right}; allowed: prune (channels, then magnitude), then "
            f"cluster, then one of {', '.join(_FORMATS)}. {fix}."
        )
    if "cluster" in kinds and getattr(methods[-1], "equalize", "auto") == "always":
        raise SettingError(
            "equalize is always in a chain with cluster; allowed: auto or never. Leave it out: it "
            "would break up the clusters."
        )
    formatted = bool(kinds) and kinds[-1] in _FORMATS
    return tuple(methods) if formatted else (*methods, PostTrainingInt8())


def chain_from_words(words: str) -> Chain:
    """Return the chain of `METHOD[:NAME=VALUE,...] + ...`. Raises `SettingError`."""
    return checked_chain([_method(part.strip()) for part in words.split("+")])


def chain_in_words(chain: Chain) -> str:
    """Return the words that `chain_from_words` reads, without default values."""
    return " + ".join(map(_in_words, chain))


def _name(method: Method) -> str:
    return next(word for word, kind in _WORDS.items() if isinstance(method, kind))


def _kind(method: Method) -> str:
    return f"prune ({method.kind})" if isinstance(method, Pruning) else _name(method)


def _in_words(method: Method) -> str:
    changed = [
        f"{field.name}={getattr(method, field.name)}"
        for field in dataclasses.fields(method)
        if getattr(method, field.name) != field.default
    ]
    return f"{_name(method)}:{','.join(changed)}" if changed else _name(method)


def _method(words: str) -> Method:
    name, _, rest = (part.strip() for part in words.partition(":"))
    if name not in _WORDS:
        raise SettingError(
            f"--settings names {name or 'nothing'}; allowed: {', '.join(_WORDS)}, joined by +."
            f"{closest(name, list(_WORDS))}"
        )
    kind, values = _WORDS[name], dict[str, Any]()
    known = get_type_hints(kind)
    for pair in rest.split(",") if rest else []:
        key, equals, text = (part.strip() for part in pair.partition("="))
        if key in values:
            raise SettingError(f"--settings gives {key} twice for {name}. Remove one.")
        if not equals or key not in known:
            wanted = ", ".join(f"{each}=VALUE" for each in known) or "nothing"
            raise SettingError(
                f"--settings gives {pair.strip() or 'nothing after a comma'} for {name}; allowed: "
                f"{wanted}.{closest(key, list(known)) or ' Remove it, or write one.'}"
            )
        try:
            values[key] = known[key](text) if known[key] in (int, float) else text
        except ValueError:
            wanted = "whole numbers" if known[key] is int else "numbers"
            raise SettingError(
                f"{key} of {name} is {text}; allowed: {wanted}. Write one."
            ) from None
    method: Method = kind(**values)
    return method
