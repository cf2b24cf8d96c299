"""A bundle comes back as it was written, and one that is none says why."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.records import GRAPH_NAMES
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.bundle import BundleSource, open_bundle, read_bundle
from jejunet_nas.video.manifest_file import manifest_text
from tests.builders import PROCEDURAL
from tests.export.bundles import LAG, tiny_trial, write_tiny

Change = Callable[[dict[str, Any]], object]
POLICY = Policy(keyframe_interval=4, refresh_above=0.25, asynchronous=True)
NAMES = ("background", "dærk", "c", "d", "e")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("bundles") / "b", POLICY, class_names=NAMES)


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return shutil.copytree(written, tmp_path / "b")


def test_a_bundle_is_read_as_it_was_written(written: Path) -> None:
    bundle = read_bundle(written)

    assert bundle.graphs == {name: written / f"{name}.tflite" for name in GRAPH_NAMES}
    assert (bundle.class_names, bundle.policy) == (NAMES, POLICY)
    assert (bundle.input_height, bundle.input_width) == (64, 64)
    assert (bundle.keyframe_lag, bundle.target_fps) == (LAG, 24.0)
    network_id = tiny_trial(POLICY).network_id
    assert bundle.source == BundleSource(study="tiny", trial=3, network_id=network_id)


def set_key(*place: str, to: object) -> Change:
    def change(manifest: dict[str, Any]) -> None:
        *sections, last = place
        for section in sections:
            manifest = manifest[section]
        manifest[last] = to

    return change


BAD: dict[str, tuple[Change, str]] = {
    "another format": (
        set_key("format", to=2),
        r"format is 2; allowed: 4\. Export the trial again with this version: jejunet-nas export",
    ),
    "no format": (lambda m: m.pop("format"), "format is None; allowed: 4"),
    "an unknown key": (set_key("clas_names", to=1), "clas_names is an unknown key"),
    "one deep inside": (
        set_key("graphs", "key", "fil", to=""),
        r"graphs\.key\.fil is an unknown key",
    ),
    "one of a tensor": (
        lambda m: m["graphs"]["key"]["inputs"][0].update(shap=1),
        r"graphs\.key\.inputs\.0\.shap is an unknown key",
    ),
    "one of the policy": (
        set_key("policy", "interval", to=3),
        "policy.interval is an unknown key",
    ),
    "a missing key": (
        lambda m: m.pop("keyframe_lag"),
        r"keyframe_lag is missing\. Export",
    ),
    "a missing one of the policy": (
        lambda m: m["policy"].pop("keyframe_interval"),
        "policy.keyframe_interval is missing",
    ),
    "a graph that is not named": (lambda m: m["graphs"].pop("key"), r"graphs\.key is missing"),
    "a wrong type": (set_key("target_fps", to="24"), "target_fps is '24'; allowed: number"),
    "a wrong type in the policy": (
        set_key("policy", "keyframe_interval", to="4"),
        "policy.keyframe_interval is '4'; allowed: integer",
    ),
    "a policy that is none": (
        set_key("policy", "keyframe_interval", to=0),
        "policy: keyframe_interval is 0; allowed: 1 to 120",
    ),
    "a lag that is none": (set_key("keyframe_lag", to=0), "keyframe_lag is 0; allowed: greater"),
    "no class": (set_key("class_names", to=[]), r"class_names is \[\]; allowed"),
    "a colour that is none": (
        lambda m: m["palette"].__setitem__(1, [0, 0, 256]),
        r"palette\.1\.2 is 256; allowed: less than or equal to 255",
    ),
    "a file elsewhere": (
        set_key("graphs", "key", "file", to="../key.tflite"),
        r"graphs\.key\.file is '\.\./key\.tflite'; allowed",
    ),
    "a graph that is gone": (
        set_key("graphs", "key", "file", to="k.tflite"),
        r"k\.tflite is missing\. Copy the whole bundle again",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_manifest_that_is_none_is_refused_in_one_line(name: str, folder: Path) -> None:
    change, words = BAD[name]
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    del manifest["sha256"]
    change(manifest)
    file.write_text(manifest_text(manifest), encoding="utf-8")

    with pytest.raises(SettingError, match=words) as caught:
        read_bundle(folder)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_was_changed_is_found_out(folder: Path) -> None:
    file = folder / "manifest.json"
    text = file.read_text(encoding="utf-8")
    for changed in (text.replace("24.0", "25.0"), text.replace("\n", "\n\n", 1), f"{text} "):
        file.write_text(changed, encoding="utf-8")

        with pytest.raises(SettingError, match=r"manifest\.json was changed: .* the whole bundle"):
            read_bundle(folder)


NO_JSON = ['{"format": 4, "x": NaN}', '{"format": 4, "x": "\\ud800"}', "[" * 100_000]


@pytest.mark.parametrize("text", ["", "[1]", "{", "\0", *NO_JSON])
def test_what_is_no_manifest_at_all_is_refused(text: str, folder: Path) -> None:
    (folder / "manifest.json").write_text(text)

    with pytest.raises(
        SettingError, match=r"manifest\.json(: format is .*| cannot be read as JSON)"
    ):
        read_bundle(folder)


def test_a_place_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingError, match=r"nowhere does not exist\. Give the folder or \.zip"):
        read_bundle(tmp_path / "nowhere")
    with pytest.raises(SettingError, match=r"file cannot be unpacked .*\. Copy the bundle again"):
        read_bundle(tmp_path / "file")
    with pytest.raises(SettingError, match=r"manifest\.json does not exist\. Give a bundle"):
        read_bundle(tmp_path)


def test_a_fault_in_a_zip_names_the_zip(folder: Path, tmp_path: Path) -> None:
    (folder / "gate.tflite").write_text("another graph")
    archive = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", folder))

    with pytest.raises(SettingError, match=rf"^{archive}/gate\.tflite was changed: its SHA-256"):
        read_bundle(archive)


def test_a_bundle_without_options_of_its_data_has_none(folder: Path) -> None:
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    assert open_bundle(folder)[0].source.data_options == PROCEDURAL
    del manifest["sha256"], manifest["source"]["data_options"]
    file.write_text(manifest_text(manifest), encoding="utf-8")

    assert open_bundle(folder)[0].source.data_options == {}


def test_a_graph_that_was_changed_is_found_out(folder: Path) -> None:
    (folder / "propagate.tflite").write_text("another graph")

    with pytest.raises(SettingError, match=r"propagate\.tflite was changed: its SHA-256 is not"):
        read_bundle(folder)
