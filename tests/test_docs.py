"""What the pages in docs show is what the code reads."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from jejunet_nas.datasets.classes_file import read_classes
from jejunet_nas.datasets.folder import FolderSettings
from jejunet_nas.datasets.options import settings_from
from jejunet_nas.images.listing import SUFFIXES
from jejunet_nas.images.read import LONGEST_ASPECT, MOST_PIXELS

PROJECT = Path(__file__).parents[1]
PAGES = sorted((PROJECT / "docs").glob("*.md"))
FOLDER = (PROJECT / "docs" / "folder.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", FOLDER, re.DOTALL)


def test_the_table_has_every_option_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", FOLDER, re.MULTILINE))
    words = {"all": None, "24, assumed": None, "none": ()}

    defaults = {field.name: field.default for field in dataclasses.fields(FolderSettings)}

    assert {name: words.get(text, yaml.safe_load(text)) for name, text in rows.items()} == defaults


@pytest.mark.parametrize("block", [text for text in BLOCKS if "data:" not in text])
def test_each_classes_yaml_that_is_shown_is_read(block: str, tmp_path: Path) -> None:
    (tmp_path / "classes.yaml").write_text(block)

    assert read_classes(tmp_path / "classes.yaml")[0]


def test_the_options_that_are_shown_are_allowed() -> None:
    (shown,) = (yaml.safe_load(text)["data"] for text in BLOCKS if "data:" in text)

    assert settings_from(FolderSettings, shown["dataset"], shown["options"])


def test_suffixes_and_bounds_are_those_of_the_reader() -> None:
    assert ", ".join(f"`{suffix}`" for suffix in SUFFIXES) in FOLDER
    assert f"{MOST_PIXELS // 10**6} million pixels" in FOLDER
    assert f"at most {LONGEST_ASPECT} times" in FOLDER


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{page.name}" for page in PAGES)])
def test_links_lead_somewhere(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")

    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (PROJECT / page).parent.joinpath(link).exists(), link
