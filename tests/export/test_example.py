"""The example of a bundle runs with nothing of this project, and shows what the project shows."""

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jejunet_nas.export.card import TEMPLATES
from jejunet_nas.export.verify import verify
from jejunet_nas.images.listing import natural_key
from jejunet_nas.records import PATHS, Clip
from jejunet_nas.resize import resize_mask
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.bundle import Bundle, read_bundle
from jejunet_nas.video.graphs import NetworkGraphs
from jejunet_nas.video.policy import walk
from jejunet_nas.video.results import ClipResults
from tests.builders import tiny_run, tiny_splits
from tests.export.bundles import write_tiny
from tests.video.build import moved_on

# Runs the example as a phone's maker would, and refuses every package that a bundle does not need.
BLOCKED = """\
import runpy, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in {blocked}:
            raise ImportError(f"{{top}} is not there")

sys.meta_path.insert(0, Refusing())
sys.argv = {arguments}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
NOT_THERE = {
    *("jejunet_nas", "tensorflow", "tf_keras", "keras", "scipy", "pandas", "av", "optuna"),
    *("pydantic", "flatbuffers", "matplotlib", "cv2", "torch", "jinja2"),
}
# Thresholds as shares of the scores of all pairs of the clip's frames: see `policy`.
POLICIES = {
    "every frame": Policy(keyframe_interval=1),
    "propagate": Policy(keyframe_interval=3),
    "reuse": Policy(keyframe_interval=3, between_keyframes="reuse"),
    "gated": Policy(keyframe_interval=5, reuse_below=0.3, refresh_above=0.7),
    "refresh": Policy(keyframe_interval=6, between_keyframes="reuse", refresh_above=0.5),
    "background": Policy(keyframe_interval=1, asynchronous=True),
    "gated in the background": Policy(
        keyframe_interval=4, reuse_below=0.4, refresh_above=0.8, asynchronous=True
    ),
    "move": Policy(keyframe_interval=5, between_keyframes="move"),
    "move until": Policy(keyframe_interval=6, between_keyframes="move", refresh_above=0.5),
    "move in the background": Policy(
        keyframe_interval=1, between_keyframes="move", asynchronous=True
    ),
    "move until in the background": Policy(
        keyframe_interval=4, between_keyframes="move", refresh_above=0.6, asynchronous=True
    ),
    "warp": Policy(keyframe_interval=5, between_keyframes="warp"),
    "warp until": Policy(keyframe_interval=6, between_keyframes="warp", refresh_above=0.5),
    "warp in the background": Policy(
        keyframe_interval=1, between_keyframes="warp", asynchronous=True
    ),
    "warp until in the background": Policy(
        keyframe_interval=4, between_keyframes="warp", refresh_above=0.6, asynchronous=True
    ),
}
MOVE = POLICIES["move"]


def run(bundle: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the bundle's example in a Python of its own."""
    words = [str(bundle / "example.py"), *map(str, arguments)]
    code = BLOCKED.format(blocked=NOT_THERE, arguments=words)
    command = [sys.executable, "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def clip() -> Clip:
    """A clip of twelve frames of 50 x 70 pixels: one that stands, then another one."""
    first, other = tiny_splits()[1].clips
    frames = np.concatenate([first.frames[:6], np.repeat(other.frames[:1], 3, 0), other.frames[:3]])
    sized = [np.asarray(Image.fromarray(frame).resize((70, 50))) for frame in frames]
    return Clip(
        name="cut",
        frames=np.stack(sized),
        masks=np.zeros((12, 50, 70), np.uint8),
        annotated=np.zeros(12, np.bool_),
        fps=24.0,
    )


@pytest.fixture(scope="module")
def folder(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for number, frame in enumerate(clip.frames):
        Image.fromarray(frame).save(folder / f"f{number}.png")  # f10 comes after f9
    return folder


@pytest.fixture(scope="module")
def scores(clip: Clip) -> list[float]:
    """The gate's score of each pair of the clip's frames."""
    results = ClipResults(clip, NetworkGraphs(tiny_run().graphs))
    return [results.gate(t, earlier) for t in range(12) for earlier in range(t)]


def policy(name: str, scores: list[float]) -> Policy:
    """Return the policy `name`, its thresholds such that so large a share of `scores` is below."""
    chosen = POLICIES[name]
    given = {key: getattr(chosen, key) for key in ("reuse_below", "refresh_above")}
    thresholds = {
        key: None if share is None else float(np.quantile(scores, share))
        for key, share in given.items()
    }
    return dataclasses.replace(chosen, **thresholds)


def as_scored(bundle: Bundle, clip: Clip) -> tuple[list[np.ndarray], str]:
    """Return the masks and paths of a clip as the project's evaluation walks it."""
    results = ClipResults(clip, NetworkGraphs(bundle.graphs))
    lag = bundle.keyframe_lag if bundle.policy.asynchronous else None
    taken = walk(len(clip), bundle.policy, results.gate, lag=lag)
    return [results.mask(shown) for shown in taken.shown], "".join(p[0] for p in taken.paths)


def segmenter_in(bundle: Path) -> Any:
    """Return the segmenter of the bundle's example, in this process."""
    module = ModuleType("example")
    module.__file__ = str(bundle / "example.py")
    exec((bundle / "example.py").read_text(), module.__dict__)
    return module.Segmenter(bundle)


def in_order(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda file: natural_key(file.name))


def masks_in(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(file)) for file in in_order(folder / "masks")]


@pytest.mark.parametrize("name", POLICIES)
def test_its_masks_are_those_of_the_evaluation_bit_for_bit(
    name: str, clip: Clip, folder: Path, scores: list[float], tmp_path: Path
) -> None:
    place = write_tiny(tmp_path / "b", policy(name, scores))
    wanted, paths = as_scored(read_bundle(place), clip)

    ran = run(place, folder, "--out", tmp_path / "out", "--graph-size")

    assert ran.returncode == 0, ran.stderr
    np.testing.assert_equal(masks_in(tmp_path / "out"), wanted)
    for path in PATHS:
        letter = path[0]
        count = paths.count(letter)
        assert (f"{count} {path}" in ran.stdout) == (count > 0), (ran.stdout, paths)


def test_the_gate_sends_frames_on_every_path_here(
    clip: Clip, scores: list[float], tmp_path: Path
) -> None:
    for name, expected in (
        *(("gated", "kpr"), ("refresh", "kr"), ("gated in the background", "kpr")),
        *(("move until", "km"), ("move until in the background", "km")),
        *(("warp until", "kw"), ("warp until in the background", "kw")),
    ):
        bundle = read_bundle(write_tiny(tmp_path / name, policy(name, scores)))
        assert set(as_scored(bundle, clip)[1]) == set(expected), name


@pytest.mark.parametrize("name", ["move until", "warp in the background"])
def test_its_masks_ahead_are_those_of_the_evaluation(
    name: str, clip: Clip, scores: list[float], tmp_path: Path
) -> None:
    place = write_tiny(tmp_path / "b", dataclasses.replace(policy(name, scores), ahead=True))
    bundle = read_bundle(place)

    segmenter = segmenter_in(place)
    found = [segmenter.ahead(segmenter.segment(frame)[0]) for frame in clip.frames]

    results = ClipResults(clip, NetworkGraphs(bundle.graphs))
    lag = bundle.keyframe_lag if bundle.policy.asynchronous else None
    taken = walk(len(clip), bundle.policy, results.gate, lag=lag)
    np.testing.assert_equal(found, [results.mask(each) for each in moved_on(taken)])


@pytest.mark.parametrize("name", ["move", "every frame"])
def test_without_ahead_it_says_what_is_needed(name: str, clip: Clip, tmp_path: Path) -> None:
    segmenter = segmenter_in(write_tiny(tmp_path / "b", POLICIES[name]))
    mask, _ = segmenter.segment(clip.frames[0])

    with pytest.raises(SystemExit, match=r"ahead is off in .* policy; allowed: on\. Export"):
        segmenter.ahead(mask)


@pytest.mark.parametrize(("moving", "still"), [("move", "reuse"), ("warp", "propagate")])
def test_masks_that_follow_motion_differ_here_from_those_that_do_not(
    moving: Any, still: Any, clip: Clip, tmp_path: Path
) -> None:
    policies = [dataclasses.replace(MOVE, between_keyframes=each) for each in (moving, still)]
    masks = [
        as_scored(read_bundle(write_tiny(tmp_path / each.between_keyframes, each)), clip)[0]
        for each in policies
    ]

    assert sum(not np.array_equal(*pair) for pair in zip(*masks, strict=True)) >= 4


def test_motion_is_found_by_the_file_beside_it_which_must_be_that_of_the_bundle(
    folder: Path, tmp_path: Path
) -> None:
    place, other = write_tiny(tmp_path / "b", MOVE), write_tiny(tmp_path / "other", MOVE)
    without = write_tiny(tmp_path / "without")

    ran = run(place, folder, "--out", tmp_path / "out", "--bundle", other)
    missing = run(without, folder, "--out", tmp_path / "o", "--bundle", other)
    verify(place)  # nothing was written to it
    with (place / "motion.py").open("a") as file:
        file.write("\nprint('run')\n")
    changed = run(place, folder, "--out", tmp_path / "o")

    assert ran.returncode == 0, ran.stderr
    for refused, beside, bundle in ((missing, without, other), (changed, place, place)):
        assert refused.stdout == ""
        assert refused.stderr.strip() == (
            f"{beside / 'motion.py'} is missing or not that of {bundle}: copy the whole bundle "
            "again, and run the example.py that is in it."
        )


def test_masks_have_the_size_of_the_frames_and_overlays_lie_beside(
    clip: Clip, folder: Path, tmp_path: Path
) -> None:
    place = write_tiny(tmp_path / "b")
    wanted, _ = as_scored(read_bundle(place), clip)

    ran = run(place, folder, "--out", tmp_path / "out")

    assert ran.returncode == 0, ran.stderr
    np.testing.assert_equal(
        masks_in(tmp_path / "out"), [resize_mask(mask, 50, 70) for mask in wanted]
    )
    overlays = in_order(tmp_path / "out" / "overlays")
    assert [file.name for file in overlays] == [f"f{i}.png" for i in range(12)]  # as the frames
    first, mask = np.asarray(Image.open(overlays[0])), masks_in(tmp_path / "out")[0]
    np.testing.assert_equal(first[mask == 0], clip.frames[0][mask == 0])
    assert (first[mask > 0] != clip.frames[0][mask > 0]).any()


def test_an_animated_picture_is_a_video(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (70, 50), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])

    ran = run(write_tiny(tmp_path / "b"), tmp_path / "a.gif", "--out", tmp_path / "out")

    assert ran.returncode == 0, ran.stderr
    assert [mask.shape for mask in masks_in(tmp_path / "out")] == [(50, 70)] * 3


def test_it_replaces_nothing_and_takes_another_bundle_and_odd_paths(
    clip: Clip, folder: Path, tmp_path: Path
) -> None:
    place, other = write_tiny(tmp_path / "a b'c"), write_tiny(tmp_path / "other")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()

    refused = run(place, folder, "--out", tmp_path / "mine")
    no_bundle = run(place, folder, "--out", tmp_path / "o", "--bundle", tmp_path / "mine")
    ran = run(place, folder, "--out", tmp_path / "o p", "--bundle", other)

    (place / "key.tflite").write_bytes((place / "key.tflite").read_bytes() + b"x")
    changed = run(place, folder, "--out", tmp_path / "o")

    assert "key.tflite was changed: copy the whole bundle again." in changed.stderr
    assert "mine exists already. Remove it, or give another folder" in refused.stderr
    assert "has no manifest.json. Give the folder of a bundle" in no_bundle.stderr
    assert ran.returncode == 0, ran.stderr
    assert len(masks_in(tmp_path / "o p")) == len(clip)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["a.gif", "frames/a.png"])
def test_an_image_that_cannot_be_read_and_a_folder_without_one_are_named(
    name: str, tmp_path: Path
) -> None:
    place, broken = write_tiny(tmp_path / "b"), tmp_path / name
    broken.parent.mkdir(exist_ok=True)
    empty = run(place, broken.parent, "--out", tmp_path / "o")
    broken.write_bytes(b"no image")

    given = broken if name == "a.gif" else broken.parent
    ran = run(place, given, "--out", tmp_path / "out")

    assert "has no images. Give a folder with .jpg" in empty.stderr
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith(f"{broken} cannot be read as an image (")


def test_what_is_not_there_is_named_and_help_says_what_it_cannot_do(tmp_path: Path) -> None:
    place = write_tiny(tmp_path / "b")

    missing = run(place, tmp_path / "gone", "--out", tmp_path / "out")
    told = run(place, "--help")

    assert missing.returncode == 1
    assert missing.stderr.strip().endswith(
        "gone does not exist. Give a folder of images, or an animated image."
    )
    assert "Does not decode videos" in " ".join(told.stdout.split())
    assert "frames/%05d.png" in "".join(told.stdout.split())


def test_it_imports_litert_numpy_and_pillow_and_the_standard_library() -> None:
    tree = ast.parse((TEMPLATES / "example.py").read_text(encoding="utf-8"))
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert names - sys.stdlib_module_names == {"ai_edge_litert", "numpy", "PIL"}
