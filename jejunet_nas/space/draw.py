"""Draws an architecture from a search space, and returns the choices that make an architecture.

A dimension without effect is not drawn, so that equal architectures have equal choices:

    output_stride        only if the backbone reaches stride 32
    logit_stride         only with detail; so are asynchronous, between_keyframes and reuse_below
    between_keyframes    only if there are frames between keyframes and asynchronous is off
    reuse_below          only if the frames between keyframes are propagated
    refresh_above        only if keyframe_interval is more than 1
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from jejunet_nas.space.architecture import FIRST_BLOCK_AT_STRIDE_32, Architecture, Network, Policy
from jejunet_nas.space.search_space import Choice, SearchSpace, size_of


class Chooser(Protocol):
    """Picks one of the choices of the dimension `name`."""

    def __call__(self, name: str, choices: Sequence[Choice]) -> Choice:
        """Return one of `choices`."""


def draw(space: SearchSpace, choose: Chooser) -> Architecture:
    """Return the architecture that `choose` picks from `space`, dimension by dimension."""

    def pick(name: str) -> Any:
        return choose(name, getattr(space, name))

    # The order is part of a study: samplers draw their random numbers in it.
    depth_multiplier, last_block = pick("depth_multiplier"), pick("last_block")
    output_stride = pick("output_stride") if last_block >= FIRST_BLOCK_AT_STRIDE_32 else 16
    decoder_channels, detail = pick("decoder_channels"), pick("detail")
    logit_stride = output_stride if detail == "none" else pick("logit_stride")
    height, width = size_of(pick("resolution"))
    network = Network(
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


def _draw_policy(pick: Callable[[str], Any], network: Network) -> Policy:
    interval = pick("keyframe_interval")
    asynchronous = network.propagates and pick("asynchronous")
    if interval == 1 and not asynchronous:
        return Policy(keyframe_interval=1)
    between = "propagate" if network.propagates else "reuse"
    if network.propagates and not asynchronous:
        between = pick("between_keyframes")
    return Policy(
        keyframe_interval=interval,
        between_keyframes=between,  # type: ignore[arg-type]
        reuse_below=pick("reuse_below") if between == "propagate" else None,
        refresh_above=pick("refresh_above") if interval > 1 else None,
        asynchronous=asynchronous,
    )


def _policy_choices(policy: Policy, network: Network) -> dict[str, Choice]:
    choices: dict[str, Choice] = {"keyframe_interval": policy.keyframe_interval}
    if network.propagates:
        choices["asynchronous"] = policy.asynchronous
    if policy.spares_frames:
        if network.propagates and not policy.asynchronous:
            choices["between_keyframes"] = policy.between_keyframes
        if policy.keyframe_interval > 1:
            choices["refresh_above"] = policy.refresh_above
        if policy.between_keyframes == "propagate":
            choices["reuse_below"] = policy.reuse_below
    return choices
