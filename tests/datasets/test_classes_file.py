from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jejunet_nas.datasets.classes_file import read_classes
from jejunet_nas.errors import DataError


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "classes.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize(
    ("text", "names", "known"),
    [
        ("- a\n- b\n", ("a", "b"), {0: 0, 1: 1, 255: 255}),
        ("a: 3\nb: [1, 2]\nignore: [9]", ("a", "b"), {3: 0, 1: 1, 2: 1, 9: 255, 255: 255}),
        ("- a\n- ignore\n- b", ("a", "b"), {0: 0, 1: 255, 2: 1, 255: 255}),
        ("{a: 0, b: 255}", ("a", "b"), {0: 0, 255: 1}),
        ('["1", "no", "[red]"]', ("1", "no", "[red]"), {0: 0, 1: 1, 2: 2, 255: 255}),
        ("[2020-01-01]", ("2020-01-01",), {0: 0, 255: 255}),
        ("\ufeff[a]", ("a",), {0: 0, 255: 255}),
        ("[a]".encode("utf-16"), ("a",), {0: 0, 255: 255}),
    ],
)
def test_both_forms_give_names_and_the_meaning_of_values(
    text: str | bytes, names: tuple[str, ...], known: dict[int, int], tmp_path: Path
) -> None:
    found, code = read_classes(written(tmp_path, text))

    assert found == names
    assert {v: c for v, c in enumerate(code.classes) if c != 254} == known


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r"holds no names"),
        ("a", r"holds no names"),
        ("[1, 2]", r"line 1 holds no names of classes: 1 needs quotes"),
        ("- a\n- no\n", r"line 2 holds no names of classes: no needs quotes"),
        ("- a\n-\n", r"line 2 holds no names of classes:  needs quotes"),
        ("- background: 0\n- road: 1", r"line 1 has 'background' with a value in a list\. Remove"),
        ("- []", r"line 1 holds no names of classes: a list or mapping"),
        ("- {}", r"line 1 holds no names of classes: a list or mapping"),
        ("[a, {b: 1}]", r"line 1 has 'b' with a value in a list"),
        ("- ''", r"line 1 holds a name that is empty"),
        (f"- {'x' * 5000}", r"line 1 holds a name .*too long .*'x+\.\.\. \(5000 characters\)'"),
        ('- "a\\eb"', r"line 1 holds a name that is empty, too long or unprintable"),
        ("- a\n- b\n- a", r"line 3 names 'a' again, first in line 1"),
        ("ignore: 3", r"names 0 classes"),
        ("\n".join(f"- c{n}" for n in range(300)), r"line 257 gives .*|names 300 classes"),
        ("a: 256", r"line 1 gives a class the value '256'"),
        ("a: -1", r"line 1 gives a class the value '-1'"),
        ("a: 010", r"line 1 gives a class the value '010'"),
        ("a: 1.0", r"line 1 gives a class the value '1\.0'"),
        ("a: x", r"line 1 gives a class the value 'x'"),
        ("a:", r"line 1 gives a class the value ''"),
        ("a: []", r"line 1 gives the class 'a' no value"),
        ("a: {b: 1}", r"line 1 has a list or mapping in place of a value of 'a'"),
        ("[[[[a]]]]", r"line 1 holds no names of classes: a list or mapping"),
        ("a: &x [1]\nb: *x", r"line 1 uses the value 1 twice"),
        ("{a: 0, b: [1, 0]}", r"line 1 uses the value 0 twice"),
        ("a: 0\nignore: 0", r"line 2 uses the value 0 twice"),
    ],
)
def test_classes_that_make_no_sense_are_told_on_one_line(
    text: str | bytes, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=rf"classes\.yaml {problem}[^\n]*; expected: [^\n]*Fix th"):
        read_classes(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", r" line 1: expected the node"),
        ("{[a]: 1}", r" line 1: found unhashable key"),
        ("a: 0\na: 1", r" line 2: the key a is there twice, first in line 1\."),
        (f"a: {'9' * 5000}", r" line 1: 9+\.\.\. \(5000 characters\) is not"),
        ("a: !!python/object:os.system [1]", r" line 1: the tag .*os\.system is not supported"),
        ("--- [a]\n--- [b]", r" line 2: but found another document"),
        (b"- caf\xe9", r" is not text in UTF-8: byte 6 is 0xe9"),
        (b"- a\0b", r": character 4 is 0x0"),
        (b"#" * (1 << 19), r" has 524288 bytes; allowed: up to"),
    ],
)
def test_what_is_no_yaml_is_told_on_one_line(
    text: str | bytes, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=rf"classes\.yaml{problem}[^\n]*\.$"):
        read_classes(written(tmp_path, text))


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is a folder, not a file\. Check the path\.$"):
        read_classes(tmp_path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(
        st.sampled_from([*"[]{}:,-&*!'\"#\n \t|>%@\\", "a", "b", "ignore", "0", "255", "1e9", "~"]),
        max_size=30,
    ).map("".join)
)
def test_any_text_is_read_or_named(tmp_path: Path, text: str) -> None:
    names, classes, said = (), b"", ""
    try:
        names, code = read_classes(written(tmp_path, text))
        classes = code.classes
    except DataError as error:
        said = str(error)

    assert bool(names) != bool(said)
    assert "\n" not in said
    assert len({*names}) == len(names)
    assert {*range(len(names))} <= {*classes}
