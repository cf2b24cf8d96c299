import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.space.draw import choices_of, draw, draw_network, network_choices, policies_of
from jejunet_nas.space.search_space import SearchSpace, set_dimension
from jejunet_nas.space.space_file import read_search_space, space_from_mapping
from tests.space.build import ARCHITECTURE, NETWORK, SPACE, SPACES, Drawing

SPACES_FOLDER = Path(__file__).parents[2] / "search_spaces"


@given(space=SPACES, data=st.data())
def test_choices_of_an_architecture_draw_it_again(space: SearchSpace, data: Any) -> None:
    architecture = draw(space, Drawing(data))
    choices = choices_of(architecture)

    assert draw(space, lambda name, _: choices[name]) == architecture


@given(space=SPACES, data=st.data())
def test_the_choices_of_an_architecture_are_those_it_was_drawn_with(
    space: SearchSpace, data: Any
) -> None:
    drawing = Drawing(data)

    assert choices_of(draw(space, drawing)) == drawing.chosen


@given(space=SPACES, data=st.data())
def test_an_architecture_keeps_to_its_space(space: SearchSpace, data: Any) -> None:
    architecture = draw(space, Drawing(data))

    for name, choice in choices_of(architecture).items():
        assert choice in getattr(space, name)
        assert set_dimension(architecture, name, choice).network == architecture.network


@pytest.mark.parametrize("file", sorted(SPACES_FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
@given(data=st.data())
def test_every_architecture_of_a_space_that_ships_is_valid(file: Path, data: Any) -> None:
    space, drawing = read_search_space(file), Drawing(data)

    assert choices_of(draw(space, drawing)) == drawing.chosen  # a value that exists is valid


@given(space=SPACES, data=st.data())
def test_every_policy_that_is_drawn_is_listed_once(space: SearchSpace, data: Any) -> None:
    architecture = draw(space, Drawing(data))

    policies = policies_of(space, architecture.network)

    assert architecture.policy in policies
    assert len(set(policies)) == len(policies)
    assert all(Architecture(network=architecture.network, policy=each) for each in policies)


def test_the_policies_of_the_mobile_space_begin_with_the_plain_one() -> None:
    policies = policies_of(read_search_space(SPACES_FOLDER / "mobile_video.yaml"), NETWORK)

    assert policies[0] == Policy(keyframe_interval=1)
    assert len(policies) == 1 + 11 * (4 * 4 + 4 + 4 + 4)


@given(space=SPACES, data=st.data())
def test_a_network_is_drawn_as_the_one_of_an_architecture(space: SearchSpace, data: Any) -> None:
    choices = choices_of(draw(space, Drawing(data)))

    network = draw(space, lambda name, _: choices[name]).network

    assert draw_network(space, lambda name, _: choices[name]) == network


def drawn(**changes: Any) -> dict[str, Any]:
    """What is asked for when a space of one choice a dimension is drawn."""
    asked = {}

    def choose(name: str, choices: Any) -> Any:
        asked[name] = choices[0]
        return choices[0]

    draw(space_from_mapping({**SPACE, **changes}, "space"), choose)
    return asked


def test_the_output_stride_is_not_drawn_before_stride_32_begins() -> None:
    assert "output_stride" not in drawn(last_block=[12], output_stride=[32])
    assert drawn(last_block=[13], output_stride=[32])["output_stride"] == 32


def test_without_detail_there_is_no_logit_stride_and_no_propagating_to_draw() -> None:
    asked = drawn(detail=["none"], keyframe_interval=[4], reuse_below=[0.1], refresh_above=[0.4])

    assert not asked.keys() & {"logit_stride", "asynchronous", "between_keyframes", "reuse_below"}
    assert asked["refresh_above"] == 0.4


def test_no_policy_is_drawn_where_every_frame_is_a_keyframe() -> None:
    asked = drawn(keyframe_interval=[1], reuse_below=[0.1], refresh_above=[0.4])

    assert not asked.keys() & {"between_keyframes", "reuse_below", "refresh_above"}


def test_asynchronous_keyframes_have_frames_between_them_at_any_interval() -> None:
    asked = drawn(
        keyframe_interval=[1], reuse_below=[0.1], refresh_above=[0.4], asynchronous=[True]
    )

    assert asked["reuse_below"] == 0.1
    assert asked["between_keyframes"] == "propagate"
    assert "refresh_above" not in asked  # keyframes begin as often as they can


def test_masks_can_move_between_asynchronous_keyframes_but_not_be_reused() -> None:
    space = space_from_mapping(
        {**SPACE, "asynchronous": [True], "between_keyframes": ["reuse", "move", "propagate"]}, "s"
    )

    policies = policies_of(space, NETWORK)

    assert [each.between_keyframes for each in policies] == ["move", "propagate"]
    assert all(choices_of(Architecture(network=NETWORK, policy=each)) for each in policies)


def test_only_what_follows_motion_is_shown_ahead() -> None:
    space = space_from_mapping(
        {
            **SPACE,
            "keyframe_interval": [1, 4],
            "between_keyframes": ["reuse", "move", "propagate", "warp"],
            "ahead": [True],
        },
        "s",
    )

    policies = policies_of(space, NETWORK)

    found = {(each.between_keyframes, each.ahead) for each in policies if each.spares_frames}
    assert found == {("reuse", False), ("move", True), ("propagate", False), ("warp", True)}
    assert not any(each.ahead for each in policies if not each.spares_frames)


def test_the_gate_can_start_an_asynchronous_keyframe_early() -> None:
    asked = drawn(reuse_below=[0.1], refresh_above=[0.4], asynchronous=[True])

    assert (asked["reuse_below"], asked["refresh_above"]) == (0.1, 0.4)


def test_the_gate_does_not_choose_reuse_where_every_mask_is_reused() -> None:
    asked = drawn(between_keyframes=["reuse"], reuse_below=[0.1], refresh_above=[0.4])

    assert "reuse_below" not in asked
    assert asked["refresh_above"] == 0.4


def test_the_choices_of_a_network_leave_the_policy_open() -> None:
    choices = network_choices(NETWORK)

    assert choices["resolution"] == "192x320"
    assert not choices.keys() & {field.name for field in dataclasses.fields(Policy)}
    assert choices.items() <= choices_of(ARCHITECTURE).items()
