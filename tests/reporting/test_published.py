"""Published results, read from the package and from files that anyone may have written."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.profile_json import PROFILES, read_profile_json
from jejunet_nas.latency.published_networks import jejunet_deeplabv3
from jejunet_nas.reporting.published import PublishedResult, published_results, read_published

# HarDNet (ICCV 2019), table 2: mIoU in per cent, GMACs at 352x480, GPU time of 233 pictures in s
CAMVID = {
    "SegNet": (46.4, 224, 3.7),
    "FCN8": (57.0, 143, 4.9),
    "FC-DenseNet56": (58.9, 60, 6.1),
    "FC-HarDNet68": (62.9, 15, 3.1),
    "FC-DenseNet67": (65.8, 140, 10.2),
    "FC-DenseNet103": (66.9, 134, 11.4),
    "FC-HarDNet84": (67.7, 100, 6.7),
}
ROW = {"name": "SegNet", "miou": 0.464, "gmacs": 224}
TABLE = {
    "citation": "a paper, table 2",
    "split": "test",
    "input_height": 360,
    "input_width": 480,
    "precision": "float32",
    "hardware": "a GPU",
    "rows": [ROW],
}


def read(folder: Path, content: Any) -> tuple[PublishedResult, ...]:
    file = folder / "roads.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return read_published(file)


def test_camvids_results_are_those_of_the_paper_best_first() -> None:
    found = published_results("camvid")

    assert [row.name for row in found] == list(CAMVID)[::-1]
    for row in found:
        miou_pct, gmacs, together_s = CAMVID[row.name]
        assert (row.miou, row.gmacs) == (pytest.approx(miou_pct / 100), gmacs)
        assert row.latency_ms == pytest.approx(1000 * together_s / 233, abs=0.05)
        assert (row.split, row.precision) == ("test", "float32")


def test_the_macs_of_jejunets_results_are_those_of_its_layers() -> None:
    for row in published_results("voc2012"):
        macs = sum(operator.macs for operator in jejunet_deeplabv3(row.input_width))

        assert row.gmacs == pytest.approx(macs / 1e9, rel=0.005)  # three digits


def test_the_latencies_of_jejunets_results_are_those_of_the_pixel_2s_profile() -> None:
    points = {
        point["input_size_px"]: point["latency_ms"]
        for point in read_profile_json(PROFILES / "pixel2.json")["points"]
        if (point["network"], point["threads"]) == ("deeplabv3_mobilenet_v2_os16", 1)
    }

    found = {row.input_width: row.latency_ms for row in published_results("voc2012")}

    assert points == {size: found[size] for size in points}
    assert len(points) == 3


@pytest.mark.parametrize("name", ["davis", "", "camvid.yaml", "../published_results/camvid", "\0"])
def test_other_data_sets_have_no_results_whatever_they_are_called(name: str) -> None:
    assert published_results(name) == ()


def test_a_row_may_differ_from_its_table(tmp_path: Path) -> None:
    other = {**ROW, "name": "Other", "split": "val", "citation": "its paper"}

    first, second = read(tmp_path, {"tables": [TABLE | {"rows": [ROW, other]}]})

    assert (first.split, first.citation) == ("test", "a paper, table 2")
    assert (second.split, second.citation) == ("val", "its paper")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"miou": 46.4}, r"rows\[0\]: miou is 46.4; allowed: more than 0, up to 1. Write 0.464."),
        ({"miou": -1}, "miou is -1.0; allowed: more than 0, up to 1. Fix that value."),
        ({"miou": "high"}, "miou is 'high'; allowed: number. Fix"),
        ({"miuo": 0.4}, r"miuo is an unknown key; allowed: name, .*Did you mean miou\?"),
        ({"split": "train"}, "split is 'train'; allowed: 'val', 'test' or 'unknown'"),
        ({"gmacs": 0}, "gmacs is 0; allowed: greater than 0"),
        ({"gmacs": None}, "SegNet has neither gmacs nor latency_ms. Add one"),
        ({"latency_ms": 3.0}, "latency_source of SegNet is missing. Add `latency_source: measured"),
        ({"citation": ""}, "citation is ''; allowed: string should have at least 1 character"),
        ({"threads": True}, "threads is True; allowed: integer"),
    ],
)
def test_a_wrong_row_is_named_with_its_key(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=message):
        read(tmp_path, {"tables": [TABLE | {"rows": [ROW | change]}]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "roads.yaml: tables is missing or empty. Write an item"),
        ({"rows": [ROW]}, "roads.yaml: rows is an unknown key; allowed: tables"),
        ({"tables": 3}, "tables is 3 instead of a list"),
        ({"tables": [3]}, r"tables\[0\] is 3 instead of keys with values"),
        ({"tables": [TABLE | {"rows": []}]}, r"tables\[0\].rows is missing or empty"),
        ({"tables": [{"rows": [ROW]}]}, r"tables\[0\].rows\[0\]: split is missing. Add a line"),
        ({"tables": [TABLE, TABLE]}, "roads.yaml has SegNet twice. Remove one"),
    ],
)
def test_a_file_of_another_form_says_what_is_wrong(
    content: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=message):
        read(tmp_path, content)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*TABLE, *ROW, "tables"]) | st.text(max_size=3) | st.integers(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(value=VALUES, at=st.sampled_from(["file", "tables", "table", "rows", *TABLE, *ROW]))
def test_whatever_stands_in_a_file_gives_rows_or_one_line(
    value: Any, at: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    row = ROW | ({at: value} if at in ROW else {})
    table = TABLE | {"rows": [row]} | ({at: value} if at in TABLE else {})
    content = {"file": value, "tables": {"tables": value}, "table": {"tables": [value]}}

    try:
        found = read(tmp_path_factory.getbasetemp(), content.get(at, {"tables": [table]}))
    except SettingError as error:
        said = str(error)
    else:
        said = "rows"
        assert all(0 < row.miou <= 1 for row in found)

    assert "\n" not in said  # control characters are spelt out where it is printed
