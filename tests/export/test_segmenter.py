"""The Kotlin class of a bundle compiles, and does what the evaluation of its trial did.

Compiled against stand-ins for LiteRT and Android, in which graphs are arithmetic. It needs Java and
a Kotlin compiler, such as npm's `kotlin-compiler`: `kotlinc` on the path, or its file in KOTLINC.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from jejunet_nas.export.segmenter import kotlin_string, segmenter_of
from jejunet_nas.litert import TensorInfo
from jejunet_nas.records import Clip
from jejunet_nas.resize import resize_mask
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.bundle import read_bundle
from jejunet_nas.video.graphs import NetworkGraphs, context_table
from jejunet_nas.video.manifest import Manifest
from jejunet_nas.video.manifest_file import read_manifest
from jejunet_nas.video.policy import walk
from jejunet_nas.video.results import ClipResults
from tests.export.bundles import write_tiny
from tests.export.test_card import HOSTILE

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
}
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
            val rgb = frame(n / 2, height, width)
            val bitmap = android.graphics.Bitmap(width, height, pixels(rgb))
            val mask = if (n % 2 == 0) it.segment(rgb, width, height) else it.segment(bitmap)
            val crcs = listOf(mask.classes, mask.enlarged(width, height)).map(::crc)
            println("{name} ${{mask.path}} ${{crcs[0]}} ${{crcs[1]}}")
        }}
    }}
"""


def compiler() -> str:
    found = os.environ.get("KOTLINC") or shutil.which("kotlinc")
    if found is None or shutil.which("java") is None:
        pytest.skip("needs Java and kotlinc, from npm's kotlin-compiler: set KOTLINC to its file")
    return found


def manifest_of(name: str, folder: Path) -> Manifest:
    """Return the manifest of a tiny bundle; of "requantised", its contexts have other scales."""
    manifest = read_manifest(write_tiny(folder / name, POLICIES[name], class_names=HOSTILE))
    if name != "requantised":
        return manifest
    plain = manifest.model_dump(mode="json")
    (context,) = (t for t in plain["graphs"]["propagate"]["inputs"] if t["name"] == "context")
    context |= {"scale": context["scale"] * 1.3, "zero_point": context["zero_point"] + 5}
    return Manifest.model_validate_json(json.dumps(plain))


def made_up(**inputs: npt.NDArray[Any]) -> dict[str, Any]:
    """Return the outputs of `Interpreter.kt` for these inputs."""
    order = ("image", "context", "now", "keyframe")
    content = b"".join(inputs[name].tobytes() for name in order if name in inputs)
    seed = zlib.crc32(content)
    context = (np.arange(4 * 4 * 1000) + (seed >> 8)).astype(np.uint8).view(np.int8)
    return {
        "class_map": (np.arange(32 * 32) * 7 + seed).astype(np.uint8).reshape(1, 32, 32),
        "context": context,
        "score": np.array([(seed >> 16) & 0xFF], np.uint8).view(np.int8),
    }


def graphs_of(bundle: Path, manifest: Manifest) -> NetworkGraphs:
    """Return the graphs of a bundle, their outputs made up as in `Interpreter.kt`."""
    graphs = NetworkGraphs(read_bundle(bundle).graphs)
    for name, graph in graphs._graphs.items():
        size = int(np.prod(graph.tensors["context"].shape)) if "context" in graph.tensors else 0

        def run(size: int = size, **inputs: Any) -> dict[str, Any]:
            found = made_up(**inputs)
            return {**found, "context": found["context"][:size]}

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
    """Return the frame of `MAIN`."""
    state, count = seed, 3 * height * width
    values = bytearray(count)
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = state >> 24
    return np.frombuffer(bytes(values), np.uint8).reshape(height, width, 3)


def wanted(name: str, bundle: Path, manifest: Manifest) -> list[str]:
    """Return the lines that `MAIN` has to print for a policy."""
    lines, graphs, policy = [], graphs_of(bundle, manifest), manifest.policy
    for height, width in SIZES:
        frames = np.stack([frame(n // 2, height, width) for n in range(FRAMES)])
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
        for path, shown in zip(taken.paths, taken.shown, strict=True):
            mask = results.mask(shown)
            crcs = [zlib.crc32(m.tobytes()) for m in (mask, resize_mask(mask, height, width))]
            lines.append(f"{name} {path.upper()} {crcs[0]} {crcs[1]}")
    return lines


@pytest.mark.slow
def test_its_paths_and_masks_are_those_of_the_evaluation_bit_for_bit(tmp_path: Path) -> None:
    command, calls, lines = compiler(), [], []
    sizes = ", ".join(f"{height} to {width}" for height, width in SIZES)
    for name, policy in POLICIES.items():
        manifest = manifest_of(name, tmp_path)
        source = segmenter_of(manifest).replace("package jejunet\n", f"package {name}\n")
        (tmp_path / f"{name}.kt").write_text(source, encoding="utf-8")
        lag = f", lag = {manifest.keyframe_lag}" if policy.asynchronous else ""
        calls.append(CALL.format(sizes=sizes, name=name, lag=lag, frames=FRAMES))
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
        ("CONTEXT_TABLE", name == "requantised"),
    ):
        assert (word in source) == there, word
    assert f"KEYFRAME_INTERVAL = {policy.keyframe_interval}\n" in source
    assert "{{" not in source
    assert "{%" not in source
    assert not re.search(r"\n\n\n", source)


def test_names_are_text_whatever_is_in_them(tmp_path: Path) -> None:
    made = write_tiny(tmp_path / "b", study="*/ fun evil() = ${x}\n}", class_names=HOSTILE)

    source = segmenter_of(read_manifest(made))

    assert "of study */ fun evil() = ${x} }.\n" in source  # in a comment of one line
    assert r"say \u0022\u00e6\u0022" in source
    assert kotlin_string('$a"\\\n😀') == r'"\u0024a\u0022\u005c\u000a\ud83d\ude00"'
