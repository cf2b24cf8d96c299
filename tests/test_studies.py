"""The studies that come with the project: each can be read, those on files can be launched."""

import dataclasses
import re
from pathlib import Path

import pytest

from jejunet_nas.search.loop import search
from jejunet_nas.study.settings import StudySettings, start_choices
from jejunet_nas.study.study_file import read_study
from tests.datasets.trees import TREES
from tests.search.build import QuietView

STUDIES = sorted((Path(__file__).parents[1] / "studies").glob("*.yaml"))
# Two steps of the smallest network: enough to see that all parts take what the study says.
BRIEF = {
    "training.init": "scratch",
    "training.rungs": [],
    "training.steps": 2,
    "last_round": {"seeds": 1},
    "validation": {"pick_on": "all", "report_on": "all"},
    "training.pairs_per_step": 2,
    "training.gate_pairs": 10,
    "training.gate_steps": 1,
    "compression.post_training.calibration_frames": 2,
    "sampler.name": "random",
    "start_with": [],
}
SMALLEST = {
    "depth_multiplier": (0.25,),
    "last_block": (9,),
    "output_stride": (16,),
    "decoder_channels": (16,),
    "detail": ("thin",),
}

# Without `benchmark`, which differs from `davis_pixel2` in nothing that such a run uses.
ON_FILES = [
    file for file in STUDIES if read_study(file).data.dataset in TREES and file.stem != "benchmark"
]

each_study = pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)


def smallest(study: StudySettings) -> StudySettings:
    """Return the study with the smallest network alone, of the shape of its own inputs."""
    shaped = "64x96" if isinstance(study.search_space.resolution[0], str) else 64
    space = dataclasses.replace(study.search_space, **SMALLEST, resolution=(shaped,))
    return study.model_copy(update={"search_space": space})


@each_study
def test_a_study_is_named_as_its_file_and_opens_with_its_command(file: Path) -> None:
    study = read_study(file)

    assert study.name == file.stem
    head = file.read_text().partition(f"name: {study.name}")[0]
    assert re.search(rf"^#   jejunet-nas search \S*{study.name}", head, re.MULTILINE)
    assert "On 2 cores without a GPU: " in head
    assert all(line.startswith("#") for line in head.splitlines())


@each_study
def test_the_starting_points_of_a_study_lie_in_its_space(file: Path) -> None:
    study = read_study(file)

    for point, start in zip(start_choices(study), study.start_with, strict=True):
        assert point.keys() == start.keys()


def test_every_data_set_for_a_phone_has_a_study() -> None:
    named = {read_study(file).data.dataset for file in STUDIES}

    assert named == {"procedural", *TREES} - {"folder"}


@pytest.mark.parametrize("file", ON_FILES, ids=lambda file: file.stem)
def test_a_study_runs_on_a_tiny_data_set_of_its_layout(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = TREES[read_study(file).data.dataset][0](tmp_path / "data")
    study = smallest(read_study(file, {**BRIEF, "data.root": str(root)}))

    history = search(study.model_copy(update={"trials": 1}), tmp_path / study.name, QuietView())

    (trial,) = history.drawn
    assert 0 <= trial.score.miou <= 1
    assert trial.architecture.network.depth_multiplier == 0.25
