"""What describes a data set: classes, lists, and which files lie where."""

import json
import random
import shutil
from pathlib import Path

from tests.fuzz.attempt import Parser
from tests.fuzz.makers import of_text, of_values, put

CLASSES = (
    b"- background\n- road\n- car\n",
    b"{background: 0, road: [1, 2], ignore: 255}\n",
    b"ground: 0\nthing: [1, 2]\nignore: [254, 255]\n",
)
_LIST = (b"walk\nrun\n# comment\n", "\ufeffwalk\r\n\r\nréal\r\n".encode(), b"images/walk/\n./run")
_PAIRS = (
    b"/JPEGImages/walk/00000.jpg /Annotations/walk/00000.png\n" * 2,
    "a\\walk\\00000.png  b/walk/00000.png\r\n".encode("utf-16"),
)
_OBJECTS = b'{"objects": {"1": {"category": "cat", "frames": ["00000"]}}}'
_META = b'{"videos": {"a1": %s, "b2": %s, "c3": %s}}' % ((_OBJECTS,) * 3)
# Files of whole data sets; behind a colon comes a file's text, in which ; ends a line.
_TREES = (
    b"images/walk/0.png\nmasks/walk/0.png\nimages/run/0.png\nmasks/run/0.png\nclasses.yaml\n",
    b"images/train/a.jpg\nmasks/train/a.png\nimages/val/b.jpg\nmasks/val/b.png\nclasses.yaml\n",
    b"JPEGImages/480p/a/0.jpg\nAnnotations/480p/a/0.png\nJPEGImages/480p/b/0.jpg\n"
    b"Annotations/480p/b/0.png\nImageSets/2016/train.txt:a;\nImageSets/2016/val.txt:b;\n",
    b"train/a.png\ntrainannot/a.png\ntrain.txt:/S/train/a.png /S/trainannot/a.png;\n"
    b"val/b.png\nvalannot/b.png\nval.txt:/S/val/b.png /S/valannot/b.png;\n",
    b"train/JPEGImages/a/0.jpg\ntrain/Annotations/a/0.png\ntrain/JPEGImages/b/0.jpg\n"
    b'train/Annotations/b/0.png\ntrain/meta.json:{"videos": {"a": {"objects": {}}, '
    b'"b": {"objects": {"1": {"category": "cat"}}}}}\n',
    b"data/JPEGImages/a.jpg\ndata/SegmentationClass/a.png\ndata/JPEGImages/b.jpg\n"
    b"data/SegmentationClass/b.png\ndata/ImageSets/Segmentation/train.txt:a;\n"
    b"data/ImageSets/Segmentation/val.txt:b;\n",
)


def _folder_tree(folder: Path) -> None:
    import numpy as np
    from PIL import Image

    for name in ("walk", "run"):
        for part, mode in (("images", "RGB"), ("masks", "L")):
            (folder / part / name).mkdir(parents=True)
            Image.fromarray(np.zeros((8, 8), np.uint8)).convert(mode).save(
                folder / part / name / "00000.png"
            )
    (folder / "classes.yaml").write_bytes(CLASSES[0])


def _split(folder: Path) -> None:
    from jejunet_nas.datasets.folder import FolderSettings, describe_split

    describe_split("train", folder, FolderSettings())


def _classes(data: bytes, folder: Path) -> None:
    from jejunet_nas.datasets.classes_file import read_classes

    names, code = read_classes(put(folder, "classes.yaml", data))
    assert all(name.isprintable() for name in names)
    assert len(code.classes) == 256
    _split(folder)


def _list(data: bytes, folder: Path) -> None:
    put(folder, "train.txt", data)
    _split(folder)


def _pairs(data: bytes, folder: Path) -> None:
    from jejunet_nas.datasets.lists import listed_pairs

    listed_pairs(put(folder, "pairs.txt", data), folder / "images")


def _meta(data: bytes, folder: Path) -> None:
    from jejunet_nas.datasets.youtube_vos import YoutubeVosSettings, describe_split

    for part, kind in (("JPEGImages", "jpg"), ("Annotations", "png")):
        for video in json.loads(_META)["videos"]:
            put(folder, f"train/{part}/{video}/00000.{kind}", b"")
    put(folder, "train/meta.json", data)
    describe_split("train", folder, YoutubeVosSettings())


def _tree(data: bytes, folder: Path) -> None:
    """Make the files that the lines of `data` name, and start a study from them as `init` does."""
    from jejunet_nas.datasets.recognise import find_data, read_facts
    from jejunet_nas.study.starter import starter_study

    root = folder / "tree"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    picture = (folder / "images" / "walk" / "00000.png").read_bytes()
    for line in data.splitlines()[:40]:
        path, _, text = line.partition(b":")
        parts = [part for part in path.decode(errors="surrogateescape").split("/") if part]
        if parts and not {".", ".."} & {*parts}:
            content = CLASSES[0] if path.endswith(b".yaml") else picture
            try:
                put(root, "/".join(parts), text.replace(b";", b"\n") or content)
            except (OSError, ValueError):  # no disk holds such a name
                continue
    try:
        for dataset, place in find_data(root):
            starter_study("street", read_facts(dataset, place))
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _tree_input(rng: random.Random) -> bytes:
    made = of_text(*_TREES)(rng)
    return made if rng.random() < 0.7 else made + b"\n" + of_text(*_TREES)(rng)


def parsers() -> list[Parser]:
    """Return the parsers of descriptions of data sets."""
    return [
        Parser(
            name="classes", make=of_text(*CLASSES), feed=_classes, prepare=_folder_tree, share=1.5
        ),
        Parser(name="list", make=of_text(*_LIST), feed=_list, prepare=_folder_tree),
        Parser(name="list of pairs", make=of_text(*_PAIRS), feed=_pairs, prepare=_folder_tree),
        Parser(name="meta.json", make=of_values(json.loads(_META)), feed=_meta),
        Parser(name="data folder", make=_tree_input, feed=_tree, prepare=_folder_tree, share=0.4),
    ]
