"""A prediction adds up the operators' work, and says how wrong it may be."""

import dataclasses
import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.meter import LatencyMeter
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile, work_of
from jejunet_nas.latency.profile_json import PROFILES
from jejunet_nas.latency.published_networks import jejunet_deeplabv3, mobilenet_v2
from jejunet_nas.records import Operator

PIXEL_2 = load_profile("pixel2")
ADD = Operator(kind="ADD", bytes_in=2_000_000, bytes_out=1_000_000, elements_out=1_000_000)

operators = st.builds(
    Operator,
    kind=st.sampled_from(["CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "RESIZE_BILINEAR", "LOGISTIC"]),
    kernel=st.sampled_from([(1, 1), (3, 3)]),
    macs=st.integers(0, 10**8),
    bytes_in=st.integers(1, 10**6),
    bytes_out=st.integers(1, 10**6),
    elements_out=st.integers(1, 10**6),
)
graphs = st.lists(operators, max_size=5)


def test_the_seeds_network_takes_109_ms_at_256_px() -> None:
    predicted = PIXEL_2.predict(jejunet_deeplabv3(256))
    # Published, and not among the fitted points; 10 % is what the search was promised.
    assert predicted.median_ms == pytest.approx(109, rel=0.1)
    assert (predicted.source, predicted.runs, predicted.threads) == ("predicted", 0, 1)


def test_the_seeds_network_takes_53_ms_on_four_cores() -> None:
    predicted = PIXEL_2.predict(jejunet_deeplabv3(256), threads=4)
    assert predicted.low_ms < 53 < predicted.high_ms


def test_an_addition_costs_its_bytes_and_one_operator() -> None:
    costs = PIXEL_2.costs
    expected_ms = 3 * costs.ms_per_million_bytes + costs.ms_per_operator
    assert PIXEL_2.predict([ADD]).median_ms == pytest.approx(expected_ms)


def test_work_is_told_apart_by_window_and_kind() -> None:
    conv = dataclasses.replace(ADD, kind="CONV_2D", macs=2_000_000)
    window = dataclasses.replace(conv, kernel=(3, 3), macs=3_000_000)
    depthwise = dataclasses.replace(window, kind="DEPTHWISE_CONV_2D", macs=5_000_000)
    resize = dataclasses.replace(ADD, kind="RESIZE_BILINEAR")
    assert work_of([conv, window, depthwise, resize]) == (2.0, 3.0, 5.0, 12.0, 4, 1.0)


@given(graphs, graphs)
def test_a_graph_of_two_parts_takes_as_long_as_both(
    first: list[Operator], second: list[Operator]
) -> None:
    parts_ms = PIXEL_2.predict(first).median_ms + PIXEL_2.predict(second).median_ms
    assert PIXEL_2.predict(first + second).median_ms == pytest.approx(parts_ms)


@given(graphs, operators)
def test_one_operator_more_never_makes_a_graph_faster(
    graph: list[Operator], more: Operator
) -> None:
    assert PIXEL_2.predict([*graph, more]).median_ms > PIXEL_2.predict(graph).median_ms


@given(graphs)
def test_more_threads_take_less_time_and_leave_a_wider_interval(graph: list[Operator]) -> None:
    one, two, four = (PIXEL_2.predict(graph, threads=threads) for threads in (1, 2, 4))
    assert one.median_ms >= two.median_ms >= four.median_ms
    assert all(
        several.high_ms * one.median_ms >= one.high_ms * several.median_ms * (1 - 1e-9)
        for several in (two, four)
    )


def test_an_operator_that_no_fitted_network_holds_widens_the_interval() -> None:
    seen = PIXEL_2.predict([ADD])
    unseen = PIXEL_2.predict([dataclasses.replace(ADD, kind="LOGISTIC")])
    assert unseen.median_ms == seen.median_ms
    half_ms = unseen.median_ms / 2
    assert unseen.high_ms - seen.high_ms == pytest.approx(half_ms)
    assert seen.low_ms - unseen.low_ms == pytest.approx(half_ms)


def test_a_float_graph_takes_its_factor_over_the_same_graph_in_int8() -> None:
    int8 = mobilenet_v2(1.0, 224)
    float32 = [
        dataclasses.replace(op, float32=True, bytes_in=4 * op.bytes_in, bytes_out=4 * op.bytes_out)
        for op in int8
    ]
    in_int8, in_float = PIXEL_2.predict(int8), PIXEL_2.predict(float32)
    assert in_float.median_ms == pytest.approx(PIXEL_2.float_factor.factor * in_int8.median_ms)
    # Published at 117 ms; the interval is that much wider as the factor is less sure.
    assert in_float.median_ms == pytest.approx(117, rel=0.02)
    assert in_float.low_ms / in_float.median_ms < in_int8.low_ms / in_int8.median_ms - 0.2


def test_a_profile_that_knows_no_float_graph_hardly_commits_itself(tmp_path: Path) -> None:
    plain = json.loads((PROFILES / "pixel2.json").read_text())
    del plain["float_factor"]
    (tmp_path / "int8.json").write_text(json.dumps(plain))
    predicted = load_profile(tmp_path / "int8.json").predict(
        [dataclasses.replace(ADD, float32=True)]
    )
    assert predicted.low_ms == 0
    assert predicted.high_ms > 2 * predicted.median_ms


def test_a_prediction_is_fast_enough_to_judge_thousands_of_networks() -> None:
    graph = mobilenet_v2(1.0, 224)
    started = time.perf_counter()
    for _ in range(100):
        PIXEL_2.predict(graph)
    assert (time.perf_counter() - started) / 100 < 0.002  # 20 us when idle; the cores are shared


def test_a_number_of_threads_that_was_not_timed_names_those_that_were() -> None:
    with pytest.raises(SettingError, match=r"threads is 3; allowed for Google Pixel 2: 1, 2, 4\."):
        PIXEL_2.predict([ADD], threads=3)


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"profile is pixel3; allowed: pixel2,.*mean pixel2\?"):
        load_profile("pixel3")


def test_a_profile_can_be_a_file_of_ones_own(tmp_path: Path) -> None:
    copy = tmp_path / "mine.json"
    copy.write_text((PROFILES / "pixel2.json").read_text())
    assert load_profile(copy) == load_profile(str(copy)) == PIXEL_2


@pytest.mark.parametrize(
    "text", ["", "[]", '{"device": "a phone"}', '{"device": 1, "threads": []}']
)
def test_a_broken_profile_is_named_with_the_command_that_makes_it(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(SettingError, match=r"broken\.json cannot be read .*latency\.fit --points"):
        load_profile(tmp_path / "broken.json")


def test_a_profile_with_a_negative_cost_is_refused(tmp_path: Path) -> None:
    plain = json.loads((PROFILES / "pixel2.json").read_text())
    plain["costs"]["ms_per_operator"] = -1.0
    (tmp_path / "odd.json").write_text(json.dumps(plain))
    with pytest.raises(SettingError, match=r"odd\.json .*ms_per_operator is -1\.0; allowed: 0"):
        load_profile(tmp_path / "odd.json")


def test_the_predicted_meter_asks_the_graph_for_its_operators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "jejunet_nas.litert.countable_operators", lambda file, size: [ADD] * len(file.stem)
    )
    meter: LatencyMeter = PredictedMeter(profile=PIXEL_2, threads=2)
    assert meter.measure(Path("abc.tflite")) == PIXEL_2.predict([ADD] * 3, threads=2)
