"""Glossary: the notation and the terms of a report, explained for its readers."""

from jejunet_nas.records.words import input_words
from jejunet_nas.scoring.ranking import REQUIREMENTS
from jejunet_nas.space.architecture import Network, Policy

NETWORK_EXAMPLE = "0.5 x blocks 0-12 /16, 48 ch, thin /8, 256 px"
POLICY_EXAMPLE = "key every 4, propagate, gate reuse < 0.05, refresh > 0.2"

NOTATION = (
    ("0.5 x", "depth multiplier (factor on the channels of MobileNetV2)"),
    ("blocks 0-12", "blocks of MobileNetV2 that are kept"),
    ("/16", "output stride (input size / size of the deepest feature map)"),
    ("48 ch", "channels of the decoder"),
    ("thin /8", "kind of the detail branch, and output stride of the mask"),
    ("256 px", "input size; 160x224 px is height x width"),
    ("key every 4", "a keyframe at least every 4 frames"),
    ("propagate", "path of the frames between keyframes"),
    (
        "gate reuse < 0.05, refresh > 0.2",
        "the gate's score of change: below the first threshold the keyframe's mask is reused, "
        "above the second the frame becomes a keyframe",
    ),
    ("ahead", "the screen shows each mask moved on by the last motion of the picture"),
    ("in the background", "keyframes run on a second core while other frames are answered"),
    ("added", "another policy of a network that an earlier trial trained; no sampler drew it"),
    ("key without pause", "in the background, each keyframe starts when the last one is ready"),
)
TERMS = (
    ("keyframe", "a frame on which the whole network runs"),
    ("context", "the deep feature map of the last keyframe, which later frames use"),
    ("detail", "high-resolution features of the current frame, which cost little"),
    ("path", "how the mask of a frame is made: key, propagate, warp, move or reuse"),
    (
        "propagate",
        "the mask comes from the detail of this frame and the context of the last keyframe",
    ),
    ("warp", "the same, with the context moved with the picture, found by block matching"),
    ("move, reuse", "the last keyframe's mask moves with the picture, or is shown as it is"),
    ("gate", "a small network that scores the change since the last keyframe"),
    ("policy", "the rule that picks the path of each frame"),
    (
        "mIoU",
        "streaming mIoU: at each frame's time, the newest finished mask is compared with that "
        "frame's annotation; no mask counts as wrong, and a clip's first frame does not count",
    ),
    ("own-frame mIoU", "each mask compared with the frame that it was made from, none dropped"),
    (
        "held-out mIoU",
        "of the pick, on clips and with training seeds that it was not picked by",
    ),
    (
        "feasible",
        f"meets the target: {REQUIREMENTS['no_drops']}. A study with the rule every_frame asks "
        f"that {REQUIREMENTS['every_frame']}; with the rule mean, that {REQUIREMENTS['mean']}",
    ),
    ("front", "Pareto front: no other trial has a higher mIoU at the same or a lower latency"),
    ("knee", "the trial of the front where the trade-off bends most"),
    ("sustained fps", "1000 / mean latency of a frame in ms"),
    ("worst", "the highest latency of a frame"),
    ("dropped", "share of camera frames that a newer frame overwrites in a one-frame buffer"),
    ("int8 - float", "effect of int8 quantisation on mIoU, with every frame a keyframe"),
    ("consistent", "pixels that keep their class over time where the annotation keeps it"),
    ("J, F", "region and boundary scores of DAVIS"),
    (
        "hypervolume",
        "area between the front and mIoU 0 at the target's latency, in mIoU x ms; over networks: "
        "of all policies of the networks that were trained until then",
    ),
)


def network_meaning(network: Network) -> str:
    """Return a network in plain words, say for a reader who does not know the notation."""
    decoder = "no decoder"
    if network.propagates:
        decoder = (
            f"a decoder of {network.decoder_channels} channels with the {network.detail} detail "
            f"branch, masks at 1/{network.logit_stride} of the input"
        )
    extras = f", {100 * network.pruning:g} % of the channels pruned" if network.pruning else ""
    if network.quantization != "post_training":
        extras += ", quantisation-aware training (QAT)"
    return (
        f"MobileNetV2 with depth multiplier {network.depth_multiplier:g}, blocks 0 to "
        f"{network.last_block}, output stride {network.output_stride}; {decoder}; input "
        f"{input_words(network)}{extras}."
    )


def policy_meaning(policy: Policy) -> str:
    """Return a policy in plain words."""
    if not policy.spares_frames:
        return "The whole network runs on every frame."
    often = f"at least every {policy.keyframe_interval} frames"
    if policy.keyframe_interval == 1:
        often = "as often as it can"
    said = [f"The whole network runs {often}{', on a second core' if policy.asynchronous else ''}."]
    if policy.between_keyframes == "reuse":
        said.append("Other frames show its last mask again.")
    elif policy.between_keyframes == "move":
        said.append("On other frames its last mask moves with the picture.")
    elif policy.between_keyframes == "warp":
        said.append(
            "Other frames combine their own detail with the features of that keyframe, moved with "
            "the picture."
        )
    else:
        said.append("Other frames combine their own detail with the features of that keyframe.")
    if policy.reuse_below is not None:
        said.append("Where a gate sees little change, the old mask is shown.")
    if policy.refresh_above is not None:
        said.append("Where a gate sees much change, a new keyframe begins.")
    if policy.ahead:
        said.append("The screen shows each mask moved on, as the next frame is expected to look.")
    return " ".join(said)


def legend() -> str:
    """Return the notation in one Markdown paragraph."""
    words = "; ".join(f"`{sign}`: {meaning}" for sign, meaning in NOTATION)
    miou = ". ".join(f"{term}: {meaning}" for term, meaning in TERMS if "mIoU" in term)
    return f"{miou}. Notation: {words}. `index.html` explains the other terms."
