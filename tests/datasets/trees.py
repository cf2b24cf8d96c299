"""Tiny data sets of 48x64 px pictures, each in its real layout, for tests of whatever opens them.

`write_NAME(folder)` returns the folder to give as the root of the data set NAME; both splits are
there. `add_to_NAME(root)` adds a file or two to the train split. In every picture a bright block of
its class's colour moves over dark noise, so that even a tiny network can learn something.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.datasets import davis_tree
from tests.datasets.davis_tree import frame_file, mask_file

HEIGHT, WIDTH = 48, 64
VOID = 255
Picture = npt.NDArray[np.uint8]
_COLOURS = ((230, 60, 50), (60, 220, 70), (70, 90, 240), (230, 210, 50), (60, 210, 220))

CAMVID_LINE = "/SegNet/CamVid/{split}/{name}.png /SegNet/CamVid/{split}annot/{name}.png\n"
VIDEOS = ("003234408d", "0043f083b5", "0044fa5fba", "005a527edd", "0065b171f9")


def picture_and_mask(
    classes: Sequence[int],
    t: int = 0,
    height: int = HEIGHT,
    width: int = WIDTH,
    background: int = 0,
) -> tuple[Picture, Picture]:
    """Return a picture with one block of each of `classes`, two pixels further right each frame."""
    rng = np.random.default_rng([t, *classes])
    picture = rng.integers(0, 60, (height, width, 3), np.uint8)
    mask = np.full((height, width), background, np.uint8)
    for number, index in enumerate(classes):
        left = 4 + 2 * t + number * width // 2
        block = slice(height // 4, 3 * height // 4), slice(left, left + width // 3)
        picture[block] = _COLOURS[index % len(_COLOURS)]
        mask[block] = index
    return picture, mask


def save(picture: Picture, path: Path, *, palette: bool = False) -> Path:
    """Write a picture or a mask; a palette's colours differ from its indices, as in real ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture)
    if palette:
        image.putpalette(
            [(37 * index + 11 * channel) % 256 for index in range(256) for channel in range(3)]
        )
    image.save(path)
    return path


def write_davis(folder: Path) -> Path:
    """Write two train sequences and one of val, of four frames."""
    names = ("bear", "boat", "goat")
    root = davis_tree.write_davis(folder, frames=4, height=HEIGHT, width=WIDTH, sequences=names)
    lists = root / "ImageSets" / "2016"
    (lists / "train.txt").write_text("bear\nboat\n")
    (lists / "val.txt").write_text("goat\n")
    for name in names:
        for t in range(4):
            picture, mask = picture_and_mask([1], t)
            save(picture, frame_file(root, name, t))
            save(255 * mask, mask_file(root, name, t))
    return root


def add_to_davis(root: Path) -> None:
    """Add a frame to a train sequence."""
    picture, mask = picture_and_mask([1], 4)
    save(picture, frame_file(root, "bear", 4))
    save(255 * mask, mask_file(root, "bear", 4))


def write_voc2012(folder: Path) -> Path:
    """Write six train and three val photos, lying and upright, with void around the objects."""
    for number in range(9):
        _add_voc_photo(
            folder, f"2007_{number:06d}", 1 + number % 3, "train" if number < 6 else "val"
        )
    return folder


def add_to_voc2012(root: Path) -> None:
    """Add a photo."""
    _add_voc_photo(root, "2011_003256", 20, "train")


def voc_folder(root: Path) -> Path:
    """Return the folder of VOC2012 itself."""
    return root / "VOCdevkit" / "VOC2012"


def _add_voc_photo(root: Path, name: str, index: int, split: str) -> None:
    size = (HEIGHT, WIDTH) if index % 2 else (WIDTH, HEIGHT)
    picture, mask = picture_and_mask([index], 0, *size)
    mask[:2] = VOID
    folder = voc_folder(root)
    save(picture, folder / "JPEGImages" / f"{name}.jpg")
    save(mask, folder / "SegmentationClass" / f"{name}.png", palette=True)
    _append(folder / "ImageSets" / "Segmentation" / f"{split}.txt", f"{name}\n")


def write_youtube_vos(folder: Path, *, all_frames: bool = False) -> Path:
    """Write five videos of three annotated frames; the second object of each enters late."""
    for number, video in enumerate(VIDEOS):
        for step in range(3):
            _add_youtube_frame(folder, video, 5 * step)
        for t in range(11) if all_frames else ():
            frames = folder / "train_all_frames" / "JPEGImages"
            save(picture_and_mask([1], t // 2)[0], frames / video / f"{t:05d}.jpg")
        _add_youtube_video(folder, video, ("person", "duck" if number % 2 else "truck"))
    return folder


def add_to_youtube_vos(root: Path) -> None:
    """Add a frame to each video."""
    for video in VIDEOS:
        _add_youtube_frame(root, video, 15)


def _add_youtube_frame(root: Path, video: str, t: int) -> None:
    picture, mask = picture_and_mask([1, 2] if t else [1], t // 5)
    save(picture, root / "train" / "JPEGImages" / video / f"{t:05d}.jpg")
    save(mask, root / "train" / "Annotations" / video / f"{t:05d}.png", palette=True)


def _add_youtube_video(root: Path, video: str, categories: tuple[str, str]) -> None:
    meta = root / "train" / "meta.json"
    content = json.loads(meta.read_text()) if meta.exists() else {"videos": {}}
    frames = (["00000", "00005", "00010"], ["00005", "00010"])
    content["videos"][video] = {
        "objects": {
            str(number): {"category": category, "frames": seen}
            for number, (category, seen) in enumerate(zip(categories, frames, strict=True), 1)
        }
    }
    meta.write_text(json.dumps(content, indent=4))


def write_camvid(folder: Path) -> Path:
    """Write four train frames of two videos, a second apart, and five consecutive ones of val."""
    for name in ("0001TP_006690", "0001TP_006720", "0006R0_f00930", "0006R0_f00960"):
        _add_camvid_frame(folder, "train", name)
    for number in range(7959, 7969, 2):
        _add_camvid_frame(folder, "val", f"0016E5_{number:05d}")
    return folder


def add_to_camvid(root: Path) -> None:
    """Add a train frame."""
    _add_camvid_frame(root, "train", "0001TP_006750")


def add_test_to_camvid(root: Path) -> None:
    """Add the test split, which is not in every copy: five frames of two videos, a second apart."""
    for number in (8550, 8580, 8610):
        _add_camvid_frame(root, "test", f"0001TP_{number:06d}")
    for number in (0, 30):
        _add_camvid_frame(root, "test", f"Seq05VD_f{number:05d}")


def _add_camvid_frame(root: Path, split: str, name: str) -> None:
    picture, mask = picture_and_mask([3, 8], int(name[-2:]) % 8)
    mask[:2] = 11
    save(picture, root / split / f"{name}.png")
    save(mask, root / f"{split}annot" / f"{name}.png")
    _append(root / f"{split}.txt", CAMVID_LINE.format(split=split, name=name))


def write_folder(folder: Path) -> Path:
    """Write four clips, one frame of each without a mask, and four photos."""
    for name in ("walk", "ride", "swim", "climb"):
        for t in range(3):
            picture, mask = picture_and_mask([1], t)
            save(picture, folder / "images" / name / f"{t:03d}.jpg")
            if t != 1:
                save(mask, folder / "masks" / name / f"{t:03d}.png")
    for number in range(4):
        picture, mask = picture_and_mask([1, 2])
        save(picture, folder / "images" / f"photo{number}.png")
        save(mask, folder / "masks" / f"photo{number}.png", palette=True)
    (folder / "classes.yaml").write_text("- background\n- person\n- dog\n")
    return folder


def add_to_folder(root: Path) -> None:
    """Add a frame to each clip."""
    for name in ("walk", "ride", "swim", "climb"):
        save(picture_and_mask([1], 3)[0], root / "images" / name / "003.jpg")


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(line)


# The data sets on disk: how a tiny one is written, and how its train split is added to.
TREES: dict[str, tuple[Callable[[Path], Path], Callable[[Path], None]]] = {
    "davis": (write_davis, add_to_davis),
    "voc2012": (write_voc2012, add_to_voc2012),
    "youtube_vos": (write_youtube_vos, add_to_youtube_vos),
    "camvid": (write_camvid, add_to_camvid),
    "folder": (write_folder, add_to_folder),
}
