from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.files import read_mapping

WORDS = st.text("abcdefgh_", min_size=1, max_size=8)


def written(folder: Path, text: str) -> Path:
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@given(content=st.dictionaries(WORDS, st.integers() | WORDS | st.booleans(), min_size=1))
def test_what_yaml_writes_is_read_back(
    content: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = written(tmp_path_factory.mktemp("yaml"), yaml.safe_dump(content))

    assert read_mapping(file) == content


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"/b\.yaml does not exist; allowed: a YAML file\."):
        read_mapping(tmp_path / "b.yaml")


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"cannot be read \(.*directory.*; allowed: a YAML file"):
        read_mapping(tmp_path)


def test_a_file_of_other_bytes_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00a: 1")

    with pytest.raises(SettingError, match=r"a\.yaml cannot be read .*; allowed: a YAML file"):
        read_mapping(tmp_path / "a.yaml")


def test_a_broken_line_is_named_by_its_number(tmp_path: Path) -> None:
    file = written(tmp_path, "name: x\nsteps: [1, 2\ntrials: 3\n")

    with pytest.raises(SettingError, match=r"a\.yaml line 3: expected .*; allowed: YAML\. Mend"):
        read_mapping(file)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "nothing"),
        ("- 1\n- 2\n", "a list"),
        ("12\n", "the value 12"),
        ("1: 2\n", "keys that are no words"),
    ],
)
def test_what_is_no_mapping_is_said_to_be_so(text: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=rf"a\.yaml holds {found}; allowed: keys with values\."):
        read_mapping(written(tmp_path, text))
