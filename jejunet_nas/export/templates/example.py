"""Segments a video with the graphs in this folder, as manifest.json says.

    pip install ai-edge-litert numpy pillow
    python example.py FRAMES --out segmented

FRAMES is a folder of images, in the order of their names, or an animated image (GIF, WebP, APNG,
TIFF). Convert a video to a folder of frames first: `ffmpeg -i street.mp4 frames/%05d.png`.

Output: masks, class indices with the palette of the manifest, and overlays, the frames with their
masks in colour: PNGs named after the images of the folder, or 00000.png and so on for an animated
image. Segmenter.kt does the same on Android. Where the policy moves masks with the picture, or
warps the context, motion.py is in this folder too, and finds the motion.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps, ImageSequence

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
TINT = 0.5  # share of a class's colour in an overlay


class Graph:
    """One .tflite graph, with its inputs and outputs by name."""

    def __init__(self, file: Path, threads: int) -> None:
        self._interpreter = Interpreter(model_path=str(file), num_threads=threads)
        self._interpreter.allocate_tensors()
        self._inputs = {t["name"]: t["index"] for t in self._interpreter.get_input_details()}
        self._outputs = {t["name"]: t["index"] for t in self._interpreter.get_output_details()}

    def run(self, **inputs: Any) -> dict[str, Any]:
        """Return the outputs; every array has a batch axis."""
        for name, value in inputs.items():
            self._interpreter.set_tensor(self._inputs[name], value)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(i) for name, i in self._outputs.items()}


class Keyframe:
    """The results of a keyframe that the frames after it use."""

    def __init__(self, number: int, mask: Any, context: Any, thumbnail: Any) -> None:
        self.number, self.mask, self.context, self.thumbnail = number, mask, context, thumbnail


class Segmenter:
    """Runs the graphs on the frames of one video, in order, under the policy."""

    def __init__(self, bundle: Path, threads: int = 1) -> None:
        self.manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
        self._policy, self._input = self.manifest["policy"], self.manifest["input"]
        graphs = self.manifest["graphs"]
        for graph in graphs.values():  # a changed graph may give wrong masks without an error
            file = bundle / graph["file"]
            if hashlib.sha256(file.read_bytes()).hexdigest() != graph["sha256"]:
                sys.exit(f"{file} was changed: copy the whole bundle again.")
        motion = motion_of(bundle, self.manifest)
        self._motions = None if motion is None else motion.Motions()
        self._graphs = {n: Graph(bundle / g["file"], threads) for n, g in graphs.items()}
        self._table = None
        if "propagate" in graphs:
            self._table = context_table(
                tensor(graphs["key"]["outputs"], "context"),
                tensor(graphs["propagate"]["inputs"], "context"),
            )
        self._score = tensor(graphs["gate"]["outputs"], "score") if "gate" in graphs else None
        self._number = 0
        self._since: int | None = None  # frames since a keyframe began; None before the first
        self._keyframe: Keyframe | None = None  # the one that frames use
        self._coming: Keyframe | None = None  # the one that runs in the background

    def segment(self, frame: Any) -> tuple[Any, str]:
        """Return the mask of `frame` (uint8 [height, width, 3], RGB) and its path.

        The mask is uint8 [h, w], class indices, at the size of the graphs' output.
        """
        picture = self._resized(frame)
        arrived = self._take_up()
        score = self._gate_score(picture) if self._asks_gate() else None
        path = self._path(picture, score)
        if self._motions is not None:
            self._follow(picture, path, arrived)
        assert self._keyframe is not None, "the first frame is a keyframe"
        mask = self._show(path, picture, self._keyframe)
        self._number += 1
        return mask, path

    def ahead(self, mask: Any) -> Any:
        """Return the newest frame's `mask` as the next frame is expected to look.

        For a screen that shows the camera's newest frame.
        """
        if self._motions is None or not self._policy["ahead"]:
            sys.exit("ahead is off in the bundle's policy; allowed: on. Export another.")
        return self._motions.ahead(mask)

    def _show(self, path: str, picture: Any, keyframe: Keyframe) -> Any:
        """Return the mask of a frame on `path`."""
        if path == "propagate":
            return self._propagate(picture, keyframe.context)
        if path in ("warp", "move"):
            assert self._motions is not None, "the policy follows motion"
            if path == "move":
                return self._motions.move(keyframe.mask)
            return self._propagate(picture, self._motions.warp(keyframe.context))
        return keyframe.mask

    def _path(self, picture: Any, score: float | None) -> str:
        """Return the path of the next frame; run the key graph if it is a keyframe."""
        policy, background = self._policy, self._policy["asynchronous"]
        refresh, reuse = policy["refresh_above"], policy["reuse_below"]
        far = score is not None and refresh is not None and score > refresh
        wanted = self._is_due() or far
        if wanted and (self._keyframe is None or not background):
            self._keyframe = self._key(picture)
            self._since = 1
            return "key"
        if wanted and self._coming is None:
            # On a phone, run this on a separate thread.
            self._coming = self._key(picture)
            self._since = 0
        self._since = (self._since or 0) + 1
        if score is not None and reuse is not None and score < reuse:
            return "reuse"
        return str(policy["between_keyframes"])

    def _take_up(self) -> bool:
        """Use the keyframe in the background, `keyframe_lag` frames after it began, if it is time.

        Return whether it is.
        """
        coming = self._coming
        if not coming or self._number - coming.number < self.manifest["keyframe_lag"]:
            return False
        self._keyframe, self._coming = coming, None
        return True

    def _follow(self, picture: Any, path: str, arrived: bool) -> None:
        """Follow the motion of the picture since each keyframe."""
        assert self._motions is not None, "the policy follows motion"
        if arrived:
            self._motions.arrived()
        self._motions.see(picture, keyframe=path == "key")
        if self._coming and self._coming.number == self._number:
            self._motions.begun()

    def _is_due(self) -> bool:
        return self._since is None or self._since >= self._policy["keyframe_interval"]

    def _asks_gate(self) -> bool:
        """Whether the path of the next frame depends on the gate."""
        reuse, refresh = self._policy["reuse_below"], self._policy["refresh_above"]
        if self._keyframe is None or (reuse is None and refresh is None):
            return False
        if not self._policy["asynchronous"]:
            return not self._is_due()
        may_refresh = refresh is not None and self._coming is None and not self._is_due()
        return reuse is not None or may_refresh

    def _key(self, picture: Any) -> Keyframe:
        outputs = self._graphs["key"].run(image=picture[None])
        mask, context = outputs["class_map"][0], outputs["context"]
        if self._table is not None:
            context = self._table[context.view(np.uint8)]
        return Keyframe(self._number, mask, context, self._thumbnail(picture))

    def _propagate(self, picture: Any, context: Any) -> Any:
        outputs = self._graphs["propagate"].run(image=picture[None], context=context)
        return outputs["class_map"][0]

    def _gate_score(self, picture: Any) -> float:
        """Return how outdated the keyframe's mask is, 0 to 1."""
        assert self._keyframe is not None, "there is a keyframe to compare with"
        now, then = self._thumbnail(picture)[None], self._keyframe.thumbnail[None]
        stored = self._graphs["gate"].run(now=now, keyframe=then)["score"].item()
        assert self._score is not None, "the policy has a gate"
        return float(self._score["scale"] * (stored - self._score["zero_point"]))

    def _resized(self, frame: Any) -> Any:
        size = self._input["height"], self._input["width"]
        if frame.shape[:2] == size:
            return frame
        image = Image.fromarray(np.ascontiguousarray(frame))
        return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR))

    def _thumbnail(self, picture: Any) -> Any:
        """Return the picture with each square of pixels averaged and rounded down."""
        step = self._input["thumbnail_stride"]
        height, width, _ = picture.shape
        squares = picture.reshape(height // step, step, width // step, step, 3)
        return (squares.sum(axis=(1, 3), dtype=np.int64) // step**2).astype(np.uint8)


def motion_of(bundle: Path, manifest: dict[str, Any]) -> ModuleType | None:
    """Return the module motion.py beside this script; None if the bundle does not need it.

    It must be the one of the bundle. The bundle's own is not run: a bundle that --bundle names is
    data.
    """
    wanted = manifest["files"].get("motion.py")
    if wanted is None:
        return None
    file = Path(__file__).parent / "motion.py"
    code = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(code).hexdigest() != wanted:
        sys.exit(
            f"{file} is missing or not that of {bundle}: copy the whole bundle again, and run the "
            "example.py that is in it."
        )
    module = ModuleType("motion")  # not imported, which would write to this folder
    exec(compile(code, file, "exec"), module.__dict__)
    return module


def tensor(tensors: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the manifest's entry of the tensor `name`."""
    return next(each for each in tensors if each["name"] == name)


def context_table(source: dict[str, Any], target: dict[str, Any]) -> Any:
    """Return a table from the key graph's context values to propagate's; None if they are equal."""
    if [source[k] for k in ("scale", "zero_point")] == [target[k] for k in ("scale", "zero_point")]:
        return None
    stored = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)
    real = source["scale"] * (stored - source["zero_point"])
    wanted = np.round(real / target["scale"]) + target["zero_point"]
    return np.clip(wanted, -128, 127).astype(np.int8)


def frames_of(place: Path) -> Iterator[tuple[str, Any]]:
    """Yield name and frame, uint8 [height, width, 3], RGB, of a folder or an animated image."""
    files = [place]
    if place.is_dir():
        found = [f for f in place.iterdir() if f.suffix.lower() in SUFFIXES and f.is_file()]
        files = sorted(
            (file for file in found if not file.name.startswith(".")),
            key=lambda each: natural_key(each.name),
        )
        if not files:
            sys.exit(f"{place} has no images. Give a folder with {', '.join(SUFFIXES)} files.")
    apart = len({file.stem.casefold() for file in files}) == len(files)
    for file in files:
        name = file.stem if apart else file.name
        try:
            with Image.open(file) as image:
                for number, frame in enumerate(ImageSequence.Iterator(image)):
                    picture = np.array(ImageOps.exif_transpose(frame).convert("RGB"))
                    yield (name if place.is_dir() else f"{number:05d}"), picture
                    if place.is_dir():
                        break
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            reason = " ".join(str(error).split())
            sys.exit(f"{file} cannot be read as an image ({reason}). Remove or replace it.")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts frame 2 before frame 10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name.lower())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts] + [(2, 0, name)]


def main() -> None:
    """Segment the frames that the command line names, and write masks and overlays."""
    parser = argparse.ArgumentParser(
        description="Segment a folder of frames, or an animated image, with this bundle's graphs. "
        "Needs ai-edge-litert, numpy and pillow. Does not decode videos: convert a video to a "
        "folder of frames first, with ffmpeg -i VIDEO frames/%05d.png."
    )
    parser.add_argument("frames", type=Path, help="folder of images, or a GIF, WebP, APNG or TIFF")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; must be empty")
    parser.add_argument(
        "--bundle",
        type=Path,
        default=Path(__file__).parent,
        help="folder of the graphs and manifest.json [default: the folder of this script]",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads per graph [default: 1]")
    parser.add_argument(
        "--graph-size", action="store_true", help="masks in the graphs' output size, no overlays"
    )
    given = parser.parse_args()
    if not given.frames.exists():
        sys.exit(f"{given.frames} does not exist. Give a folder of images, or an animated image.")
    if given.out.exists() and not (given.out.is_dir() and not any(given.out.iterdir())):
        sys.exit(f"{given.out} exists already. Remove it, or give another folder with --out.")
    if not (given.bundle / "manifest.json").is_file():
        sys.exit(f"{given.bundle} has no manifest.json. Give the folder of a bundle with --bundle.")
    if not 1 <= given.threads <= 256:
        sys.exit(f"--threads is {given.threads}; allowed: 1 to 256. Use 1.")
    segmenter = Segmenter(given.bundle, given.threads)
    palette = np.array(segmenter.manifest["palette"], np.uint8)
    counts: dict[str, int] = {}
    for name, frame in frames_of(given.frames):
        mask, path = segmenter.segment(frame)
        counts[path] = counts.get(path, 0) + 1
        if not given.graph_size:
            image = Image.fromarray(mask)
            mask = np.asarray(image.resize(frame.shape[1::-1], Image.Resampling.NEAREST))
            colours = palette[mask]
            share = np.where(colours.any(axis=2, keepdims=True), TINT, 0.0)  # black: background
            overlay = ((1 - share) * frame + share * colours).round().astype(np.uint8)
            save(Image.fromarray(overlay), given.out / "overlays" / f"{name}.png")
        image = Image.fromarray(mask)
        image.putpalette(palette.ravel().tolist())
        save(image, given.out / "masks" / f"{name}.png")
    shares = ", ".join(f"{count} {path}" for path, count in counts.items()) or "no frames"
    print(f"{given.out}: {shares}")


def save(image: Any, file: Path) -> None:
    """Save an image, and create its folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)


if __name__ == "__main__":
    main()
