"""The latency of the motion of the picture is always a prediction, also beside measured graphs."""

import dataclasses

import pytest

from jejunet_nas.evaluation.latencies import predict_move
from jejunet_nas.latency.moving import moving_latency
from jejunet_nas.latency.predicted_meter import load_profile
from jejunet_nas.latency.stream import least_stream, stream_latency
from jejunet_nas.records import FramePath, FramePaths, LatencySource, PathLatencies
from jejunet_nas.space.architecture import Policy
from tests.made_up import path_latencies
from tests.space.build import NETWORK

PIXEL_2 = load_profile("pixel2")


def test_it_grows_with_the_comparisons_and_with_the_phones_cost_of_activations() -> None:
    costs = PIXEL_2.costs
    slower = dataclasses.replace(costs, ms_per_million_bytes=2 * costs.ms_per_million_bytes)
    one = moving_latency(PIXEL_2, 1e6)

    assert (one.source, one.threads, one.runs) == ("predicted", 1, 0)
    assert one.low_ms < one.median_ms < one.high_ms
    assert moving_latency(PIXEL_2, 3e6).median_ms == pytest.approx(3 * one.median_ms)
    twice = moving_latency(dataclasses.replace(PIXEL_2, costs=slower), 1e6)
    assert twice.median_ms == pytest.approx(2 * one.median_ms)


def test_a_network_of_four_times_the_pixels_takes_four_times_as_long() -> None:
    larger = dataclasses.replace(NETWORK, input_height=384, input_width=640)

    one, four = (predict_move(each, PIXEL_2).median_ms for each in (NETWORK, larger))

    assert four == pytest.approx(4 * one)


def with_graphs_of(source: LatencySource) -> PathLatencies:
    plain = path_latencies(60.0, 10.0, 1.0, 3.0)
    graphs = {
        name: dataclasses.replace(getattr(plain, name), source=source)
        for name in ("key", "propagate", "gate")
    }
    return dataclasses.replace(plain, **graphs)


@pytest.mark.parametrize(("between", "ms"), [("warp", 13.0), ("move", 3.0), ("propagate", 10.0)])
@pytest.mark.parametrize("source", ["measured", "predicted", "host"])
def test_a_figure_with_a_predicted_part_is_not_called_measured(
    source: LatencySource, between: FramePath, ms: float
) -> None:
    latencies = with_graphs_of(source)
    walk = FramePaths.of("bear", ("key", between), (False, False))
    policy = Policy(keyframe_interval=2, between_keyframes=between)  # type: ignore[arg-type]

    found = stream_latency([walk], latencies, target_fps=10.0)
    least = least_stream(policy, latencies, target_fps=10.0)

    told = "predicted" if source == "measured" and between != "propagate" else source
    assert (found.source, least.source) == (told, told)
    assert found.mean_ms == least.mean_ms == (60.0 + ms) / 2
