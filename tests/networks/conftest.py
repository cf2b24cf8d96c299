"""Networks that between them have every detail, logit stride, last stage and output stride."""

from typing import Any

import pytest

from jejunet_nas.networks.build import KerasNetwork, build_network
from tests.builders import shake, tiny_network

CLASSES = 3
NETWORKS: tuple[dict[str, Any], ...] = (
    {"detail": "shared", "logit_stride": 4, "last_block": 6},
    {"detail": "thin", "logit_stride": 8, "last_block": 9},
    {"detail": "narrow", "logit_stride": 4, "last_block": 12, "input_width": 96},
    {"detail": "thin", "logit_stride": 4, "last_block": 13, "output_stride": 32},
    {"detail": "narrow", "logit_stride": 8, "last_block": 16},
    {"detail": "shared", "logit_stride": 8, "last_block": 16, "output_stride": 32},
    {"detail": "none", "logit_stride": 16, "last_block": 16},
)


def _name(choices: dict[str, Any]) -> str:
    return "-".join(str(value) for value in choices.values())


@pytest.fixture(scope="session", params=NETWORKS, ids=_name)
def built(request: pytest.FixtureRequest) -> KerasNetwork:
    network = build_network(tiny_network(**request.param), CLASSES, seed=0)
    shake(network, seed=1)
    return network
