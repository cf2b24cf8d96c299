"""A starter is a study that can be searched as it stands, whatever its data."""

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.datasets.recognise import DataFacts
from jejunet_nas.space.search_space import size_of
from jejunet_nas.study.settings import StudySettings, start_choices
from jejunet_nas.study.starter import starter_study
from jejunet_nas.study.study_file import read_study

FACTS = DataFacts(
    dataset="folder",
    root=Path('/data/my "street"  # 1'),
    options={},
    class_names=("road", "car", "sky"),
    clips=3,
    photos=4,
    fps=30.0,
    aspect=16 / 9,
)


def read(tmp_path: Path, facts: DataFacts | None) -> StudySettings:
    file = tmp_path / "s.yaml"
    file.write_text(starter_study("street", facts), encoding="utf-8")
    return read_study(file)


def test_a_starter_has_the_data_their_rate_and_their_shape(tmp_path: Path) -> None:
    study = read(tmp_path, FACTS)

    assert (study.name, study.data.dataset) == ("street", "folder")
    assert study.data.root == str(FACTS.root)
    assert study.data.options == {"frames": 12}  # a rate that is written is not said to be assumed
    assert (study.target_fps, study.training.init) == (30.0, "imagenet")
    assert study.training.sampling == "classes"
    assert study.search_space.resolution[1] == "128x224"
    assert start_choices(study)


@pytest.mark.parametrize("photos", [0, 4])
def test_the_frame_rate_is_an_option_once_its_mark_is_removed(photos: int, tmp_path: Path) -> None:
    facts = dataclasses.replace(FACTS, photos=photos)
    text = starter_study("street", facts)
    stated = tmp_path / "stated.yaml"
    stated.write_text(re.sub(r"# (fps:|options:)", r"\1", text), encoding="utf-8")

    assert "fps" not in read(tmp_path, facts).data.options
    assert read_study(stated).data.options["fps"] == 30


def test_a_starter_without_data_needs_no_download(tmp_path: Path) -> None:
    study = read(tmp_path, None)

    assert (study.data.dataset, study.training.init) == ("procedural", "scratch")


@settings(max_examples=25, deadline=None)
@given(
    aspect=st.floats(0.05, 20),
    fps=st.none() | st.floats(0.5, 500),
    root=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
)
def test_a_starter_of_any_shape_rate_and_folder_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, aspect: float, fps: float | None, root: str
) -> None:
    facts = dataclasses.replace(FACTS, aspect=aspect, fps=fps, root=Path(root))

    study = read(tmp_path_factory.mktemp("starter"), facts)

    assert study.data.root == str(Path(root))
    for height, width in map(size_of, study.search_space.resolution):
        assert height % 32 == width % 32 == 0
        assert (width >= height) == (aspect >= 1) or height == width
    assert 10 <= study.target_fps <= 60


def test_every_comment_fits_the_line_and_stands_apart(tmp_path: Path) -> None:
    for facts in (FACTS, None):
        for line in starter_study("street", facts).splitlines():
            assert len(line) <= 120
            assert "  #" in line or "#" not in line or line.lstrip().startswith("#")
