"""The shipped profile is what a fit on its own points gives, and errs no more than it says."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.latency import fit
from jejunet_nas.latency.points import Point, read_points
from jejunet_nas.latency.predicted import ERRORS_IN_INTERVAL, PROFILES, load_profile

SHIPPED = PROFILES / "pixel2.json"
POINTS = read_points(SHIPPED)
FITTED = [p for p in POINTS if p.threads == 1 and p.network != "mobilenet_v1"]
OTHER_RUNTIME = [p for p in POINTS if p.network == "mobilenet_v1"]


@pytest.fixture(scope="module")
def left_out() -> np.ndarray:
    return np.abs(fit.leave_one_out_errors(FITTED))


def test_a_fit_on_the_shipped_points_gives_the_shipped_costs() -> None:
    refitted, shipped = fit.fit_costs(FITTED), load_profile("pixel2").costs
    # Costs are written with five digits; another machine's last one may differ.
    assert dataclasses.astuple(refitted) == pytest.approx(dataclasses.astuple(shipped), rel=1e-4)


def test_a_point_that_the_fit_never_saw_is_off_by_a_few_per_cent(left_out: np.ndarray) -> None:
    assert len(left_out) == 18
    assert left_out.mean() <= 0.03  # 0.021 when the profile was made
    assert left_out.max() <= 0.08  # 0.057


def test_seventeen_of_the_eighteen_left_out_points_lie_in_the_interval(
    left_out: np.ndarray,
) -> None:
    assert (left_out <= ERRORS_IN_INTERVAL * load_profile("pixel2").rms_error).sum() == 17


def test_one_factor_for_the_other_runtime_explains_mobilenet_v1() -> None:
    costs = fit.fit_costs(FITTED)
    ratios = np.array([fit.predict_ms(costs, p) / p.latency_ms for p in OTHER_RUNTIME])
    errors = np.abs(ratios / ratios.mean() - 1)
    assert len(ratios) == 12
    assert ratios.mean() == pytest.approx(0.81, abs=0.02)
    assert errors.mean() <= 0.04  # 0.019 when the profile was made
    assert errors.max() <= 0.06  # 0.041


@pytest.mark.parametrize(("threads", "factor"), [(2, 0.66), (4, 0.48)])
def test_one_factor_explains_each_number_of_threads(threads: int, factor: float) -> None:
    found = fit.thread_factors(fit.fit_costs(FITTED), POINTS)[str(threads)]
    assert found["factor"] == pytest.approx(factor, abs=0.02)
    assert found["mean_error"] <= 0.04


def test_no_byte_no_operator_and_no_mac_is_free() -> None:
    costs = fit.fit_costs(FITTED)
    assert costs.ms_per_million_bytes > 0.1
    assert costs.ms_per_operator > 0.001
    assert costs.ms_per_million_depthwise_macs >= costs.ms_per_million_pointwise_macs > 0
    assert costs.ms_per_million_window_macs >= costs.ms_per_million_pointwise_macs


def test_points_that_say_bytes_are_free_meet_the_floor() -> None:
    by_macs_alone = [
        dataclasses.replace(p, latency_ms=sum(op.macs for op in p.operators()) / 1e7)
        for p in FITTED
    ]
    costs = fit.fit_costs(by_macs_alone)
    assert (costs.ms_per_million_bytes, costs.ms_per_operator) == (0.1, 0.001)
    assert "ms_per_million_bytes" in fit.at_their_bound(costs)


def test_fitting_the_shipped_profile_again_writes_the_same_file(tmp_path: Path) -> None:
    fit.main(["--points", str(SHIPPED), "--out", str(tmp_path / "again.json")])
    again = json.loads((tmp_path / "again.json").read_text())
    shipped = json.loads(SHIPPED.read_text())
    assert [*again] == [*shipped]
    for part in ("device", "runtime", "fitted_kinds", "costs_at_their_bound"):
        assert again[part] == shipped[part]
    assert again["leave_one_out"] == pytest.approx(shipped["leave_one_out"], abs=2e-4)
    assert [*map(_cited, again["points"])] == [*map(_cited, shipped["points"])]


def test_every_point_of_the_profile_says_where_it_was_published() -> None:
    assert len(POINTS) == 36
    assert all(point.source and point.runtime for point in POINTS)


def test_too_few_points_for_six_costs_are_refused() -> None:
    with pytest.raises(SettingError, match=r"6 points with one thread; allowed: at least 7"):
        fit.fit_costs(FITTED[:6])


def _cited(row: dict[str, object]) -> dict[str, object]:
    return {field.name: row[field.name] for field in dataclasses.fields(Point)}
