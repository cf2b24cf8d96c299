"""A bundle comes back as it was written, and a folder that is none says why."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.records import GRAPH_NAMES
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.bundle import Bundle, BundleSource, read_bundle, write_bundle

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle of files that are no graphs: what is in them is not looked at."""
    graphs = {name: tmp_path / f"made-{name}" for name in GRAPH_NAMES}
    for name, file in graphs.items():
        file.write_text(f"the {name} graph")
    return Bundle(
        graphs=graphs,
        class_names=("background", "dærk"),
        policy=Policy(keyframe_interval=4, refresh_above=0.25, asynchronous=True),
        input_height=64,
        input_width=96,
        keyframe_lag=3,
        target_fps=24,
        source=BundleSource(study="a study", trial=7, network_id="0123456789ab"),
    )


def test_a_bundle_is_read_as_it_was_written(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "bundle"

    written = write_bundle(bundle, folder)

    assert read_bundle(folder) == written
    assert dataclasses.replace(written, graphs=bundle.graphs) == bundle
    assert {file.name for file in folder.iterdir()} == {
        *(f"{name}.tflite" for name in GRAPH_NAMES),
        "manifest.json",
    }
    assert written.graphs["gate"].read_text() == "the gate graph"
    assert [each.name for each in folder.parent.iterdir()] == ["bundle"]


def test_the_manifest_says_all_that_a_program_needs(bundle: Bundle, tmp_path: Path) -> None:
    write_bundle(bundle, tmp_path / "b")

    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())

    graphs = manifest.pop("graphs")
    assert manifest == {
        "format": 1,
        "class_names": ["background", "dærk"],
        "policy": {
            "keyframe_interval": 4,
            "between_keyframes": "propagate",
            "reuse_below": None,
            "refresh_above": 0.25,
            "asynchronous": True,
        },
        "input": {"height": 64, "width": 96},
        "keyframe_lag": 3,
        "target_fps": 24,
        "source": {"study": "a study", "trial": 7, "network_id": "0123456789ab"},
    }
    assert list(graphs) == list(GRAPH_NAMES)
    assert graphs["key"] == {
        "file": "key.tflite",
        "sha256": hashlib.sha256(b"the key graph").hexdigest(),
    }


def test_a_bundle_that_cannot_be_written_whole_is_not_written(
    bundle: Bundle, tmp_path: Path
) -> None:
    bundle.graphs["gate"].unlink()

    with pytest.raises(SettingError, match=r"b cannot be written \(.*made-gate.*; allowed"):
        write_bundle(bundle, tmp_path / "b")
    assert {each.name for each in tmp_path.iterdir()} == {"made-key", "made-propagate"}


def test_a_folder_that_holds_something_is_not_replaced(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    write_bundle(bundle, tmp_path / "b")  # an empty one is

    with pytest.raises(SettingError, match="b is there already; allowed: a new folder"):
        write_bundle(bundle, tmp_path / "b")
    assert read_bundle(tmp_path / "b").class_names == bundle.class_names


def set_key(*place: str, to: object) -> Change:
    def change(manifest: dict[str, Any]) -> None:
        *sections, last = place
        for section in sections:
            manifest = manifest[section]
        manifest[last] = to

    return change


BAD: dict[str, tuple[Change, str]] = {
    "another format": (set_key("format", to=2), r"format is 2; allowed: 1\. Make the bundle"),
    "no format": (lambda m: m.pop("format"), "format is None; allowed: 1"),
    "an unknown key": (set_key("clas_names", to=1), "clas_names is no key; .* mean class_names"),
    "one deep inside": (
        set_key("graphs", "key", "sha", to=""),
        r"graphs\.key\.sha is no key; allowed: file, sha256\. Did you mean sha256\?",
    ),
    "one of the policy": (
        set_key("policy", "interval", to=3),
        "policy: interval is no key; allowed: keyframe_interval,",
    ),
    "a missing key": (lambda m: m.pop("keyframe_lag"), "keyframe_lag is missing; allowed: a value"),
    "a missing one of the policy": (
        lambda m: m["policy"].pop("keyframe_interval"),
        "policy: keyframe_interval is missing",
    ),
    "a graph that is not named": (lambda m: m["graphs"].pop("gate"), r"graphs\.gate is missing"),
    "a wrong type": (set_key("target_fps", to="24"), "target_fps is '24'; allowed: number"),
    "a wrong type in the policy": (
        set_key("policy", "keyframe_interval", to="4"),
        "policy: keyframe_interval is '4'; allowed: integer",
    ),
    "a policy that is none": (
        set_key("policy", "keyframe_interval", to=0),
        "policy: keyframe_interval is 0; allowed: 1 to 120",
    ),
    "a lag that is none": (set_key("keyframe_lag", to=0), "keyframe_lag is 0; allowed: greater"),
    "no class": (set_key("class_names", to=[]), r"class_names is \[\]; allowed"),
    "a file elsewhere": (
        set_key("graphs", "key", "file", to="../made-key"),
        r"graphs\.key\.file is '\.\./made-key'; allowed",
    ),
    "a graph that is gone": (
        set_key("graphs", "key", "file", to="k.tflite"),
        r"holds no k\.tflite; allowed: the key graph of its manifest\.json",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_manifest_that_is_none_is_refused_in_one_line(
    name: str, bundle: Bundle, tmp_path: Path
) -> None:
    change, words = BAD[name]
    write_bundle(bundle, tmp_path / "b")
    file = tmp_path / "b" / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))

    with pytest.raises(SettingError, match=words) as caught:
        read_bundle(tmp_path / "b")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1]", "{", "\0"])
def test_what_is_no_manifest_at_all_is_refused(text: str, bundle: Bundle, tmp_path: Path) -> None:
    write_bundle(bundle, tmp_path / "b")
    (tmp_path / "b" / "manifest.json").write_text(text)

    with pytest.raises(SettingError, match=r"manifest\.json.*; allowed: (JSON|1)\."):
        read_bundle(tmp_path / "b")


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingError, match="nowhere does not exist; allowed: a bundle's folder"):
        read_bundle(tmp_path / "nowhere")
    with pytest.raises(SettingError, match="file is no folder; allowed: a bundle's folder"):
        read_bundle(tmp_path / "file")
    with pytest.raises(SettingError, match=r"holds no manifest\.json; allowed: a bundle's folder"):
        read_bundle(tmp_path)


def test_a_graph_that_was_changed_is_found_out(bundle: Bundle, tmp_path: Path) -> None:
    write_bundle(bundle, tmp_path / "b")
    (tmp_path / "b" / "propagate.tflite").write_text("another graph")

    with pytest.raises(
        SettingError, match=r"propagate\.tflite has the SHA-256 [0-9a-f]{12}\.\.\.;"
    ):
        read_bundle(tmp_path / "b")
