"""The operators that are counted from the wiring are those of the converted graph."""

from collections import Counter
from pathlib import Path

import numpy as np

from jejunet_nas.litert import list_operators
from jejunet_nas.networks.build import KerasNetwork
from jejunet_nas.networks.operators import network_operators
from jejunet_nas.records import GRAPH_NAMES
from tests.builders import int8_graphs, tiny_network


def test_the_listed_operators_are_those_of_the_converted_graphs(
    built: KerasNetwork, tmp_path: Path
) -> None:
    height, width = built.network.input_height, built.network.input_width
    frames = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)

    graphs = int8_graphs(built, frames, tmp_path)

    counted = network_operators(built.network, built.classes)
    for name in GRAPH_NAMES:
        # Kind, kernel, MACs and all bytes; the converter may order independent branches its way.
        assert Counter(counted[name]) == Counter(list_operators(graphs[name])), name


def test_macs_grow_with_the_pixels() -> None:
    small, large = (
        network_operators(tiny_network(input_height=size, input_width=size), 3)["propagate"]
        for size in (64, 128)
    )

    assert sum(o.macs for o in large) == 4 * sum(o.macs for o in small)
    assert [o.weight_bytes for o in large] == [o.weight_bytes for o in small]
