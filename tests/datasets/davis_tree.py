"""Tiny trees in DAVIS's official layout, and where the real one may lie."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

PROJECT = Path(__file__).parents[2]
REAL_DAVIS = Path(os.environ.get("JEJUNET_DATA", PROJECT.parent / "shared" / "data")) / "DAVIS"


def write_davis(
    root: Path,
    *,
    frames: int = 3,
    height: int = 24,
    width: int = 32,
    sequences: tuple[str, ...] = ("bear", "boat"),
    resolution: str = "480p",
) -> Path:
    """Write a train split whose object is the left half, and frames of ever lighter grey."""
    (root / "ImageSets" / "2016").mkdir(parents=True)
    (root / "ImageSets" / "2016" / "train.txt").write_text("\n".join(sequences) + "\n")
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 2] = 255
    for sequence in sequences:
        for t in range(frames):
            picture = np.full((height, width, 3), 10 + 20 * t, np.uint8)
            _save(picture, root / "JPEGImages" / resolution / sequence / f"{t:05d}.jpg")
            _save(mask, root / "Annotations" / resolution / sequence / f"{t:05d}.png")
    return root


def frame_file(root: Path, sequence: str, t: int) -> Path:
    """Return the path of a frame."""
    return root / "JPEGImages" / "480p" / sequence / f"{t:05d}.jpg"


def mask_file(root: Path, sequence: str, t: int) -> Path:
    """Return the path of a mask."""
    return root / "Annotations" / "480p" / sequence / f"{t:05d}.png"


def _save(picture: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
