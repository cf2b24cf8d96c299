"""A bundle holds all that it has to, and is written whole or not at all."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.drawing.overlay import class_colours
from jejunet_nas.errors import SettingError
from jejunet_nas.export import write
from jejunet_nas.export.facts import facts_of
from jejunet_nas.export.verify import verify
from jejunet_nas.export.write import write_bundle
from jejunet_nas.files import sha256_of
from jejunet_nas.litert.graph import interpreter
from jejunet_nas.space.architecture import Policy
from jejunet_nas.study.kept_measurements import measured_trial
from jejunet_nas.study.screens import Screens
from jejunet_nas.video import motion
from jejunet_nas.video.bundle import read_bundle
from jejunet_nas.video.manifest_file import read_manifest
from tests.builders import tiny_run
from tests.export.bundles import (
    EVERY_THIRD,
    FINGERPRINTS,
    LAG,
    described_graphs,
    history_of,
    tiny_facts,
    tiny_trial,
    write_tiny,
)
from tests.search.build import tiny_study
from tests.search.measured import network_measurement

GATED = Policy(keyframe_interval=4, refresh_above=0.25, asynchronous=True)
HOSTILE = ("background", "<script>alert('x')</script>", 'say "æ"', "a|b", "*c*\n# d")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "deep" / "b"
    return write_tiny(folder, GATED, study="tiny <b>", class_names=HOSTILE)


def test_it_holds_its_files_and_nothing_else(bundle: Path) -> None:
    assert {file.name for file in bundle.iterdir()} == {
        *("key.tflite", "propagate.tflite", "gate.tflite"),
        *("manifest.json", "README.md", "example.py", "Segmenter.kt"),
    }
    assert [each.name for each in bundle.parent.iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("between", "graphs"), [("move", {"key.tflite"}), ("warp", {"key.tflite", "propagate.tflite"})]
)
def test_the_code_that_finds_motion_is_in_it_where_the_policy_follows_it(
    between: Any, graphs: set[str], tmp_path: Path
) -> None:
    moving = write_tiny(tmp_path / "b", Policy(keyframe_interval=3, between_keyframes=between))

    assert (moving / "motion.py").read_bytes() == Path(motion.__file__).read_bytes()
    assert {file.name for file in moving.iterdir()} == {
        *graphs,
        *("motion.py", "manifest.json", "README.md", "example.py", "Segmenter.kt"),
    }
    assert read_manifest(moving).files["motion.py"] == sha256_of(moving / "motion.py")


def test_the_manifest_says_all_that_a_program_needs(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))

    assert manifest["format"] == 4
    assert manifest["class_names"] == [*HOSTILE[:4], "*c* # d"]
    assert manifest["palette"] == [[0, 0, 0], *(list(c) for c in class_colours(HOSTILE)[1:] if c)]
    assert manifest["policy"] == {
        "keyframe_interval": 4,
        "between_keyframes": "propagate",
        "reuse_below": None,
        "refresh_above": 0.25,
        "asynchronous": True,
        "ahead": False,
    }
    assert (manifest["keyframe_lag"], manifest["target_fps"]) == (LAG, 24.0)
    assert manifest["input"] == {
        "height": 64,
        "width": 64,
        "colour_order": "RGB",
        "resize": "bilinear, antialiased, aspect not kept",
        "mask_resize": "nearest",
        "thumbnail_stride": 8,
    }
    image = manifest["graphs"]["key"]["inputs"][0]
    assert image == {
        "name": "image",
        "shape": [1, 64, 64, 3],
        "type": "uint8",
        "scale": pytest.approx(1 / 127.5, rel=1e-4),
        "zero_point": pytest.approx(128, abs=1),
    }
    assert manifest["graphs"]["propagate"]["file"] == "propagate.tflite"
    source = manifest["source"]
    assert (source["study"], source["trial"], source["export_steps"]) == ("tiny <b>", 3, 0)
    assert source["fingerprints"] == FINGERPRINTS
    assert source["seeds"] == {"training": 0, "sampler": 0}
    assert set(manifest["versions"]) >= {"jejunet-nas", "tensorflow", "ai-edge-litert", "python"}


def test_every_figure_has_its_source(bundle: Path) -> None:
    metrics = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["metrics"]

    accuracy, latency = metrics["accuracy"], metrics["latency"]
    assert (accuracy["graphs"], accuracy["split"], accuracy["frames"]) == ("int8", "val", 3)
    assert (accuracy["miou"], accuracy["class_iou"][-1]) == (0.5, None)
    assert accuracy["own_frame_miou"] == 0.5
    third = pytest.approx(1 / 3)
    paths = {"key": third, "propagate": third, "warp": 0, "move": 0, "reuse": third}
    assert accuracy["paths"] == paths
    assert (latency["source"], latency["graphs_source"]) == ("predicted", "predicted")
    assert (latency["device"], latency["threads"], latency["mean_ms"]) == ("Pixel 2", 1, 20.0)


def test_of_a_measured_trial_each_graphs_figure_is_the_measured_one(tmp_path: Path) -> None:
    trial = measured_trial(
        tiny_trial(EVERY_THIRD), network_measurement(40.0), Screens(tmp_path, 24.0)
    )
    history = dataclasses.replace(history_of(trial), phone="Google Pixel 2")

    facts = facts_of(trial, history, tiny_study(tmp_path), fingerprints=FINGERPRINTS)

    latency = facts["metrics"]["latency"]
    assert (latency["key_ms"], latency["gate_ms"]) == (40.0, 20.0)
    assert (latency["source"], latency["graphs_source"]) == ("measured", "measured")
    assert latency["device"] == "Google Pixel 2"


def test_each_file_has_its_hash(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))

    others = [file for file in bundle.iterdir() if file.name != "manifest.json"]
    assert manifest["files"] == {file.name: sha256_of(file) for file in others}


def test_graphs_are_those_of_the_study_byte_for_byte(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))

    for name, file in described_graphs(HOSTILE).items():
        assert file.read_bytes() == (bundle / f"{name}.tflite").read_bytes()
        assert manifest["graphs"][name]["sha256"] == sha256_of(file)


def test_signatures_name_the_tensors_that_the_manifest_names(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))

    for graph in manifest["graphs"].values():
        (signature,) = (
            interpreter(bundle / graph["file"], delegate=True).get_signature_list().items()
        )
        assert signature == (
            "serving_default",
            {end: sorted(t["name"] for t in graph[end]) for end in ("inputs", "outputs")},
        )


@pytest.mark.parametrize(
    ("policy", "graphs"),
    [
        (Policy(keyframe_interval=1), {"key"}),
        (Policy(keyframe_interval=3), {"key", "propagate"}),
        (Policy(keyframe_interval=3, between_keyframes="reuse"), {"key"}),
        (
            Policy(keyframe_interval=3, between_keyframes="reuse", refresh_above=0.5),
            {"key", "gate"},
        ),
        (Policy(keyframe_interval=3, reuse_below=0.5), {"key", "propagate", "gate"}),
        (Policy(keyframe_interval=1, asynchronous=True), {"key", "propagate"}),
        (Policy(keyframe_interval=3, between_keyframes="move"), {"key"}),
        (
            Policy(
                keyframe_interval=3, between_keyframes="move", refresh_above=0.5, asynchronous=True
            ),
            {"key", "gate"},
        ),
        (Policy(keyframe_interval=3, between_keyframes="warp"), {"key", "propagate"}),
        (
            Policy(
                keyframe_interval=3, between_keyframes="warp", refresh_above=0.5, asynchronous=True
            ),
            {"key", "propagate", "gate"},
        ),
    ],
)
def test_it_holds_only_the_graphs_that_its_policy_runs(
    policy: Policy, graphs: set[str], tmp_path: Path
) -> None:
    bundle = write_tiny(tmp_path / "b", policy)

    assert {file.stem for file in bundle.glob("*.tflite")} == graphs
    assert (bundle / "motion.py").exists() == policy.follows_motion
    assert {*read_bundle(bundle).graphs} == graphs
    assert verify(bundle)["graphs"].startswith(f"{len(graphs)} graph")


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_what_is_there_is_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").touch()

    with pytest.raises(SettingError, match=rf"{name} already exists\. Remove it"):
        write_tiny(tmp_path / name)
    assert [each.name for each in (tmp_path / name).iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["b", "b.zip"])
def test_a_bundle_that_cannot_be_written_whole_is_not_written(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "TEMPLATES", tmp_path / "gone")

    with pytest.raises(
        SettingError, match=rf"{name} cannot be written \(.*\)\. Give another folder"
    ):
        write_bundle(tiny_run().graphs, tiny_facts(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_zip_is_read_as_the_folder_is(tmp_path: Path) -> None:
    folder, archive = write_tiny(tmp_path / "b", GATED), write_tiny(tmp_path / "b.zip", GATED)

    of_folder, of_archive = read_bundle(folder), read_bundle(archive)

    assert of_archive.policy == of_folder.policy == GATED
    assert of_archive.source == of_folder.source
    for name, file in of_folder.graphs.items():
        assert of_archive.graphs[name].read_bytes() == file.read_bytes()
    assert {each.name for each in tmp_path.iterdir()} == {"b", "b.zip"}


def test_the_folder_that_one_stands_in_can_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    write_tiny(Path("."))

    assert read_bundle(tmp_path).source.study == "tiny"
