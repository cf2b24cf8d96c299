"""The Kotlin class of a bundle compiles, and does what the evaluation of its trial did.

Compiled against stand-ins for LiteRT and Android, in which graphs are arithmetic. It needs Java and
a Kotlin compiler, such as npm's `kotlin-compiler`: `kotlinc` on the path, or its file in KOTLINC.
"""

import functools
import json
import math
import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from jejunet_nas.export.card import tensor_of
from jejunet_nas.export.segmenter import kotlin_string, segmenter_of
from jejunet_nas.litert import TensorInfo
from jejunet_nas.records import Clip
from jejunet_nas.resize import resize_mask
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video import motion
from jejunet_nas.video.bundle import read_bundle
from jejunet_nas.video.graphs import NetworkGraphs, context_table
from jejunet_nas.video.manifest import Manifest
from jejunet_nas.video.manifest_file import read_manifest
from jejunet_nas.video.policy import walk
from jejunet_nas.video.results import ClipResults, Shown
from tests.export.bundles import write_tiny
from tests.export.test_card import HOSTILE
from tests.video.build import moved_on

STAND_INS = Path(__file__).parent / "android"
# Height, width of the frames. Pillow 13 filters rows first where the width hardly shrinks and the
# height does; columns come first here.
SIZES = ((50, 70), (64, 64), (64, 200), (200, 64), (91, 133))
FRAMES = 40
POLICIES = {
    "every": Policy(keyframe_interval=1),
    "propagate": Policy(keyframe_interval=3),
    "requantised": Policy(keyframe_interval=4),
    "reuse": Policy(keyframe_interval=3, between_keyframes="reuse"),
    "gated": Policy(keyframe_interval=5, reuse_below=0.3, refresh_above=0.7),
    "below": Policy(keyframe_interval=7, reuse_below=0.5),
    "refresh": Policy(keyframe_interval=6, between_keyframes="reuse", refresh_above=0.5),
    "background": Policy(keyframe_interval=1, asynchronous=True),
    "above_in_background": Policy(keyframe_interval=9, refresh_above=0.6, asynchronous=True),
    "gated_in_background": Policy(
        keyframe_interval=4, reuse_below=0.4, refresh_above=0.8, asynchronous=True
    ),
    "move": Policy(keyframe_interval=5, between_keyframes="move"),
    "move_until": Policy(keyframe_interval=9, between_keyframes="move", refresh_above=0.7),
    "move_in_background": Policy(keyframe_interval=1, between_keyframes="move", asynchronous=True),
    "move_until_in_background": Policy(
        keyframe_interval=6, between_keyframes="move", refresh_above=0.6, asynchronous=True
    ),
    "move_wide": Policy(keyframe_interval=5, between_keyframes="move"),
    "move_coarse": Policy(keyframe_interval=5, between_keyframes="move"),
    "move_odd": Policy(keyframe_interval=5, between_keyframes="move"),
    "warp": Policy(keyframe_interval=4, between_keyframes="warp"),
    "warp_requantised": Policy(keyframe_interval=5, between_keyframes="warp"),
    "warp_until": Policy(keyframe_interval=9, between_keyframes="warp", refresh_above=0.7),
    "warp_in_background": Policy(keyframe_interval=1, between_keyframes="warp", asynchronous=True),
    "warp_wide": Policy(
        keyframe_interval=6, between_keyframes="warp", refresh_above=0.6, asynchronous=True
    ),
    "move_ahead": Policy(keyframe_interval=5, between_keyframes="move", ahead=True),
    "warp_ahead": Policy(
        keyframe_interval=1, between_keyframes="warp", asynchronous=True, ahead=True
    ),
    "warp_whole": Policy(keyframe_interval=5, between_keyframes="warp"),
}
REQUANTISED = ("requantised", "warp_requantised", "warp_wide")
# Height and width of the graphs' image and of the mask, where they are not the tiny network's.
RESIZED = {
    "move_wide": ((64, 96), (32, 48)),
    "move_coarse": ((96, 64), (12, 8)),
    "move_odd": ((64, 64), (45, 70)),
    "warp_wide": ((64, 96), (32, 48)),
    "warp_whole": ((64, 64), (32, 32)),
}
# Rows, columns and channels of the context, where they are not the tiny network's.
CONTEXTS = {"warp_wide": (2, 4, 7), "warp_whole": (1, 32, 5)}
MAIN = """\
package check

import java.nio.ByteBuffer
import java.util.zip.CRC32

fun crc(bytes: ByteArray) = CRC32().also {{ it.update(bytes) }}.value

fun frame(seed: Int, height: Int, width: Int): ByteArray {{
    var state = seed
    return ByteArray(3 * height * width) {{
        state = state * 1664525 + 1013904223
        (state ushr 24).toByte()
    }}
}}

fun moved(rgb: ByteArray, height: Int, width: Int, down: Int, right: Int) = ByteArray(rgb.size) {{
    val (y, x) = listOf(it / (3 * width) + down, it / 3 % width + right)
    rgb[3 * (y % height * width + x % width) + it % 3]
}}

fun pixels(rgb: ByteArray) = IntArray(rgb.size / 3) {{ i ->
    fun at(c: Int) = rgb[3 * i + c].toInt() and 0xff
    (0xff shl 24) or (at(0) shl 16) or (at(1) shl 8) or at(2)
}}

fun main() {{
    val load = {{ _: String -> ByteBuffer.allocateDirect(1) }}
{calls}
}}
"""
CALL = """\
    for ((height, width) in listOf({sizes})) {name}.Segmenter(load{lag}).use {{
        it.segment(frame(99, height, width), width, height)
        it.reset()
        for (n in 0 until {frames}) {{
            val rgb = moved(frame(n / 10, height, width), height, width, 3 * (n / 2), 2 * (n / 2))
            val bitmap = android.graphics.Bitmap(width, height, pixels(rgb))
            val mask = if (n % 2 == 0) it.segment(rgb, width, height) else it.segment(bitmap)
            val crcs = listOf(mask.classes, mask.enlarged(width, height)).map(::crc)
            println("{name} ${{mask.path}} ${{crcs[0]}} ${{crcs[1]}}{ahead}")
        }}
    }}
"""


def compiler() -> str:
    found = os.environ.get("KOTLINC") or shutil.which("kotlinc")
    if found is None or shutil.which("java") is None:
        pytest.skip("needs Java and kotlinc, from npm's kotlin-compiler: set KOTLINC to its file")
    return found


def manifest_of(name: str, folder: Path) -> Manifest:
    """Return the manifest of a tiny bundle.

    Of those in `REQUANTISED`, its contexts have other scales, and of those in `RESIZED` and
    `CONTEXTS`, image, mask and context have another size.
    """
    manifest = read_manifest(write_tiny(folder / name, POLICIES[name], class_names=HOSTILE))
    plain = manifest.model_dump(mode="json")
    if name in REQUANTISED:
        context = tensor_in(plain["graphs"]["propagate"]["inputs"], "context")
        context |= {"scale": context["scale"] * 1.3, "zero_point": context["zero_point"] + 5}
    if name in RESIZED:
        (height, width), mask = RESIZED[name]
        plain["input"] |= {"height": height, "width": width}
        tensor_in(plain["graphs"]["key"]["outputs"], "class_map")["shape"] = [1, *mask]
    for graph, end in (("key", "outputs"), ("propagate", "inputs")) if name in CONTEXTS else ():
        tensor_in(plain["graphs"][graph][end], "context")["shape"] = [1, *CONTEXTS[name]]
    return Manifest.model_validate_json(json.dumps(plain))


def tensor_in(tensors: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(each for each in tensors if each["name"] == name)


def sizes_of(name: str) -> Sequence[tuple[int, int]]:
    """Return the sizes of the frames that a policy is checked with, height and width."""
    if name not in RESIZED:
        return SIZES
    height, width = RESIZED[name][0]
    return ((height, width), (2 * height, 2 * width))


def made_up(mask_size: Sequence[int], **inputs: npt.NDArray[Any]) -> dict[str, Any]:
    """Return the outputs of `Interpreter.kt` for these inputs."""
    order = ("image", "context", "now", "keyframe")
    content = b"".join(inputs[name].tobytes() for name in order if name in inputs)
    seed = zlib.crc32(content)
    context = (np.arange(4 * 4 * 1000) + (seed >> 8)).astype(np.uint8).view(np.int8)
    return {
        "class_map": (np.arange(math.prod(mask_size)) * 7 + seed)
        .astype(np.uint8)
        .reshape(1, *mask_size),
        "context": context,
        "score": np.array([(seed >> 16) & 0xFF], np.uint8).view(np.int8),
    }


def graphs_of(bundle: Path, manifest: Manifest) -> NetworkGraphs:
    """Return the graphs of a bundle, their outputs made up as in `Interpreter.kt`."""
    graphs = NetworkGraphs(read_bundle(bundle).graphs)
    graphs.height, graphs.width = manifest.input.height, manifest.input.width
    graphs.mask_size = [*tensor_of(manifest.graphs.key, "class_map").shape[1:]]
    for name, graph in graphs._graphs.items():
        shape = tensor_of(manifest.graphs.key, "context").shape

        def run(shape: Sequence[int] = shape, **inputs: Any) -> dict[str, Any]:
            found = made_up(graphs.mask_size, **inputs)
            return {**found, "context": found["context"][: math.prod(shape)].reshape(shape)}

        graphs._graphs[name] = SimpleNamespace(run=run, tensors=graph.tensors)  # type: ignore[assignment]
    if manifest.graphs.propagate:
        pair = [
            next(t for t in tensors if t.name == "context")
            for tensors in (manifest.graphs.key.outputs, manifest.graphs.propagate.inputs)
        ]
        infos = (
            TensorInfo(shape=t.shape, dtype=np.dtype("i1"), scale=t.scale, zero_point=t.zero_point)
            for t in pair
        )
        graphs._table = context_table(*infos)
    return graphs


@functools.cache
def frame(seed: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return the frame of `MAIN`: noise."""
    state, count = seed, 3 * height * width
    values = bytearray(count)
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = state >> 24
    return np.frombuffer(bytes(values), np.uint8).reshape(height, width, 3)


def moved_frame(n: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return frame `n` of a clip that moves upwards and to the left, with a cut now and then."""
    return np.roll(frame(n // 10, height, width), (-3 * (n // 2), -2 * (n // 2)), axis=(0, 1))


def wanted(name: str, bundle: Path, manifest: Manifest) -> list[str]:
    """Return the lines that `MAIN` has to print for a policy."""
    lines, graphs, policy = [], graphs_of(bundle, manifest), manifest.policy
    for height, width in sizes_of(name):
        frames = np.stack([moved_frame(n, height, width) for n in range(FRAMES)])
        clip = Clip(
            name="noise",
            frames=frames,
            masks=np.zeros(frames.shape[:3], np.uint8),
            annotated=np.zeros(FRAMES, np.bool_),
            fps=24.0,
        )
        results = ClipResults(clip, graphs)
        lag = manifest.keyframe_lag if policy.asynchronous else None
        taken = walk(FRAMES, policy, results.gate, lag=lag)
        for path, shown, on in zip(taken.paths, taken.shown, moved_on(taken), strict=True):
            mask = results.mask(shown)
            crcs = [zlib.crc32(m.tobytes()) for m in (mask, resize_mask(mask, height, width))]
            ahead = f" {zlib.crc32(results.mask(on).tobytes())}" if policy.ahead else ""
            lines.append(f"{name} {path.upper()} {crcs[0]} {crcs[1]}{ahead}")
        moved = [each for each in taken.shown if each.moved]
        still = [results.mask(Shown(each.frame, each.keyframe)) for each in moved]
        moving = [not np.array_equal(results.mask(a), b) for a, b in zip(moved, still, strict=True)]
        assert sum(moving) >= 0.5 * len(moved), "masks or contexts hardly move"
    return lines


@pytest.mark.slow
def test_its_paths_and_masks_are_those_of_the_evaluation_bit_for_bit(tmp_path: Path) -> None:
    command, calls, lines = compiler(), [], []
    for name, policy in POLICIES.items():
        manifest = manifest_of(name, tmp_path)
        source = segmenter_of(manifest).replace("package jejunet\n", f"package {name}\n")
        (tmp_path / f"{name}.kt").write_text(source, encoding="utf-8")
        sizes = ", ".join(f"{height} to {width}" for height, width in sizes_of(name))
        lag = f", lag = {manifest.keyframe_lag}" if policy.asynchronous else ""
        ahead = " ${crc(it.ahead(mask).classes)}" if policy.ahead else ""
        calls.append(CALL.format(sizes=sizes, name=name, lag=lag, frames=FRAMES, ahead=ahead))
        lines += wanted(name, tmp_path / name, manifest)
    (tmp_path / "Main.kt").write_text(MAIN.format(calls="\n".join(calls)), encoding="utf-8")
    files = [*STAND_INS.glob("*.kt"), *tmp_path.glob("*.kt")]

    jar = tmp_path / "check.jar"
    compile_all = [command, "-Werror", "-include-runtime", "-d", jar, *files]
    made = subprocess.run(compile_all, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    ran = subprocess.run(
        ["java", "-cp", jar, "check.MainKt"], capture_output=True, text=True, check=True
    )

    assert ran.stdout.splitlines() == lines
    paths = {line.split()[1] for line in lines if line.startswith("gated_in")}
    assert paths == {"KEY", "PROPAGATE", "REUSE"}
    for name in ("move_until", "warp_until", "warp_wide"):
        paths = {line.split()[1] for line in lines if line.startswith(name)}
        assert paths == {"KEY", name[:4].upper()}


@pytest.mark.parametrize("name", POLICIES)
def test_it_holds_what_its_policy_needs_and_nothing_else(name: str, tmp_path: Path) -> None:
    policy, source = POLICIES[name], segmenter_of(manifest_of(name, tmp_path))

    for word, there in (
        ("val propagateGraph", policy.propagates),
        ("val gateGraph", policy.gated),
        ("fun thumbnail", policy.gated),
        ("Executors", policy.asynchronous),
        ("REUSE_BELOW", policy.reuse_below is not None),
        ("REFRESH_ABOVE", policy.refresh_above is not None),
        ("CONTEXT_TABLE", name in REQUANTISED),
        ("FramePath.MOVE", policy.moves),
        ("FramePath.WARP", policy.between_keyframes == "warp"),
        ("fun warped(", policy.between_keyframes == "warp"),
        ("class Motion", policy.follows_motion),
        ("fun grey(", policy.follows_motion),
        ("fun moved(", policy.moves or policy.ahead),
        ("fun ahead(", policy.ahead),
        ("fun middles(", name in ("move_coarse", "move_odd")),
    ):
        assert (word in source) == there, word
    assert f"KEYFRAME_INTERVAL = {policy.keyframe_interval}\n" in source
    assert "{{" not in source
    assert "{%" not in source
    assert not re.search(r"\n\n\n", source)


def test_what_a_shift_costs_and_its_number_fit_where_the_class_keeps_them() -> None:
    farthest = 2 * motion.COARSE_REACH + motion.FINE_REACH
    most = 255 * motion.WINDOW**2 + 2 * motion.STILL * farthest

    assert (2 * motion.COARSE_REACH + 1) ** 2 < 1 << 7
    assert most < 1 << 20 - 7


def test_names_are_text_whatever_is_in_them(tmp_path: Path) -> None:
    made = write_tiny(tmp_path / "b", study="*/ fun evil() = ${x}\n}", class_names=HOSTILE)

    source = segmenter_of(read_manifest(made))

    assert "of study */ fun evil() = ${x} }.\n" in source  # in a comment of one line
    assert r"say \u0022\u00e6\u0022" in source
    assert kotlin_string('$a"\\\n😀') == r'"\u0024a\u0022\u005c\u000a\ud83d\ude00"'
