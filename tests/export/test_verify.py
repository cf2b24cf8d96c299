"""A bundle that is whole passes; whatever is changed in it is found, and named."""

import contextlib
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.export.verify import verify
from jejunet_nas.files import sha256_of
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.manifest_file import manifest_text
from tests.export.bundles import EVERY_THIRD, write_tiny

NAMES = ("background", "<script>alert(1)</script>", "'q\"", "d æ|rk", "*b*")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("bundles") / "b", class_names=NAMES)


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("bundles") / "b.zip")


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return shutil.copytree(whole, tmp_path / "b")


def rewrite(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest as somebody does who also corrects its hash."""
    file = bundle / "manifest.json"
    plain = json.loads(file.read_text(encoding="utf-8"))
    del plain["sha256"]
    change(plain)
    file.write_text(manifest_text(plain), encoding="utf-8")


def hash_anew(bundle: Path, name: str, *, scored: bool = True) -> None:
    """Give the file `name` its hash; with `scored` as that of the graph that was scored, too."""
    digest = hashlib.sha256((bundle / name).read_bytes()).hexdigest()

    def change(plain: dict[str, Any]) -> None:
        plain["files"][name] = digest
        if scored:
            plain["graphs"][name.removesuffix(".tflite")]["sha256"] = digest

    rewrite(bundle, change)


def test_a_bundle_as_it_was_written_passes_every_check(whole: Path) -> None:
    assert [*verify(whole)] == [
        "manifest",
        "files",
        "hashes",
        "policy",
        "classes",
        "graphs",
        "metadata",
    ]


def test_a_zip_passes_too_and_one_bundle_is_one_zip(tmp_path: Path) -> None:
    one, other = (write_tiny(tmp_path / name) for name in ("one.zip", "other.zip"))

    assert next(iter(verify(one))) == "archive"
    assert one.read_bytes() == other.read_bytes()
    assert {each.name for each in tmp_path.iterdir()} == {"one.zip", "other.zip"}


def test_nothing_is_written_to_what_is_verified(whole: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in whole.iterdir()}

    verify(whole)

    assert {file: file.stat().st_mtime_ns for file in whole.iterdir()} == before


@settings(max_examples=40)
@given(data=st.data())
def test_any_changed_byte_is_found(whole: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(whole.iterdir())))
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    kept = file.read_bytes()
    try:
        file.write_bytes(content)
        with pytest.raises(SettingError, match=r"(again|elsewhere|this version: .*)\.$"):
            verify(whole)
    finally:
        file.write_bytes(kept)


@settings(max_examples=40)
@given(data=st.data())
def test_a_zip_with_a_changed_byte_is_refused_or_holds_the_same_files(
    zipped: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    file = folder / "b.zip"
    shutil.copyfile(zipped, file)
    with zipfile.ZipFile(file) as opened:
        files = {member.filename: opened.read(member) for member in opened.infolist()}
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)

    with contextlib.suppress(SettingError):
        verify(file)
        # What was changed is a date, say, which is no part of any file.
        with zipfile.ZipFile(file) as opened:
            assert {each.filename: opened.read(each) for each in opened.infolist()} == files
    shutil.rmtree(folder)


def set_tensor(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda plain: plain["graphs"]["key"]["inputs"][0].update(values)


CHANGED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a class too many": (
        lambda m: m["class_names"].append("more"),
        "has 6 classes, but 5 in palette",
    ),
    "another order of classes": (
        lambda m: m["class_names"].reverse(),
        r"key\.tflite has the labels .*, which are not the classes",
    ),
    "another shape": (
        set_tensor(shape=[1, 96, 64, 3]),
        r"key\.tflite has image uint8 1 x 64 x 64 x 3, scale .*, but .* 1 x 96 x 64 x 3",
    ),
    "another type": (set_tensor(type="int8"), r"says image int8 1 x 64 x 64 x 3"),
    "another scale": (set_tensor(scale=0.5), r"says .* scale 0\.5, zero"),
    "another zero point": (set_tensor(zero_point=3), r"manifest\.json says .* zero point 3\."),
    "a tensor too few": (
        lambda m: m["graphs"]["key"]["outputs"].pop(),
        r"key\.tflite and manifest\.json have different numbers of tensors",
    ),
    "another input": (
        lambda m: m["input"].update(height=96),
        r"key's image is \(1, 64, 64, 3\); it must be \(1, 96, 64, 3\)",
    ),
    "a policy that the network cannot": (
        lambda m: m["source"]["network"].update(detail="none", logit_stride=16),
        "between_keyframes is propagate with detail none",
    ),
    "a policy that is none": (
        lambda m: m["policy"].update(keyframe_interval=0),
        "policy: keyframe_interval is 0; allowed: 1 to 120",
    ),
    "a file without a hash": (
        lambda m: m["files"].pop("example.py"),
        r"has no hash of example\.py",
    ),
    "a source of latency that is none": (
        lambda m: m["metrics"]["latency"].update(source="guessed"),
        r"metrics\.latency\.source is 'guessed'; allowed: 'measured', 'predicted' or 'host'",
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_manifest_that_lies_is_found_though_its_hash_is_right(name: str, bundle: Path) -> None:
    change, words = CHANGED[name]
    rewrite(bundle, change)

    with pytest.raises(SettingError, match=words) as caught:
        verify(bundle)
    assert "\n" not in str(caught.value)


def test_a_graph_without_metadata_is_found_though_its_hash_is_right(bundle: Path) -> None:
    from tests.builders import tiny_run

    shutil.copyfile(tiny_run().graphs["propagate"], bundle / "propagate.tflite")
    hash_anew(bundle, "propagate.tflite")

    with pytest.raises(SettingError, match=r"propagate\.tflite: its TFLITE_METADATA is missing"):
        verify(bundle)


def test_a_graph_that_was_not_scored_is_found_though_its_hash_is_right(bundle: Path) -> None:
    shutil.copyfile(bundle / "key.tflite", bundle / "propagate.tflite")
    hash_anew(bundle, "propagate.tflite", scored=False)

    with pytest.raises(
        SettingError, match=r"propagate\.tflite is not the graph that the trial was"
    ):
        verify(bundle)


def test_a_graph_that_the_policy_runs_must_be_there(bundle: Path) -> None:
    rewrite(bundle, lambda plain: plain["policy"].update(refresh_above=0.5))

    with pytest.raises(SettingError, match=r"graphs\.gate is missing, which the policy runs\."):
        verify(bundle)


def test_a_graph_that_does_not_load_is_found_though_its_hash_is_right(bundle: Path) -> None:
    (bundle / "propagate.tflite").write_bytes(b"no graph")
    hash_anew(bundle, "propagate.tflite")

    with pytest.raises(SettingError, match=r"propagate\.tflite is not a \.tflite graph"):
        verify(bundle)


def test_a_graph_of_another_kind_is_found_though_the_manifest_describes_it(bundle: Path) -> None:
    def describe(plain: dict[str, Any]) -> None:
        told = plain["graphs"]
        told["propagate"] |= {end: told["key"][end] for end in ("inputs", "outputs")}

    shutil.copyfile(bundle / "key.tflite", bundle / "propagate.tflite")
    hash_anew(bundle, "propagate.tflite")
    rewrite(bundle, describe)

    with pytest.raises(SettingError, match=r"propagate\.tflite has no input context"):
        verify(bundle)


def test_a_stray_file_is_named(bundle: Path) -> None:
    (bundle / "notes.txt").touch()

    with pytest.raises(SettingError, match=r"notes\.txt is not a file of this bundle"):
        verify(bundle)


def test_what_was_measured_of_a_bundle_is_no_stray_file(bundle: Path) -> None:
    (bundle / "measurements.json").write_text('{"measured": [], "host": []}')
    verify(bundle)

    (bundle / "measurements.json").write_text("[")
    with pytest.raises(SettingError, match=r"measurements\.json cannot be read"):
        verify(bundle)


@pytest.mark.parametrize(("between", "files"), [("move", 6), ("warp", 7)])
def test_the_code_that_finds_motion_is_checked_where_the_policy_follows_it(
    between: Any, files: int, tmp_path: Path
) -> None:
    moving = write_tiny(tmp_path / "b", Policy(keyframe_interval=3, between_keyframes=between))
    assert verify(moving)["files"].startswith(f"{files}, none missing")
    digest = sha256_of(moving / "motion.py")

    rewrite(moving, lambda plain: plain["files"].pop("motion.py"))
    with pytest.raises(SettingError, match=r"manifest\.json has no hash of motion\.py"):
        verify(moving)

    rewrite(moving, lambda plain: plain["files"].update({"motion.py": digest}))
    with (moving / "motion.py").open("a") as file:
        file.write("\n")
    with pytest.raises(SettingError, match=r"motion\.py was changed"):
        verify(moving)


def test_a_missing_file_and_a_link_in_its_place_are_named(bundle: Path, whole: Path) -> None:
    (bundle / "README.md").unlink()
    with pytest.raises(SettingError, match=r"README\.md is missing or is not a plain file"):
        verify(bundle)

    (bundle / "README.md").symlink_to(whole / "README.md")
    with pytest.raises(SettingError, match=r"README\.md is missing or is not a plain file"):
        verify(bundle)


def test_a_fault_in_a_zip_names_the_zip(bundle: Path, tmp_path: Path) -> None:
    (bundle / "example.py").write_text("print()")
    shutil.make_archive(f"{tmp_path / 'spoilt'}", "zip", bundle)

    with pytest.raises(SettingError, match=r"spoilt\.zip/example\.py was changed"):
        verify(tmp_path / "spoilt.zip")


def test_what_is_no_bundle_is_named(tmp_path: Path) -> None:
    for place, words in (
        (tmp_path / "nowhere", r"nowhere/manifest\.json does not exist\. Give a bundle"),
        (tmp_path, r"manifest\.json does not exist\. Give a bundle"),
    ):
        with pytest.raises(SettingError, match=words):
            verify(place)


@pytest.mark.parametrize("content", [b"", b"PK", b"text", b"\0" * 4096, b"[" * 100_000])
def test_a_file_of_anything_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "my bundle.zip").write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "manifest.json").write_bytes(content)

    for place in (tmp_path / "my bundle.zip", tmp_path / "folder"):
        with pytest.raises(SettingError, match=r"cannot be (unpacked|read as JSON) \(") as caught:
            verify(place)
        assert "\n" not in str(caught.value)


def test_a_zip_with_a_space_in_its_name_passes(tmp_path: Path) -> None:
    assert next(iter(verify(write_tiny(tmp_path / "my bundle.zip")))) == "archive"


def test_a_manifest_without_end_and_one_with_a_key_twice_are_refused(bundle: Path) -> None:
    file = bundle / "manifest.json"
    text = file.read_text(encoding="utf-8")
    twice = text.replace('"format": 4,', '"format": 4, "format": 4,')
    for content, words in (
        (text + " " * (1 << 20), r"manifest\.json is longer than 1048576 bytes"),
        (twice, "the key format occurs twice"),
    ):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(SettingError, match=words):
            verify(bundle)


def test_the_policy_is_told(whole: Path) -> None:
    assert verify(whole)["policy"].endswith(f"keyframe_interval {EVERY_THIRD.keyframe_interval}")
