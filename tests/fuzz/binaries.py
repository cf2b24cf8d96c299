"""Parsers of bytes: graphs, archives, arrays, pictures, caches and databases."""

import contextlib
import functools
import io
import json
import random
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from jejunet_nas.media.frames import ReadingEndedError
from tests.fuzz.attempt import Parser
from tests.fuzz.documents import _PROJECT
from tests.fuzz.graph import small_graph
from tests.fuzz.mutation import mutated, mutated_json
from tests.reporting.build import trial

_FORMATS = (
    *(("RGB", "PNG"), ("L", "PNG"), ("P", "PNG"), ("I;16", "PNG")),
    *(("RGB", "JPEG"), ("RGB", "WEBP"), ("RGB", "BMP"), ("RGB", "TIFF")),
)
_HEADER = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}"


def _bytes(seeds: Callable[[], tuple[bytes, ...]]) -> Callable[[random.Random], bytes]:
    kept = functools.cache(seeds)
    return lambda rng: mutated(rng, kept(), text=False)


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def _bundles() -> tuple[bytes, ...]:
    members = {
        "manifest.json": b'{"format": 3}',
        "key.tflite": small_graph(),
        "README.md": b"x" * 99,
    }
    odd = {"../x": b"1", "a/b": b"2", "": b"3", "x" * 300: b"4"}
    return _zip(members), _zip(members, zipfile.ZIP_STORED), _zip(odd), _zip({"a": bytes(1 << 16)})


def _described() -> tuple[bytes, ...]:
    from jejunet_nas.compression.metadata import _metadata, _with_labels

    with_metadata = small_graph(_metadata("key", ["image"], ["class_map"]))
    return _with_labels(with_metadata, ["background", "car"]), with_metadata


def _npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _arrays() -> tuple[bytes, ...]:
    return (
        _npz(
            a=np.arange(6, dtype=np.float32).reshape(2, 3), t=np.array("text"), e=np.zeros((0, 3))
        ),
        _zip({"a.npy": _HEADER}),
    )


def _pictures() -> tuple[bytes, ...]:
    from PIL import Image

    rng = np.random.default_rng(0)
    made = []
    for mode, kind in _FORMATS:
        shape = (16, 24, 3) if mode == "RGB" else (16, 24)
        values = rng.integers(0, 3, shape).astype(np.uint16 if mode == "I;16" else np.uint8)
        file = io.BytesIO()
        image = Image.fromarray(values)
        (image.convert("P") if mode == "P" else image).save(file, kind)
        made.append(file.getvalue())
    return tuple(made)


def _file(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def _graph(data: bytes, folder: Path) -> None:
    from jejunet_nas.litert import Graph, list_operators

    file = _file(folder, "g.tflite", data)
    list_operators(file)
    graph = Graph(file)
    graph.fill_inputs(seed=0)
    graph.invoke()


def _labels(data: bytes, _: Path) -> None:
    from jejunet_nas.compression.metadata import labels_of

    labels_of(data)


def _unpack(data: bytes, folder: Path) -> None:
    from jejunet_nas.video.archive import unpack

    into = folder / "into"
    into.mkdir(exist_ok=True)
    try:
        unpack(_file(folder, "b.zip", data), into)
    finally:
        for file in into.iterdir():
            file.unlink()
    assert sorted(each.name for each in folder.iterdir()) == ["b.zip", "into"]


def _read_arrays(data: bytes, folder: Path) -> None:
    from jejunet_nas.documents.arrays import read_arrays, require_finite

    require_finite(read_arrays(_file(folder, "a.npz", data)))


def _results(data: bytes, folder: Path) -> None:
    """Read a cache of masks; those that are believed can be used."""
    from jejunet_nas.video.results import ClipResults, read_results

    clip = mock.MagicMock()
    clip.__len__.return_value = 4
    results = ClipResults(clip, mock.Mock(mask_size=(4, 4)))
    read_results(_file(folder, "r.npz", data), [results])
    for shown in results.compressed:
        assert 0 <= shown.keyframe <= shown.frame < 4
        results.mask(shown)


def _results_seed() -> tuple[bytes, ...]:
    import zlib

    blobs = [zlib.compress(bytes([n]) * 16, 1) for n in range(2)]
    arrays = {
        "masks": np.array([[0, 0, 0], [0, 1, 0]], np.int32),
        "lengths": np.array([len(blob) for blob in blobs], np.int64),
        "blob": np.frombuffer(b"".join(blobs), np.uint8),
        "scored": np.array([[0, 1, 0]], np.int32),
        "scores": np.array([0.5], np.float64),
    }
    wrong = {name: array + 7 for name, array in arrays.items()}
    return (_npz(**arrays), *(_npz(**{**arrays, name: wrong[name]}) for name in arrays))


class _Variable:
    """Stands for a variable of Keras."""

    def __init__(self) -> None:
        self.value = np.zeros((2, 3), np.float32)

    @property
    def shape(self) -> Any:
        return _Shape((2, 3))

    def numpy(self) -> Any:
        return self.value

    def assign(self, value: Any) -> None:
        assert value.shape == (2, 3)
        assert value.dtype.kind == "f"
        self.value = value


class _Shape(tuple[int, ...]):
    __slots__ = ()

    def as_list(self) -> list[int]:
        return list(self)


def _checkpoint_of(file: Path) -> Any:
    from jejunet_nas.training.checkpoint import Checkpoint
    from jejunet_nas.training.settings import TrainingSettings

    return Checkpoint(file, [_Variable()], TrainingSettings(), ())


def _checkpoint(data: bytes, folder: Path) -> None:
    losses = _checkpoint_of(_file(folder, "c.npz", data)).resume()
    assert all(isinstance(loss, float) for loss in losses)


def _checkpoint_seed() -> tuple[bytes, ...]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = _checkpoint_of(Path(folder) / "c.npz")
        checkpoint.keep([0.5, 0.25], last=True)
        whole = (Path(folder) / "c.npz").read_bytes()
    with np.load(io.BytesIO(whole)) as stored:
        arrays = dict(stored)
    wrong = ({"0": np.zeros(3)}, {"0": np.array([["x"] * 3] * 2)}, {"losses": np.array("x")})
    return (whole, *(_npz(**(arrays | each)) for each in wrong))


def _picture(data: bytes, folder: Path) -> None:
    from jejunet_nas.datasets.clip_files import mask_code, picture_size, read_frame, read_mask

    file = _file(folder, "p.png", data)
    height, width = picture_size(file)
    read_frame(file, (min(height, 64), min(width, 64)))
    read_mask(file, mask_code({0: 0, 1: 1, 2: 2, 255: 255}, fix="Fix it."))


def _frames(data: bytes, folder: Path) -> None:
    from jejunet_nas.media.source import open_source

    _file(folder, "p.png", data)
    for _ in open_source(folder).frames:
        pass


def _cached(data: bytes, folder: Path) -> None:
    """Open a cached clip as the cache does: what is damaged is made again."""
    from jejunet_nas.datasets.clip_files import ClipFiles, Storage, mask_code
    from jejunet_nas.datasets.stored import StoredClip
    from jejunet_nas.datasets.write_once import _open

    _file(folder, "frames.npy", data)
    _file(folder, "masks.npy", data)
    code = mask_code({0: 0}, fix="Fix it.")
    files = ClipFiles(name="a", frames=(folder / "x",), masks=(None,), mask_code=code, fps=24.0)
    for clip in _open(StoredClip(files=[files], folder=folder, storage=Storage())) or ():
        clip.frames[0], clip.masks[0]


def _cached_seed() -> tuple[bytes, ...]:
    made = []
    for shape in ((1, 8, 8, 3), (1, 8, 8)):
        file = io.BytesIO()
        np.save(file, np.zeros(shape, np.uint8))
        made.append(file.getvalue())
    return tuple(made)


def _weights(data: bytes, folder: Path) -> None:
    from jejunet_nas.training.weights_file import read_weights

    read_weights(_file(folder, "w.npz", data))


def _h5(data: bytes, folder: Path) -> None:
    from jejunet_nas.training.weights_file import read_weights

    read_weights(_file(folder, "w.h5", data))


def _weights_seed() -> tuple[bytes, ...]:
    from jejunet_nas.training.weights_file import layer_shapes

    named, folded = {}, {}
    for number, (name, shape) in enumerate(layer_shapes(0.1).items()):
        channels = shape[2] if name.endswith("depthwise") else shape[3]
        kernel = np.ones(shape, np.float32)
        folded |= {f"{number:02}_op/kernel": kernel, f"{number:02}_op/bias": np.ones(channels)}
        named[f"{name}/kernel"] = kernel
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            named[f"{name}_BN/{part}"] = np.ones(channels, np.float32)
    return _npz(**folded), _npz(**named)


def _h5_seed() -> tuple[bytes, ...]:
    import h5py  # type: ignore[import-untyped]

    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened.attrs["layer_names"] = [b"Conv1", b"bn"]
        for name, shapes in (("Conv1", [(3, 3, 3, 8)]), ("bn", [(8,)] * 4)):
            group = opened.create_group(name)
            group.attrs["weight_names"] = [f"{n}:0".encode() for n in range(len(shapes))]
            for n, shape in enumerate(shapes):
                group.create_dataset(f"{n}:0", data=np.ones(shape, np.float32))
    return (file.getvalue(),)


def _prepare_rows(folder: Path) -> None:
    from jejunet_nas.study.ledger import Ledger
    from jejunet_nas.study.storage import storage_url
    from jejunet_nas.study.study_file import read_study

    settings = read_study(_PROJECT / "studies" / "quickstart.yaml")
    (folder / "state").mkdir()
    ledger = Ledger(settings, storage_url(folder / "state"))
    ledger.keep_identity(settings.identity())
    ledger.note_class_names(("background", "object"))
    for number in range(2):
        ledger.complete(ledger.ask(), trial(number, 0.5, 20.0, interval=2))


def _rows(data: bytes, folder: Path) -> None:
    """Read the study with one of its rows replaced by `data`: TABLE:NUMBER:TEXT."""
    from jejunet_nas.study.ledger import Ledger
    from jejunet_nas.study.storage import storage_url
    from jejunet_nas.study.study_file import read_study
    from jejunet_nas.study.tables import summary

    table, number, text = data.split(b":", 2)
    database = folder / "state" / "study.db"
    kept = database.read_bytes()
    try:
        with contextlib.closing(sqlite3.connect(database)) as opened, opened:
            column = f"{table.decode()}_user_attribute_id"
            opened.execute(
                f"update {table.decode()}_user_attributes set value_json = ? where {column} = ?",
                (text.decode("utf-8", "replace"), int(number)),
            )
        settings = read_study(_PROJECT / "studies" / "quickstart.yaml")
        ledger = Ledger.find(settings, storage_url(folder / "state"))
        assert ledger is not None
        summary(ledger.history())
        ledger.known()
    finally:
        database.write_bytes(kept)


def _rows_input(rng: random.Random) -> bytes:
    from jejunet_nas.records import to_json

    record = json.loads(to_json(trial(1, 0.5, 20.0, interval=2)))
    plain: Any = rng.choice((json.dumps(record), "complete", {"format": 4}, ["a", "b"]))
    if isinstance(plain, str) and rng.random() < 0.5:
        plain = json.dumps(mutated_json(rng, record))
    changed = mutated_json(rng, [plain])
    text = json.dumps(changed[0] if changed else None).encode()
    if rng.random() < 0.2:
        text = mutated(rng, [text], text=True)
    table = rng.choice((b"trial", b"trial", b"study"))
    return b"%s:%d:%s" % (table, rng.randrange(1, 8), text)


def _load_tensorflow(_: Path) -> None:
    import jejunet_nas.training.weights_file  # noqa: F401


def parsers() -> list[Parser]:
    """Return the parsers of bytes."""
    tensorflow = functools.partial(Parser, prepare=_load_tensorflow)
    return [
        Parser(name="tflite", make=_bytes(lambda: (small_graph(),)), feed=_graph, share=1.5),
        Parser(name="metadata", make=_bytes(_described), feed=_labels),
        Parser(name="bundle zip", make=_bytes(_bundles), feed=_unpack),
        Parser(name="npz", make=_bytes(_arrays), feed=_read_arrays, allowed=(ValueError,)),
        Parser(name="results cache", make=_bytes(_results_seed), feed=_results),
        Parser(name="checkpoint", make=_bytes(_checkpoint_seed), feed=_checkpoint),
        Parser(name="training picture", make=_bytes(_pictures), feed=_picture, share=1.5),
        Parser(
            name="picture folder",
            make=_bytes(_pictures),
            feed=_frames,
            allowed=(ReadingEndedError,),
        ),
        Parser(name="picture cache", make=_bytes(_cached_seed), feed=_cached),
        tensorflow(name="weights npz", make=_bytes(_weights_seed), feed=_weights, share=0.1),
        # Each is read in a process of its own, which takes half a second.
        tensorflow(name="weights h5", make=_bytes(_h5_seed), feed=_h5, share=0.02, seconds=70.0),
        Parser(name="database", make=_rows_input, feed=_rows, prepare=_prepare_rows, share=0.1),
    ]
