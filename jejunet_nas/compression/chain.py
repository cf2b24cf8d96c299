"""Chain: methods of compression in an order that makes sense, and in words.

A chain is applied from left to right: prune, then cluster, then one of the formats that a graph can
be written in, int8 after training where none is named.

    (Pruning(kind="channels", share=0.5), QuantizationAware())

In words, as the command line takes them: `prune:share=0.5 + qat`.
"""

import dataclasses
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
_ORDER: tuple[tuple[type[Any], ...], ...] = ((Pruning,), (Clustering,), get_args(Format))


def chain_of(network: Network, settings: CompressionSettings) -> Chain:
    """Return how `network` is made of the one that it was trained as."""
    methods: list[Method] = []
    if network.pruning:
        methods.append(dataclasses.replace(settings.pruning, share=network.pruning))
    if network.quantization == "quantization_aware":
        return (*methods, settings.quantization_aware)
    return (*methods, settings.post_training)


def checked_chain(methods: Sequence[Method]) -> Chain:
    """Return `methods` with a format at the end. Raises `SettingError` for another order."""
    places = [_place(method) for method in methods]
    for before, after, left, right in zip(places, places[1:], methods, methods[1:], strict=False):
        if before > after or (before == after and not _are_both_prunings(left, right)):
            fix = "Leave one out" if _kind(left) == _kind(right) else "Exchange them"
            if before == after == len(_ORDER) - 1:
                fix = "Give each a --settings of its own"
            raise SettingError(
                f"{_kind(left)} stands before {_kind(right)}; allowed: prune (channels, then "
                f"magnitude), then cluster, then one of {', '.join(_formats())}. {fix}."
            )
    clustered = any(isinstance(method, Clustering) for method in methods)
    if clustered and getattr(methods[-1], "equalize", "auto") == "always":
        raise SettingError(
            "equalize is always behind cluster, whose values it would pull apart; allowed: auto, "
            "never. Leave it out."
        )
    formatted = bool(places) and places[-1] == len(_ORDER) - 1
    return tuple(methods) if formatted else (*methods, PostTrainingInt8())


def chain_from_words(words: str) -> Chain:
    """Return the chain of `METHOD[:NAME=VALUE,...] + ...`. Raises `SettingError`."""
    return checked_chain([_method(part.strip()) for part in words.split("+")])


def chain_in_words(chain: Chain) -> str:
    """Return the words that `chain_from_words` reads, without what is as it would be anyway."""
    return " + ".join(map(_in_words, chain))


def _are_both_prunings(left: Method, right: Method) -> bool:
    """Return whether channels are pruned first and single weights then."""
    kinds = [method.kind for method in (left, right) if isinstance(method, Pruning)]
    return kinds == ["channels", "magnitude"]


def _place(method: Method) -> int:
    return next(place for place, kinds in enumerate(_ORDER) if isinstance(method, kinds))


def _name(method: Method) -> str:
    return next(word for word, kind in _WORDS.items() if isinstance(method, kind))


def _kind(method: Method) -> str:
    return f"prune ({method.kind})" if isinstance(method, Pruning) else _name(method)


def _formats() -> list[str]:
    return [word for word, kind in _WORDS.items() if kind in get_args(Format)]


def _in_words(method: Method) -> str:
    told = [
        f"{field.name}={getattr(method, field.name)}"
        for field in dataclasses.fields(method)
        if getattr(method, field.name) != field.default
    ]
    return f"{_name(method)}:{','.join(told)}" if told else _name(method)


def _method(words: str) -> Method:
    name, _, rest = (part.strip() for part in words.partition(":"))
    if name not in _WORDS:
        raise SettingError(
            f"--settings names {name or 'nothing'}; allowed: {', '.join(_WORDS)}, joined by +."
            f"{closest(name, list(_WORDS))}"
        )
    kind = _WORDS[name]
    values = {}
    for pair in rest.split(",") if rest else []:
        key, equals, text = (part.strip() for part in pair.partition("="))
        known = get_type_hints(kind)
        if key in values:
            raise SettingError(
                f"--settings says {key} of {name} twice; allowed: once. Remove one of them."
            )
        if not equals or key not in known:
            wanted = ", ".join(f"{each}=VALUE" for each in known) or "nothing"
            raise SettingError(
                f"--settings says {pair.strip() or 'nothing behind a comma'} of {name}; allowed: "
                f"{wanted}. {closest(key, list(known)).strip() or 'Remove it, or write one.'}"
            )
        values[key] = _value(name, key, text, known[key])
    method: Method = kind(**values)
    return method


def _value(name: str, key: str, text: str, kind: Any) -> Any:
    if kind not in (int, float):
        return text
    try:
        return kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise SettingError(f"{key} of {name} is {text}; allowed: {wanted}. Write one.") from None
