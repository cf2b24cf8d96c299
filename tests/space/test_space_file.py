import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from jejunet_nas.errors import SettingError
from jejunet_nas.space.search_space import DIMENSIONS, SearchSpace
from jejunet_nas.space.space_file import read_search_space, space_from_mapping
from tests.space.build import SPACE, SPACES, to_yaml

BAD_CHOICES = [
    ("depth_multiplier", [], "depth_multiplier has no choices. Add one to its list."),
    ("depth_multiplier", 0.5, "depth_multiplier is 0.5; allowed: a list of choices, or a range."),
    ("depth_multiplier", 0.5, "Write [0.5] for one choice."),
    ("depth_multiplier", None, "depth_multiplier is None; allowed: a list of choices"),
    ("depth_multiplier", ["wide"], "depth_multiplier holds 'wide'; allowed: a number."),
    ("depth_multiplier", [True], "depth_multiplier holds True; allowed: a number."),
    ("depth_multiplier", [9], "depth_multiplier is 9.0; allowed: 0.1 to 1.4. The nearest is 1.4."),
    ("depth_multiplier", [1, 1.0], "depth_multiplier holds 1.0 twice. Remove one."),
    ("last_block", [12.0], "last_block holds 12.0; allowed: a whole number."),
    ("last_block", ["off"], "last_block holds 'off'; allowed: a whole number."),
    ("last_block", [17], "last_block is 17; allowed: 6, 7,"),
    ("output_stride", [12], "output_stride is 12; allowed: 16 or 32."),
    ("decoder_channels", [12], "decoder_channels is 12; allowed: multiples of 8 from 8 to 256."),
    ("detail", [3], "detail holds 3; allowed: a word."),
    ("detail", ["fat"], "detail is fat; allowed: shared, thin, narrow, none."),
    ("detail", ["thin", "thin"], "detail holds thin twice. Remove one."),
    ("detail", [False], "detail holds False; allowed: a word."),
    ("resolution", [225], "resolution: input_height is 225; allowed: multiples of 32 from 64"),
    ("resolution", [225], "The nearest is 224."),
    ("resolution", ["224x230"], "resolution: input_width is 230; allowed: multiples of 32"),
    ("resolution", ["224 by 320"], "resolution holds 224 by 320; allowed: a side such as 256, or"),
    ("resolution", [1.5], "resolution holds 1.5; allowed: a whole number or a word."),
    ("resolution", [[192, 320]], "resolution holds [192, 320]; allowed: a whole number or a word."),
    ("keyframe_interval", [0], "keyframe_interval is 0; allowed: 1 to 120. The nearest is 1."),
    (
        "between_keyframes",
        ["skip"],
        "between_keyframes is skip; allowed: propagate, warp, move, reuse.",
    ),
    ("reuse_below", [None], "reuse_below holds None; allowed: a number or off."),
    ("reuse_below", ["of"], "reuse_below holds 'of'; allowed: a number or off."),
    ("reuse_below", [0.1, 0.1], "reuse_below holds 0.1 twice. Remove one."),
    ("refresh_above", [1.5], "refresh_above is 1.5; allowed: 0.0 to 1.0. The nearest is 1.0."),
    ("refresh_above", [True], "refresh_above holds True; allowed: a number or off."),
    ("asynchronous", [], "asynchronous has no choices. Add one to its list."),
    ("asynchronous", True, "asynchronous is True; allowed: a list of choices, or a range."),
    ("asynchronous", ["yes"], "asynchronous holds 'yes'; allowed: on or off."),
    ("asynchronous", ["off"], "asynchronous holds 'off'; allowed: on or off."),
    ("asynchronous", [1], "asynchronous holds 1; allowed: on or off."),
    ("asynchronous", [None], "asynchronous holds None; allowed: on or off."),
    ("asynchronous", [True, True], "asynchronous holds on twice. Remove one."),
    ("asynchronous", {"from": 0, "to": 1}, "asynchronous holds 0; allowed: on or off."),
    ("detail", {"from": 0, "to": 1}, "detail holds 0; allowed: a word."),
]

OPTIONAL = ("asynchronous", "ahead", "pruning", "quantization")

BAD_RANGES = [
    ({"from": 12, "to": 1}, "runs from 12 to 1 in steps of 1, which gives no choice. Swap"),
    ({"from": 1, "to": 9, "step": 0}, "runs from 1 to 9 in steps of 0, which gives no choice."),
    ({"from": 1}, "{'from': 1}; allowed: {from: 1, to: 12} or {from: 1, to: 12, step: 2}"),
    ({"from": 1, "to": 2.5}, "allowed: {from: 1, to: 12}"),
    ({"from": 1, "to": 9, "by": 2}, "with whole numbers. Write a range like these, or a list."),
    ({}, "keyframe_interval is {}; allowed: {from: 1, to: 12}"),
]


def space(**changes: Any) -> SearchSpace:
    return space_from_mapping({**SPACE, **changes}, "s.yaml")


@given(space=SPACES)
def test_a_space_written_as_yaml_reads_back_as_itself(space: SearchSpace) -> None:
    assert space_from_mapping(yaml.safe_load(to_yaml(space)), "space") == space


def test_a_file_reads_as_the_space_it_lists(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(to_yaml(space(detail=["thin", "shared"])))

    assert read_search_space(tmp_path / "s.yaml") == space(detail=["thin", "shared"])


def test_a_range_lists_its_whole_numbers_both_ends_included() -> None:
    ranges = space(
        keyframe_interval={"from": 1, "to": 3}, resolution={"from": 128, "to": 320, "step": 96}
    )

    assert ranges.keyframe_interval == (1, 2, 3)
    assert ranges.resolution == (128, 224, 320)


@pytest.mark.parametrize("off", ["off", False])
def test_off_is_read_as_a_word_and_as_false(off: Any) -> None:
    assert space(reuse_below=[off, 0]).reuse_below == (None, 0.0)


def test_a_range_of_a_float_dimension_holds_floats() -> None:
    assert [repr(each) for each in space(reuse_below={"from": 0, "to": 0}).reuse_below] == ["0.0"]


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("asynchronous: [off, on]", (False, True)),
        ("asynchronous: [on]", (True,)),
        ("asynchronous: [true, false]", (True, False)),
        ("", (False,)),
    ],
)
def test_asynchronous_is_off_or_on_and_off_by_default(
    tmp_path: Path, line: str, choices: tuple[bool, ...]
) -> None:
    rest = {name: values for name, values in SPACE.items() if name != "asynchronous"}
    (tmp_path / "s.yaml").write_text(f"{yaml.safe_dump(rest)}{line}\n")

    found = read_search_space(tmp_path / "s.yaml")

    assert found.asynchronous == choices
    assert space_from_mapping(yaml.safe_load(to_yaml(found)), "s.yaml") == found


def test_a_space_without_compression_uses_int8_after_training_and_no_pruning() -> None:
    rest = {name: values for name, values in SPACE.items() if name not in OPTIONAL}

    found = space_from_mapping(rest, "s.yaml")

    assert (found.pruning, found.quantization) == ((0.0,), ("post_training",))
    assert space_from_mapping(yaml.safe_load(to_yaml(found)), "s.yaml") == found


@pytest.mark.parametrize(("name", "choices", "words"), BAD_CHOICES)
def test_an_invalid_choice_names_what_is_allowed(name: str, choices: Any, words: str) -> None:
    with pytest.raises(SettingError, match=rf"^s\.yaml: {name}.*") as caught:
        space(**{name: choices})

    assert words in str(caught.value)


@pytest.mark.parametrize(("given_range", "words"), BAD_RANGES)
def test_an_invalid_range_names_what_is_allowed(given_range: Any, words: str) -> None:
    with pytest.raises(SettingError, match=r"^s\.yaml: keyframe_interval ") as caught:
        space(keyframe_interval=given_range)

    assert words in str(caught.value)


@pytest.mark.parametrize("name", DIMENSIONS)
def test_a_misspelt_dimension_is_answered_with_the_nearest(name: str) -> None:
    misspelt = name[:-1] + "q"

    with pytest.raises(
        SettingError, match=rf"s\.yaml: {misspelt} is not a dimension; .* mean {name}\?"
    ):
        space(**{misspelt: SPACE[name]})


@pytest.mark.parametrize("name", [name for name in DIMENSIONS if name not in OPTIONAL])
def test_a_missing_dimension_is_named_with_the_line_to_add(name: str) -> None:
    rest = {key: choices for key, choices in SPACE.items() if key != name}

    with pytest.raises(
        SettingError, match=rf"s\.yaml: {name} is missing\. Add .*`{name}: \[\.\.\.\]`"
    ):
        space_from_mapping(rest, "s.yaml")


def test_every_reuse_threshold_must_be_below_every_refresh_threshold() -> None:
    words = "reuse_below holds 0.3; allowed: less than every refresh_above, whose smallest is 0.25."

    with pytest.raises(SettingError, match=re.escape(words)):
        space(reuse_below=["off", 0.05, 0.3], refresh_above=["off", 0.25, 0.5])


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("detail: [thin\nlast_block: [9]\n")

    with pytest.raises(SettingError, match=r"s\.yaml line 2: .*\. Fix the YAML"):
        read_search_space(tmp_path / "s.yaml")


@pytest.mark.parametrize(
    ("dimension", "value", "problem"),
    [
        ("keyframe_interval", {"from": 1, "to": 10**9}, "keyframe_interval is 1000000000; allowed"),
        ("keyframe_interval", {"from": -(2**62), "to": 4}, "keyframe_interval is -46116860184273"),
        ("resolution", {"from": 64, "to": 2**62, "step": 32}, "resolution: input_height is 4611"),
        ("depth_multiplier", {"from": 1, "to": 10**12}, "depth_multiplier is 1000000000000.0; all"),
        ("keyframe_interval", [4] * 100_000, "has 100000 choices; allowed: up to 1000"),
        ("resolution", ["9" * 5000 + "x64"], r"resolution holds 99.*; allowed: a side such as"),
        ("resolution", "x" * 5000, r"resolution is x{40}\.\.\. \(5000 characters\); allowed: a li"),
    ],
)
def test_a_size_is_bounded_before_it_is_made(dimension: str, value: object, problem: str) -> None:
    tracemalloc.start()

    with pytest.raises(SettingError, match=problem):
        space(**{dimension: value})

    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
