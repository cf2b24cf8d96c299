from pathlib import Path

import pytest

from jejunet_nas.datasets.recognise import data_set_of, find_data, read_facts
from jejunet_nas.errors import DataError
from tests.datasets.trees import HEIGHT, TREES, WIDTH, picture_and_mask, save


@pytest.mark.parametrize("dataset", TREES)
def test_a_data_set_is_recognised_by_its_files_and_its_facts_are_read(
    dataset: str, tmp_path: Path
) -> None:
    root = TREES[dataset][0](tmp_path / "data")

    assert data_set_of(root) == dataset
    assert find_data(root.parent) == [(dataset, root)]
    facts = read_facts(dataset, root)
    assert facts.clips + facts.photos >= 2
    assert len(facts.class_names) >= 2
    assert facts.aspect == pytest.approx(1.0 if dataset == "voc2012" else WIDTH / HEIGHT)


def test_a_folder_without_a_data_set_is_none(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()

    assert data_set_of(tmp_path) is None
    assert find_data(tmp_path) == []


def test_pictures_that_lie_and_stand_ask_for_square_inputs(tmp_path: Path) -> None:
    for name, (height, width) in {"a": (48, 64), "b": (64, 48)}.items():
        picture, mask = picture_and_mask([1], height=height, width=width)
        save(picture, tmp_path / "images" / f"{name}.png")
        save(mask, tmp_path / "masks" / f"{name}.png")
    (tmp_path / "classes.yaml").write_text("[background, object]")

    assert read_facts("folder", tmp_path).aspect == 1.0


def test_davis_with_the_lists_of_2017_alone_is_read_with_that_year(tmp_path: Path) -> None:
    root = TREES["davis"][0](tmp_path)
    (root / "ImageSets" / "2016").rename(root / "ImageSets" / "2017")

    assert read_facts("davis", root).options == {"year": 2017}


def test_pictures_without_classes_name_the_missing_file(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()

    assert data_set_of(tmp_path) == "folder"
    with pytest.raises(DataError, match=r"classes\.yaml is missing"):
        read_facts("folder", tmp_path)
