"""Choices and a chooser make an architecture; and back again.

Dimensions that have no say in an architecture are not drawn, so that no two draws differ in
nothing: the output stride of a backbone that ends before stride 32, the gate of a policy without
frames between keyframes, what starts a keyframe early where keyframes start as often as they can,
and what is shown between them, which is propagated where they run in the background. A network
without detail has neither a logit stride of its own nor anything to show but the keyframe's mask.
"""

from collections.abc import Sequence
from typing import Protocol, cast

from jejunet_nas.space.architecture import (
    FIRST_BLOCK_AT_STRIDE_32,
    Architecture,
    BetweenKeyframes,
    Detail,
    Network,
    Policy,
    Quantization,
)
from jejunet_nas.space.search_space import Choice, SearchSpace, size_of


class Chooser(Protocol):
    """Picks one of the choices of the dimension `name`."""

    def __call__(self, name: str, choices: Sequence[Choice]) -> Choice:
        """Return one of `choices`."""


def draw(space: SearchSpace, choose: Chooser) -> Architecture:
    """Return the architecture that `choose` picks from `space`, dimension by dimension."""

    def pick(name: str) -> Choice:
        return choose(name, getattr(space, name))

    depth_multiplier = cast(float, pick("depth_multiplier"))
    last_block = cast(int, pick("last_block"))
    deep = last_block >= FIRST_BLOCK_AT_STRIDE_32
    output_stride = cast(int, pick("output_stride")) if deep else 16
    decoder_channels = cast(int, pick("decoder_channels"))
    detail = cast(Detail, pick("detail"))
    logit_stride = output_stride if detail == "none" else cast(int, pick("logit_stride"))
    height, width = size_of(pick("resolution"))
    pruning = cast(float, pick("pruning"))
    quantization = cast(Quantization, pick("quantization"))
    network = Network(
        depth_multiplier=depth_multiplier,
        last_block=last_block,
        output_stride=output_stride,
        decoder_channels=decoder_channels,
        detail=detail,
        logit_stride=logit_stride,
        input_height=height,
        input_width=width,
        pruning=pruning,
        quantization=quantization,
    )
    return Architecture(network=network, policy=_draw_policy(pick, network))


def choices_of(architecture: Architecture) -> dict[str, Choice]:
    """Return the choices from which `draw` makes `architecture`."""
    network, policy = architecture.network, architecture.policy
    return {**network_choices(network), **_policy_choices(policy, network)}


def network_choices(network: Network) -> dict[str, Choice]:
    """Return the choices of the dimensions that belong to the network."""
    height, width = network.input_height, network.input_width
    choices: dict[str, Choice] = {
        "depth_multiplier": network.depth_multiplier,
        "last_block": network.last_block,
        "decoder_channels": network.decoder_channels,
        "detail": network.detail,
        "resolution": height if height == width else f"{height}x{width}",
        "pruning": network.pruning,
        "quantization": network.quantization,
    }
    if network.propagates:
        choices["logit_stride"] = network.logit_stride
    if network.last_block >= FIRST_BLOCK_AT_STRIDE_32:
        choices["output_stride"] = network.output_stride
    return choices


class _Pick(Protocol):
    def __call__(self, name: str) -> Choice: ...


def _draw_policy(pick: _Pick, network: Network) -> Policy:
    interval = cast(int, pick("keyframe_interval"))
    asynchronous = cast(bool, pick("asynchronous")) if network.propagates else False
    if interval == 1 and not asynchronous:
        return Policy(keyframe_interval=1)
    between: BetweenKeyframes = "propagate" if network.propagates else "reuse"
    if network.propagates and not asynchronous:
        between = cast(BetweenKeyframes, pick("between_keyframes"))
    reuse_below = pick("reuse_below") if between == "propagate" else None
    refresh_above = pick("refresh_above") if interval > 1 else None
    return Policy(
        keyframe_interval=interval,
        between_keyframes=between,
        reuse_below=cast("float | None", reuse_below),
        refresh_above=cast("float | None", refresh_above),
        asynchronous=asynchronous,
    )


def _policy_choices(policy: Policy, network: Network) -> dict[str, Choice]:
    choices: dict[str, Choice] = {"keyframe_interval": policy.keyframe_interval}
    if network.propagates:
        choices["asynchronous"] = policy.asynchronous
    if policy.keyframe_interval > 1 or policy.asynchronous:
        if network.propagates and not policy.asynchronous:
            choices["between_keyframes"] = policy.between_keyframes
        if policy.keyframe_interval > 1:
            choices["refresh_above"] = policy.refresh_above
        if policy.between_keyframes == "propagate":
            choices["reuse_below"] = policy.reuse_below
    return choices
