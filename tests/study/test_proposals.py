"""Networks are proposed from what was seen of others; here their scores are made up."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jejunet_nas.space.architecture import Network
from jejunet_nas.space.draw import draw_network
from jejunet_nas.space.space_file import read_search_space, space_from_mapping
from jejunet_nas.study.proposals import (
    KEY_SHARES,
    NetworkSampler,
    SamplerName,
    SeenNetwork,
)
from tests.space.build import SPACE, SPACES, Drawing

NAMES: tuple[SamplerName, ...] = get_args(SamplerName)
MOBILE = read_search_space(Path(__file__).parents[2] / "search_spaces" / "mobile_video.yaml")
SIX = space_from_mapping(
    {**SPACE, "depth_multiplier": [0.5, 0.25], "decoder_channels": [48, 16, 32]}, "space"
)


def share_of(network: Network) -> float | None:
    """Return a made-up time of a keyframe: it grows with width and pixels."""
    share = 1.2 * network.depth_multiplier * network.input_height * network.input_width / 224**2
    return share if share < 2 else None


def sampler(name: SamplerName, seed: int = 0, startup: int = 4) -> NetworkSampler:
    return NetworkSampler(MOBILE, name=name, seed=seed, startup=startup, key_share=share_of)


def judged(network: Network) -> SeenNetwork:
    """Return a network whose mIoU grows with its width and falls off at both sides of 224 px."""
    share = share_of(network)
    if share is None:
        return SeenNetwork(network=network, over_ms=9.0, trained=False)
    miou = 0.5 + 0.2 * network.depth_multiplier - abs(network.input_width - 224) / 1000
    return SeenNetwork(network=network, best_miou=miou, hypervolume=40 * miou)


def searched(name: SamplerName, count: int, seed: int = 0) -> list[SeenNetwork]:
    seen: list[SeenNetwork] = []
    for _ in range(count):
        network = sampler(name, seed).ask(seen, {each.network for each in seen})
        assert network is not None
        seen.append(judged(network))
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_proposes_one_row_of_different_networks(name: SamplerName) -> None:
    networks = [each.network for each in searched(name, 14)]

    assert len({*networks}) == 14
    assert [each.network for each in searched(name, 14)] == networks
    assert [each.network for each in searched(name, 14, seed=1)] != networks


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_the_first_networks_can_meet_the_target_and_lie_around_it(name: SamplerName) -> None:
    shares = [share_of(each.network) for each in searched(name, 4)]

    low, high = KEY_SHARES
    assert shares[0] == pytest.approx(1, abs=0.2)
    assert all(share and low / 1.5 < share < high * 1.2 for share in shares)
    assert max(map(math.log, filter(None, shares))) > min(map(math.log, filter(None, shares))) + 0.5


@pytest.mark.parametrize("seed", range(3))
def test_the_first_networks_of_one_round_differ_in_time_before_any_of_them_is_scored(
    seed: int,
) -> None:
    known: list[Network] = []
    while len(known) < 6:
        network = sampler("tpe", seed, 6).ask([], known)
        assert network is not None
        known.append(network)

    assert known[:4] == [each.network for each in searched("tpe", 4, seed)]
    shares = [share for share in map(share_of, known) if share]
    assert max(shares) > 2 * min(shares)


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_a_sampler_comes_closer_to_the_best_than_chance(name: SamplerName) -> None:
    def late(name: SamplerName) -> float:
        found = [searched(name, 30, seed)[15:] for seed in range(3)]
        return sum(each.best_miou for seen in found for each in seen)

    assert late(name) > late("random")


@pytest.mark.parametrize("name", NAMES)
def test_a_space_is_proposed_to_its_last_network(name: SamplerName) -> None:
    proposes = NetworkSampler(SIX, name=name, seed=0, startup=4, key_share=lambda _: 1.0)
    seen: list[SeenNetwork] = []

    while network := proposes.ask(seen, {each.network for each in seen}):
        seen.append(SeenNetwork(network=network, best_miou=0.5, hypervolume=1.0))

    assert len(seen) == 6


def test_where_no_network_meets_the_target_others_are_proposed_all_the_same() -> None:
    proposes = NetworkSampler(SIX, name="tpe", seed=0, startup=4, key_share=lambda _: None)

    assert proposes.ask([], set()) is not None


@settings(max_examples=10)
@given(space=SPACES, data=st.data(), name=st.sampled_from(NAMES))
def test_any_space_can_be_proposed_from(space: object, data: object, name: SamplerName) -> None:
    proposes = NetworkSampler(
        space,  # type: ignore[arg-type]
        name=name,
        seed=0,
        startup=1,
        key_share=lambda _: 1.0,
    )
    network = draw_network(space, Drawing(data))  # type: ignore[arg-type]
    seen: Sequence[SeenNetwork] = [SeenNetwork(network=network, best_miou=0.5, hypervolume=1.0)]

    proposed = proposes.ask(seen, {network})

    assert proposed != network
