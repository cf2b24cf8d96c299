"""The int8 graphs of a network, one frame at a time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.litert import Graph, TensorInfo
from jejunet_nas.records import Clip
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.video.graphs import NetworkGraphs, context_table, graph_files, graphs_of
from tests.builders import TinyRun, tiny_network, tiny_run
from tests.made_up import as_in
from tests.search.build import result

stored_alike = st.builds(
    TensorInfo,
    shape=st.just((1, 4, 4, 8)),
    dtype=st.just(np.dtype(np.int8)),
    scale=st.floats(0.001, 1.0),
    zero_point=st.integers(-128, 127),
)


@pytest.fixture(scope="module")
def tiny() -> TinyRun:
    return tiny_run()


@pytest.fixture(scope="module")
def graphs(tiny: TinyRun) -> NetworkGraphs:
    return NetworkGraphs(tiny.graphs)


@pytest.fixture
def clip(tiny: TinyRun) -> Clip:
    return tiny.val.clips[1]


def test_a_mask_has_half_the_sides_of_the_frame(graphs: NetworkGraphs, clip: Clip) -> None:
    mask, _ = graphs.key(clip.frames[0])

    assert (graphs.height, graphs.width, tuple(graphs.mask_size)) == (64, 64, (32, 32))
    assert mask.shape == (32, 32)
    assert mask.dtype == np.uint8


def test_propagate_right_after_key_on_the_same_frame_says_the_same(
    tiny: TinyRun, graphs: NetworkGraphs
) -> None:
    for frame in tiny.val_frames:
        mask, context = graphs.key(frame)

        # Calibrated on the same frames, the graphs round alike; 1 in 100 near ties may tip.
        assert (graphs.propagate(frame, context) == mask).mean() >= 0.99


def test_a_context_goes_through_the_table_on_its_way_to_propagate(
    tiny: TinyRun, graphs: NetworkGraphs, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift = np.clip(np.arange(256, dtype=np.uint8).view(np.int8).astype(int) + 1, -128, 127)
    monkeypatch.setattr("jejunet_nas.video.graphs.context_table", lambda *_: shift.astype(np.int8))

    (mask, context), (same, moved) = (
        each.key(clip.frames[0]) for each in (graphs, NetworkGraphs(tiny.graphs))
    )

    np.testing.assert_array_equal(mask, same)
    np.testing.assert_array_equal(moved, np.minimum(context.astype(int) + 1, 127))


def test_what_a_graph_returned_stays_when_it_runs_again(graphs: NetworkGraphs, clip: Clip) -> None:
    mask, context = graphs.key(clip.frames[0])
    copies = mask.copy(), context.copy()

    graphs.key(clip.frames[5])

    np.testing.assert_array_equal(mask, copies[0])
    np.testing.assert_array_equal(context, copies[1])


@given(stored_alike, stored_alike)
def test_a_context_table_keeps_values_where_scales_differ(
    source: TensorInfo, target: TensorInfo
) -> None:
    table = context_table(source, target)
    if table is None:
        assert source == target
        return
    assert (table.shape, table.dtype) == ((256,), np.int8)
    for stored in range(-128, 128):
        real = source.scale * (stored - source.zero_point)
        low, high = (target.scale * (end - target.zero_point) for end in (-128, 127))
        carried = target.scale * (int(table[stored % 256]) - target.zero_point)
        # Half a step of rounding; beyond what propagate can hold, its nearest value.
        assert abs(carried - np.clip(real, low, high)) <= 0.5001 * target.scale


@given(stored_alike)
def test_a_context_table_is_needed_only_where_scales_differ(stored: TensorInfo) -> None:
    assert context_table(stored, stored) is None


def test_the_graphs_of_one_network_need_none(tiny: TinyRun) -> None:
    tensors = (Graph(tiny.graphs[name]).tensors["context"] for name in ("key", "propagate"))

    assert context_table(*tensors) is None


def zeroed(content: bytes) -> bytes:
    """Return a graph with a quarter of its bytes, weights among them, set to 0."""
    return (
        content[: len(content) // 2] + bytes(len(content) // 4) + content[3 * len(content) // 4 :]
    )


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "zeroed": zeroed,
    "cut": lambda content: content[: len(content) // 2],
    "swapped": lambda _: tiny_run().graphs["propagate"].read_bytes(),
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_graph_that_is_not_the_one_that_was_scored_is_named_with_the_remedy(
    damage: str, tmp_path: Path
) -> None:
    made = result(0, Architecture(network=tiny_network(), policy=Policy(keyframe_interval=2)))
    folder = tmp_path / made.network_id
    folder.mkdir()
    for file in tiny_run().graphs.values():
        (folder / file.name).write_bytes(file.read_bytes())
    network = as_in(folder, made.network)
    assert graphs_of(network, tmp_path) == graph_files(network, tmp_path)

    key = folder / "key.tflite"
    key.write_bytes(DAMAGES[damage](key.read_bytes()))

    with pytest.raises(
        SettingError,
        match=r"key\.tflite was changed after it was scored: .* Copy the study's folder again, or "
        r"make the network again: `jejunet-nas search` with --repair\.$",
    ):
        graphs_of(network, tmp_path)
