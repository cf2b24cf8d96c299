"""YAML that anyone may have written."""

import contextlib
import itertools
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.documents.yaml_file import (
    MOST_BYTES,
    parse_yaml,
    read_mapping,
    read_yaml,
    yaml_text,
)
from jejunet_nas.errors import SettingError

WORDS = st.text("abcdefgh_", min_size=1, max_size=8)
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def layered(first: str, layer: str) -> str:
    """Return nine layers, each ten aliases of the layer before: a billion values in all."""
    names = "abcdefghij"
    lines = (
        layer.format(n=n, before=",".join([f"*{b}"] * 10)) for b, n in itertools.pairwise(names)
    )
    return first + "".join(lines)


@given(
    content=st.dictionaries(
        WORDS, st.integers(-(2**63) + 1, 2**63 - 1) | WORDS | st.booleans(), min_size=1
    )
)
def test_a_written_mapping_is_read_back(
    content: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = write(tmp_path_factory.mktemp("yaml") / "a.yaml", yaml.safe_dump(content))

    assert read_mapping(file) == content


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"/b\.yaml does not exist\. Check the path\.$"):
        read_mapping(tmp_path / "b.yaml")


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r" is a folder, not a file\. Check the path\."):
        read_mapping(tmp_path)


def test_a_binary_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\x00a: 1")

    with pytest.raises(SettingError, match=r"a\.yaml is not text in UTF-8: byte 1 is 0xff\. Save"):
        read_mapping(tmp_path / "a.yaml")


def test_a_file_that_an_editor_saved_as_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("name: é".encode("utf-16"))

    assert read_mapping(tmp_path / "a.yaml") == {"name": "é"}


def test_a_broken_line_is_named_by_its_number(tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml", "name: x\nsteps: [1, 2\ntrials: 3\n")

    with pytest.raises(SettingError, match=r"a\.yaml line 3: expected .*\. Fix the YAML of that"):
        read_mapping(file)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "nothing"),
        ("- 1\n- 2\n", "a list"),
        ("12\n", "the value 12"),
        ("1: 2\n", "keys that are not text"),
    ],
)
def test_a_file_without_a_mapping_is_refused(text: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=rf"a\.yaml contains {found} instead of keys with"):
        read_mapping(write(tmp_path / "a.yaml", text))


@given(value=VALUES)
def test_yaml_is_read_as_it_was_written(value: Any) -> None:
    assert parse_yaml(yaml_text(value, allow_unicode=False)) == value


@pytest.mark.parametrize("text", ["12e5", "0E0", "1.e-3", "+1E400", "12e456789012", "2026-11-30"])
def test_text_like_a_number_is_read_as_the_text_that_was_written(text: str) -> None:
    assert parse_yaml(yaml_text({"fingerprint": text})) == {"fingerprint": text}


@given(text=st.text("ab:-[]{}&*!<>|?#\"' \n\t0.1e~%@", max_size=40))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(yaml.MarkedYAMLError, ValueError):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (layered("a: &a [x]\n", "{n}: &{n} [{before}]\n"), "aliases stand for more than 100000"),
        (layered("a: &a {x: 1}\n", "{n}: &{n} {{<<: [{before}]}}\n"), "aliases stand for more"),
        ("a: &a [*a]", "an alias stands inside of what it names"),
        ("a: &a {b: {c: *a}}", "an alias stands inside"),
        ("a: " + "[" * 600 + "]" * 600, "nested more than 40 levels"),
        ("".join(" " * n + "a:\n" for n in range(600)), "nested more than 40 levels"),
        ("".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(90)), "undefined alias"),
        (
            "a0: &a0 []\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(90)),
            "nested more",
        ),
        ("a: !!python/object:os.system x", "the tag .* is not supported"),
        ("a: !!binary x", "the tag .* is not supported"),
        ("a: !!set {x}", "the tag .* is not supported"),
        ("a: !!int x", "x is not of the type int"),
        ("a: !!bool x", "x is not of the type bool"),
        ("a: " + "9" * 5000, r"9999\d+\.\.\. \(5000 characters\) is not of the type int"),
        ("a: 0x" + "f" * 5000, "is too large a number"),
        ("a: .nan", "is not a finite number"),
        ("a: 1e999", "is not a finite number"),
        ('a: "\\ud800"', "half of a character"),
        ("a: 1\nb: {c: 1,\n    c: 2}", "the key c is there twice, first in line 2"),
        ("---\na: 1\n---\nb: 1", "another document"),
    ],
)
def test_a_document_beyond_the_bounds_is_refused_with_its_line(
    text: str, problem: str, tmp_path: Path
) -> None:
    began = time.process_time()

    with pytest.raises(SettingError, match=rf"a\.yaml line \d+: [^\n]*{problem}[^\n]*\.$"):
        read_yaml(write(tmp_path / "a.yaml", text))

    assert time.process_time() - began < 2


@pytest.mark.parametrize("text", ["a: \0", 'a: "\\Uffffffff"', "%YAML 1." + "9" * 5000 + "\n---\n"])
def test_what_the_library_stumbles_over_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"a\.yaml: [^\n]*\. Fix the file\.$"):
        read_yaml(write(tmp_path / "a.yaml", text))


def test_dates_are_text_and_an_exponent_makes_a_number() -> None:
    text = "{name: 2024-01-01, day: 2024-13-45, rate: 1e-3, steps: 2E+2}"

    assert parse_yaml(text) == {
        "name": "2024-01-01", "day": "2024-13-45", "rate": 0.001, "steps": 200.0
    }  # fmt: skip


def test_aliases_and_merges_of_usual_size_are_read() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a, *a]"

    assert parse_yaml(text)["b"] == {"x": 1, "y": 3}
    assert parse_yaml(text)["c"] == [{"x": 1, "y": 2}] * 2


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")

    with pytest.raises(SettingError, match=r"a\.yaml is a device or pipe, not a file"):
        read_yaml(tmp_path / "a.yaml")


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(1 << 36)

    with pytest.raises(SettingError, match=rf"has {1 << 36} bytes; allowed: up to {MOST_BYTES}"):
        read_yaml(tmp_path / "a.yaml")
