"""Graphs, bundles, and arrays of weights."""

import functools
import hashlib
import io
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.attempt import Parser
from tests.fuzz.graph import changed_graph, small_graph
from tests.fuzz.makers import of_bytes, put
from tests.fuzz.mutation import mutated

_HEADER = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}"
_GATE_S = 130.0  # longer than the gate waits for its process


def npz(**arrays: Any) -> bytes:
    """Return an .npz of `arrays`."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


@functools.cache
def _graphs() -> tuple[bytes, ...]:
    return small_graph(), small_graph(int8=True), small_graph(open_size=True), small_graph(b"x" * 9)


def _graph_input(rng: random.Random) -> bytes:
    """Return a graph with damaged bytes, or a whole one with other values."""
    seeds = _graphs()
    return (
        changed_graph(rng, rng.choice(seeds))
        if rng.random() < 0.6
        else mutated(rng, seeds, text=False)
    )


def _contents(data: bytes, _: Path) -> None:
    """Read a graph's bytes without LiteRT."""
    from jejunet_nas.litert.contents import contents_of, metadata_buffer

    contents_of(data)
    metadata_buffer(data, "TFLITE_METADATA")


def _graph(data: bytes, folder: Path) -> None:
    """Run a graph that the gate admits: it must not end this process."""
    from jejunet_nas.errors import SettingError
    from jejunet_nas.litert import Graph, countable_operators
    from jejunet_nas.litert.gate import admit

    file = put(folder, "g.tflite", data)
    try:
        admit(file)
        size = None
    except SettingError as error:
        if "--input-size" not in str(error):
            raise
        size = (8, 8)
    countable_operators(file, size=size)
    for delegate in (True, False):
        graph = Graph(file, size=size, delegate=delegate)
        graph.fill_inputs(seed=0)
        graph.invoke()
        graph.not_delegated()


def _described() -> tuple[bytes, ...]:
    from jejunet_nas.compression.metadata import _metadata, _with_labels

    with_metadata = small_graph(_metadata("key", ["image"], ["class_map"]))
    return _with_labels(with_metadata, ["background", "car"]), with_metadata


def _labels(data: bytes, _: Path) -> None:
    from jejunet_nas.compression.metadata import labels_of

    labels_of(data)


def _archives() -> tuple[bytes, ...]:
    members = {"manifest.json": b'{"format": 3}', "key.tflite": small_graph()}
    odd = {"../x": b"1", "a/b": b"2", "": b"3", "x" * 300: b"4"}
    return _zip(members), _zip(members, zipfile.ZIP_STORED), _zip(odd), _zip({"a": bytes(1 << 16)})


def _unpack(data: bytes, folder: Path) -> None:
    from jejunet_nas.video.archive import unpack

    into = folder / "into"
    into.mkdir(exist_ok=True)
    try:
        unpack(put(folder, "b.zip", data), into)
    finally:
        for file in into.iterdir():
            file.unlink()
    assert sorted(each.name for each in folder.iterdir()) == ["b.zip", "into"]


def _unpack_shared(data: bytes, folder: Path) -> None:
    from jejunet_nas.trial.shared import unpack_network

    into = folder / "into"
    into.mkdir(exist_ok=True)
    try:
        unpack_network(put(folder, "b.zip", data), into, "s3://networks/a.zip")
    finally:
        for file in into.iterdir():
            file.unlink()
    assert sorted(each.name for each in folder.iterdir()) == ["b.zip", "into"]


@functools.cache
def _bundle_files() -> dict[str, bytes]:
    from jejunet_nas.records import to_json
    from jejunet_nas.video.bundle import BundleMeasurements
    from jejunet_nas.video.manifest_file import manifest_text
    from tests.fuzz.documents import manifest_seed
    from tests.search.measured import network_measurement

    graph = small_graph()
    plain = manifest_seed()
    plain["files"] = {"key.tflite": hashlib.sha256(graph).hexdigest()}
    measured = BundleMeasurements(measured=(network_measurement(key_ms=20.0),))
    texts = {"manifest.json": manifest_text(plain), "measurements.json": to_json(measured)}
    return {"key.tflite": graph, **{name: text.encode() for name, text in texts.items()}}


def _bundle_input(rng: random.Random) -> bytes:
    """Return a whole .zip of a bundle with one of its files damaged, or a damaged .zip of it."""
    files = dict(_bundle_files())
    if rng.random() < 0.5:
        return mutated(rng, [_zip(files, zipfile.ZIP_STORED)], text=False)
    name = rng.choice(sorted(files))
    files[name] = mutated(rng, [files[name]], text=name.endswith(".json"))
    return _zip(files)


def _bundle(data: bytes, folder: Path) -> None:
    from jejunet_nas.video.archive import unpack
    from jejunet_nas.video.bundle import read_bundle, read_measurements

    into = folder / "into"
    into.mkdir(exist_ok=True)
    try:
        unpack(put(folder, "b.zip", data), into)
        read_bundle(into)
        read_measurements(into)
    finally:
        for file in into.iterdir():
            file.unlink()


def _arrays() -> tuple[bytes, ...]:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    return npz(a=rows, t=np.array("text"), e=np.zeros((0, 3))), _zip({"a.npy": _HEADER})


def _read_arrays(data: bytes, folder: Path) -> None:
    from jejunet_nas.documents.arrays import read_arrays, require_finite

    require_finite(read_arrays(put(folder, "a.npz", data)))


def _weights(data: bytes, folder: Path) -> None:
    from jejunet_nas.training.weights_file import read_weights

    read_weights(put(folder, "w", data))


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
    return npz(**folded), npz(**named)


def _h5_seed() -> tuple[bytes, ...]:
    """Return two layers, as Keras writes them, and a whole network with its batch norm folded."""
    from jejunet_nas.training.weights_file import layer_shapes

    whole = [
        (name, [shape, (shape[2] if name.endswith("depthwise") else shape[3],)])
        for name, shape in layer_shapes(0.1).items()
    ]
    two = [("Conv1", [(3, 3, 3, 8)]), ("bn", [(8,)] * 4)]
    return _h5(two), _h5(whole), _h5(two, config='{"config": {"layers": []}}')


def _h5(layers: list[tuple[str, Any]], config: str = "") -> bytes:
    import h5py  # type: ignore[import-untyped]

    file = io.BytesIO()
    with h5py.File(file, "w", track_order=False) as opened:
        opened.attrs["layer_names"] = [name.encode() for name, _ in layers]
        if config:
            opened.attrs["model_config"] = config
        for name, shapes in layers:
            group = opened.create_group(name)
            group.attrs["weight_names"] = [f"{n}:0".encode() for n in range(len(shapes))]
            for n, shape in enumerate(shapes):
                group.create_dataset(f"{n}:0", data=np.ones(shape, np.float32))
    return file.getvalue()


def _load_weights_file(_: Path) -> None:
    import jejunet_nas.training.weights_file  # noqa: F401


def _load_litert(_: Path) -> None:
    import jejunet_nas.litert.graph  # noqa: F401


def parsers() -> list[Parser]:
    """Return the parsers of graphs, archives and arrays."""
    weights = functools.partial(Parser, prepare=_load_weights_file)
    return [
        # Each graph that is not refused by its bytes runs in a process of its own first.
        Parser(
            name="tflite",
            make=_graph_input,
            feed=_graph,
            prepare=_load_litert,
            share=0.7,
            seconds=_GATE_S,
        ),
        # Each is read in a process of its own, which takes half a second.
        weights(
            name="weights h5", make=of_bytes(_h5_seed), feed=_weights, share=0.04, seconds=70.0
        ),
        weights(name="weights npz", make=of_bytes(_weights_seed), feed=_weights, share=0.1),
        Parser(
            name="tflite contents",
            make=_graph_input,
            feed=_contents,
            prepare=_load_litert,
            allowed=(ValueError,),
            share=2.0,
        ),
        Parser(name="metadata", make=of_bytes(_described), feed=_labels),
        Parser(name="bundle zip", make=of_bytes(_archives), feed=_unpack),
        Parser(name="shared network", make=of_bytes(_archives), feed=_unpack_shared),
        Parser(name="bundle", make=_bundle_input, feed=_bundle),
        Parser(name="npz", make=of_bytes(_arrays), feed=_read_arrays, allowed=(ValueError,)),
    ]
