"""JSON that anyone may have written."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.documents.json_file import parse_json, read_json

VALUES = st.recursive(
    st.none()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(value=VALUES, ascii_only=st.booleans())
def test_json_is_read_as_it_was_written(value: Any, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only)) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "the key c occurs twice"),
        ("[NaN]", "NaN is not a finite number"),
        ("[-Infinity]", "-Infinity is not a finite"),
        ("1e999", "1e999 is too large"),
        ("9" * 5000, r"\(5000 characters\) is too large"),
        (str(2**63), "is too large a number"),
        ("[" * 100_000, "nested too deeply"),
        (r'"\uD800"', "surrogates not allowed"),
        (b"\xff", "can't decode byte 0xff"),
        ("", "Expecting value"),
    ],
)
def test_json_beyond_the_bounds_is_refused_in_words(text: str | bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_json(text)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[1]")

    assert read_json(tmp_path / "a.json") == [1]
