"""Draws an architecture from a search space, and returns the choices that make an architecture.

A dimension without effect is not drawn, so that equal architectures have equal choices:

    output_stride        only if the backbone reaches stride 32
    logit_stride         only with detail; so are asynchronous, between_keyframes and reuse_below
    between_keyframes    only if there are frames between keyframes; not reuse if asynchronous is on
    reuse_below          only if the frames between keyframes are propagated
    refresh_above        only if keyframe_interval is more than 1
    ahead                only if frames follow the motion of the picture

A study draws networks (`draw_network`), and scores all policies of each (`policies_of`).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jejunet_nas.space.architecture import (
    EVERY_FRAME,
    FIRST_BLOCK_AT_STRIDE_32,
    FOLLOWING,
    Architecture,
    Network,
    Policy,
)
from jejunet_nas.space.search_space import Choice, SearchSpace, size_of

Chooser = Callable[[str, Sequence[Choice]], Choice]  # picks one of a dimension's choices, by name
_Pick = Callable[..., Any]  # returns a choice of a named dimension, none of those named after it


def draw(space: SearchSpace, choose: Chooser) -> Architecture:
    """Return the architecture that `choose` picks from `space`, dimension by dimension."""
    return _draw(lambda name, *without: choose(name, _choices(space, name, without)))


def draw_network(space: SearchSpace, choose: Chooser) -> Network:
    """Return the network that `choose` picks from `space`, as `draw` does."""
    return _draw_network(lambda name: choose(name, getattr(space, name)))


def policies_of(space: SearchSpace, network: Network) -> list[Policy]:
    """Return every policy that `draw` can give `network`, each once; plain ones come first."""
    return [*_policies(space, network, {})]


def _policies(space: SearchSpace, network: Network, fixed: dict[str, Choice]) -> Iterator[Policy]:
    """Yield the policies with the choices `fixed`; the next dimension to be drawn varies."""
    missing: list[tuple[str, Sequence[Choice]]] = []

    def pick(name: str, *without: Choice) -> Any:
        if name not in fixed:
            missing.append((name, without))
            raise LookupError(name)
        return fixed[name]

    try:
        policy = _draw_policy(pick, network)
    except LookupError:
        name, without = missing[0]
        for choice in _choices(space, name, without):
            yield from _policies(space, network, {**fixed, name: choice})
    else:
        yield policy


def _choices(space: SearchSpace, name: str, without: Sequence[Choice]) -> Sequence[Choice]:
    return tuple(each for each in getattr(space, name) if each not in without)


def choices_of(architecture: Architecture) -> dict[str, Choice]:
    """Return the choices from which `draw` makes `architecture`."""
    values = _values(architecture.network) | dataclasses.asdict(architecture.policy)
    return _picked(values, _draw)


def network_choices(network: Network) -> dict[str, Choice]:
    """Return the choices of the dimensions that belong to the network."""
    return _picked(_values(network), _draw_network)


def _values(network: Network) -> dict[str, Any]:
    height, width = network.input_height, network.input_width
    resolution = height if height == width else f"{height}x{width}"
    return dataclasses.asdict(network) | {"resolution": resolution}


def _picked(values: dict[str, Any], draw_from: Callable[[_Pick], object]) -> dict[str, Choice]:
    """Return those of the `values` that `draw_from` picks."""
    picked: dict[str, Choice] = {}
    draw_from(lambda name, *_: picked.setdefault(name, values[name]))
    return picked


def _draw(pick: _Pick) -> Architecture:
    # The order is part of a study: samplers draw their random numbers in it.
    network = _draw_network(pick)
    return Architecture(network=network, policy=_draw_policy(pick, network))


def _draw_network(pick: _Pick) -> Network:
    depth_multiplier, last_block = pick("depth_multiplier"), pick("last_block")
    output_stride = pick("output_stride") if last_block >= FIRST_BLOCK_AT_STRIDE_32 else 16
    decoder_channels, detail = pick("decoder_channels"), pick("detail")
    logit_stride = output_stride if detail == "none" else pick("logit_stride")
    height, width = size_of(pick("resolution"))
    return Network(
        depth_multiplier=depth_multiplier,
        last_block=last_block,
        output_stride=output_stride,
        decoder_channels=decoder_channels,
        detail=detail,
        logit_stride=logit_stride,
        input_height=height,
        input_width=width,
        pruning=pick("pruning"),
        quantization=pick("quantization"),
    )


def _draw_policy(pick: _Pick, network: Network) -> Policy:
    interval = pick("keyframe_interval")
    asynchronous = network.propagates and pick("asynchronous")
    if interval == 1 and not asynchronous:
        return EVERY_FRAME
    between = "reuse"
    if network.propagates:
        between = pick("between_keyframes", *(["reuse"] if asynchronous else []))
    return Policy(
        keyframe_interval=interval,
        between_keyframes=between,  # type: ignore[arg-type]
        reuse_below=pick("reuse_below") if between == "propagate" else None,
        refresh_above=pick("refresh_above") if interval > 1 else None,
        asynchronous=asynchronous,
        ahead=between in FOLLOWING and pick("ahead"),
    )
