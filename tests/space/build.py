"""Architectures and spaces to test with, fixed and drawn."""

from typing import Any

import yaml
from hypothesis import strategies as st

from jejunet_nas.space.architecture import Architecture, Network, Policy
from jejunet_nas.space.search_space import Choice, SearchSpace

NETWORK = Network(
    depth_multiplier=0.5,
    last_block=12,
    output_stride=16,
    decoder_channels=48,
    detail="narrow",
    logit_stride=8,
    input_height=192,
    input_width=320,
)
POLICY = Policy(keyframe_interval=4)
ARCHITECTURE = Architecture(network=NETWORK, policy=POLICY)

# One choice a dimension, as a YAML file would hold them.
SPACE: dict[str, Any] = {
    "depth_multiplier": [0.5],
    "last_block": [12],
    "output_stride": [16],
    "decoder_channels": [48],
    "detail": ["narrow"],
    "logit_stride": [8],
    "resolution": ["192x320"],
    "keyframe_interval": [4],
    "between_keyframes": ["propagate"],
    "reuse_below": ["off"],
    "refresh_above": ["off"],
    "asynchronous": [False],
    "ahead": [False],
    "pruning": [0.5],
    "quantization": ["quantization_aware"],
}

SIDES = st.integers(2, 32).map(lambda cells: 32 * cells)
OBLONG = st.tuples(SIDES, SIDES).filter(lambda size: size[0] != size[1])
RESOLUTIONS = SIDES | OBLONG.map(lambda size: f"{size[0]}x{size[1]}")


def to_yaml(space: SearchSpace) -> str:
    """Return the YAML text that reads back as `space`."""
    content = {
        name: ["off" if choice is None else choice for choice in choices]
        for name, choices in space.choices().items()
    }
    return yaml.safe_dump(content, sort_keys=False)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, min_size=1, max_size=4, unique=True).map(tuple)


def _space(**choices: Any) -> SearchSpace:
    """Return a space in which frames have something to get where keyframes run behind them."""
    between = choices["between_keyframes"]
    if True in choices["asynchronous"] and between == ("reuse",):
        between = choices["between_keyframes"] = (*between, "propagate")
    if True in choices["ahead"] and not {"warp", "move"} & {*between}:
        choices["between_keyframes"] = (*between, "warp")
    return SearchSpace(**choices)


SPACES = st.builds(
    _space,
    depth_multiplier=some(st.floats(0.1, 1.4)),
    last_block=some(st.integers(6, 16)),
    output_stride=some(st.sampled_from([16, 32])),
    decoder_channels=some(st.integers(1, 32).map(lambda eights: 8 * eights)),
    detail=some(st.sampled_from(["shared", "thin", "narrow", "none"])),
    logit_stride=some(st.sampled_from([4, 8])),
    resolution=some(RESOLUTIONS),
    keyframe_interval=some(st.integers(1, 120)),
    between_keyframes=some(st.sampled_from(["propagate", "warp", "move", "reuse"])),
    # Every reuse_below is less than every refresh_above.
    reuse_below=some(st.none() | st.floats(0.0, 0.5)),
    refresh_above=some(st.none() | st.floats(0.5, 1.0, exclude_min=True)),
    asynchronous=some(st.booleans()),
    ahead=some(st.booleans()),
    pruning=some(st.just(0.0) | st.floats(0.01, 0.9)),
    quantization=some(st.sampled_from(["post_training", "quantization_aware"])),
)


class Drawing:
    """A chooser that lets hypothesis choose, and keeps what was chosen."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.chosen: dict[str, Choice] = {}

    def __call__(self, name: str, choices: Any) -> Choice:
        self.chosen[name] = self._data.draw(st.sampled_from(choices), label=name)
        return self.chosen[name]
