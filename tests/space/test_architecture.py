import dataclasses
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.space.architecture import (
    Architecture,
    Policy,
    architecture_from_dict,
    canonical_json,
    network_id,
)
from jejunet_nas.space.draw import draw
from jejunet_nas.space.search_space import SearchSpace
from tests.space.build import ARCHITECTURE, NETWORK, POLICY, SPACES, Drawing

RECIPE = {"training": {"steps": 250, "init": "scratch"}, "longest_age": 11}
PLAIN = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=6)

OTHER_NETWORKS = [
    {"depth_multiplier": 0.35},
    {"last_block": 9},
    {"last_block": 16, "output_stride": 32},
    {"decoder_channels": 56},
    {"detail": "thin"},
    {"logit_stride": 4},
    {"input_height": 224},
    {"input_width": 224},
    {"pruning": 0.5},
    {"quantization": "quantization_aware"},
]

BAD_NETWORKS = [
    (
        {"depth_multiplier": 2.0},
        "depth_multiplier is 2.0; allowed: 0.1 to 1.4. The nearest is 1.4.",
    ),
    ({"depth_multiplier": 0}, "depth_multiplier is 0; allowed: 0.1 to 1.4. The nearest is 0.1."),
    ({"last_block": 5}, "last_block is 5; allowed: 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16."),
    ({"output_stride": 12}, "output_stride is 12; allowed: 16 or 32. Use 32 for speed"),
    (
        {"output_stride": 32},
        "output_stride is 32 with last_block 12; stride 32 begins at block 13.",
    ),
    ({"decoder_channels": 20}, "multiples of 8 from 8 to 256. The nearest is 16."),
    ({"decoder_channels": 300}, "decoder_channels is 300; allowed: multiples of 8 from 8 to 256."),
    ({"detail": "fat"}, "detail is fat; allowed: shared, thin, narrow, none."),
    ({"logit_stride": 16}, "logit_stride is 16; allowed: 4, 8."),
    (
        {"detail": "none"},
        "logit_stride is 8 with detail none, where logits have the stride of the context; "
        "allowed: 16.",
    ),
    ({"input_height": 225}, "input_height is 225; allowed: multiples of 32 from 64 to 1024."),
    ({"input_height": 225}, "The nearest is 224."),
    ({"input_width": 32}, "input_width is 32; allowed: multiples of 32 from 64 to 1024."),
    ({"input_width": 4096}, "The nearest is 1024."),
    ({"pruning": 0.95}, "pruning is 0.95; allowed: 0.01 to 0.9. The nearest is 0.9."),
    ({"pruning": 0.005}, "pruning is 0.005; allowed: 0.01 to 0.9. The nearest is 0.01."),
    (
        {"quantization": "post-training"},
        "allowed: post_training, quantization_aware. Did you mean post_training?",
    ),
]

BAD_POLICIES = [
    ({"keyframe_interval": 0}, "keyframe_interval is 0; allowed: 1 to 120. The nearest is 1."),
    ({"keyframe_interval": 121}, "The nearest is 120."),
    (
        {"between_keyframes": "skip"},
        "between_keyframes is skip; allowed: propagate, warp, move, reuse.",
    ),
    ({"reuse_below": -0.5}, "reuse_below is -0.5; allowed: 0.0 to 1.0. The nearest is 0.0."),
    ({"refresh_above": 2.0}, "refresh_above is 2.0; allowed: 0.0 to 1.0. The nearest is 1.0."),
    (
        {"keyframe_interval": 1, "reuse_below": 0.1},
        "reuse_below is 0.1 with keyframe_interval 1, where the gate never runs; allowed:",
    ),
    (
        {"keyframe_interval": 1, "refresh_above": 0.4},
        "refresh_above is 0.4 with keyframe_interval 1",
    ),
    (
        {"between_keyframes": "reuse", "reuse_below": 0.1},
        "reuse_below is 0.1 with between_keyframes reuse, where no frame is propagated;",
    ),
    (
        {"reuse_below": 0.4, "refresh_above": 0.4},
        "reuse_below is 0.4; allowed: less than refresh_above, which is 0.4.",
    ),
    (
        {"keyframe_interval": 1, "asynchronous": True, "refresh_above": 0.4},
        "refresh_above is 0.4 with keyframe_interval 1 and asynchronous on, where a new "
        "keyframe always starts as soon as possible; allowed: off. Use off, or a longer",
    ),
    (
        {"asynchronous": True, "between_keyframes": "reuse"},
        "is reuse with asynchronous on; allowed: propagate, warp, move. Use one of these",
    ),
    (
        {"asynchronous": True, "between_keyframes": "reuse", "reuse_below": 0.1},
        "reuse_below is 0.1 with between_keyframes reuse, where no frame is propagated;",
    ),
    *(
        (change, "ahead is on with a policy that follows no motion; allowed: off.")
        for change in (
            {"ahead": True},
            {"ahead": True, "between_keyframes": "reuse"},
            {"ahead": True, "between_keyframes": "move", "keyframe_interval": 1},
        )
    ),
    (
        {"asynchronous": True, "reuse_below": 0.4, "refresh_above": 0.4},
        "reuse_below is 0.4; allowed: less than refresh_above, which is 0.4.",
    ),
]


@pytest.mark.parametrize(("change", "words"), BAD_NETWORKS)
def test_an_invalid_network_names_what_is_allowed(change: Any, words: str) -> None:
    with pytest.raises(SettingError, match=re.escape(words)):
        dataclasses.replace(NETWORK, **change)


def test_without_detail_nothing_can_be_propagated() -> None:
    network = dataclasses.replace(NETWORK, detail="none", logit_stride=16)

    with pytest.raises(SettingError, match=r"between_keyframes is propagate with detail none.*Use"):
        Architecture(network=network, policy=POLICY)

    every_frame = Architecture(network=network, policy=Policy(keyframe_interval=1))
    assert not every_frame.network.propagates


@pytest.mark.parametrize(("change", "words"), BAD_POLICIES)
def test_an_invalid_policy_names_what_is_allowed(change: Any, words: str) -> None:
    with pytest.raises(SettingError, match=re.escape(words)):
        dataclasses.replace(POLICY, **change)


def test_a_policy_is_gated_where_one_threshold_is_set() -> None:
    assert not POLICY.gated
    assert dataclasses.replace(POLICY, reuse_below=0.1).gated
    assert Policy(keyframe_interval=2, between_keyframes="reuse", refresh_above=0.4).gated


def test_the_gate_can_run_with_asynchronous_keyframes() -> None:
    assert Policy(keyframe_interval=1, reuse_below=0.1, asynchronous=True).gated


def test_asynchronous_makes_another_architecture() -> None:
    background = dataclasses.replace(POLICY, asynchronous=True)

    assert canonical_json(background) != canonical_json(POLICY)
    assert architecture_from_dict(
        json.loads(canonical_json(Architecture(network=NETWORK, policy=POLICY)))
    ) == Architecture(network=NETWORK, policy=dataclasses.replace(background, asynchronous=False))


def test_an_architecture_without_asynchronous_reads_as_synchronous() -> None:
    plain = json.loads(canonical_json(ARCHITECTURE))
    del plain["policy"]["asynchronous"]

    assert architecture_from_dict(plain) == ARCHITECTURE


@given(content=PLAIN, seed=st.randoms(use_true_random=False))
def test_canonical_json_does_not_depend_on_the_order_of_keys(content: Any, seed: Any) -> None:
    keys = list(content)
    seed.shuffle(keys)

    assert canonical_json({key: content[key] for key in keys}) == canonical_json(content)


def test_canonical_json_refuses_infinity_and_nan() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        canonical_json({"rate": float("nan")})


@given(space=SPACES, data=st.data())
def test_an_architecture_reads_back_from_its_json(space: SearchSpace, data: Any) -> None:
    architecture = draw(space, Drawing(data))

    assert architecture_from_dict(json.loads(canonical_json(architecture))) == architecture


@given(space=SPACES, data=st.data())
def test_two_architectures_share_their_json_only_where_they_are_equal(
    space: SearchSpace, data: Any
) -> None:
    one, other = (draw(space, Drawing(data)) for _ in range(2))

    assert (canonical_json(one) == canonical_json(other)) == (one == other)


def test_a_network_id_stays_as_it_was_first_given() -> None:
    # Networks that were trained before are found by it: a change here trains them anew.
    assert network_id(NETWORK, RECIPE) == "7e3e738abffa"


@pytest.mark.parametrize("change", OTHER_NETWORKS)
def test_every_field_of_a_network_changes_its_id(change: Any) -> None:
    other = dataclasses.replace(NETWORK, **change)

    assert network_id(other, RECIPE) != network_id(NETWORK, RECIPE)


def test_no_field_of_a_network_is_left_out_above() -> None:
    changed = {name for change in OTHER_NETWORKS for name in change}

    assert changed == {field.name for field in dataclasses.fields(NETWORK)}


@pytest.mark.parametrize(
    "recipe",
    [
        {**RECIPE, "longest_age": 12},
        {**RECIPE, "training": {"steps": 251, "init": "scratch"}},
        {**RECIPE, "train_fingerprint": "0"},
    ],
)
def test_every_part_of_the_recipe_changes_the_id(recipe: Any) -> None:
    assert network_id(NETWORK, recipe) != network_id(NETWORK, RECIPE)


def test_the_policy_does_not_change_the_id() -> None:
    other = Architecture(network=NETWORK, policy=Policy(keyframe_interval=9))

    assert network_id(other.network, RECIPE) == network_id(ARCHITECTURE.network, RECIPE)
