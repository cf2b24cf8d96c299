"""How far a profile can be trusted is worked out from its points, and printed for people."""

import dataclasses
import json
from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.profile_json import PROFILES
from jejunet_nas.latency.trust import Trust, trust, trust_lines

SHIPPED = PROFILES / "pixel2.json"


@pytest.fixture(scope="module")
def shipped() -> Trust:
    return trust(SHIPPED)


def test_with_one_thread_the_shipped_profile_errs_by_a_few_per_cent(shipped: Trust) -> None:
    assert shipped.left_out.points == 18
    assert shipped.left_out.mean_error <= 0.03  # 0.021 when the profile was made
    assert shipped.left_out.worst_error <= 0.08  # 0.057


@pytest.mark.parametrize(
    ("group", "points", "factor"),
    [("MobileNetV1, another runtime", 12, 1.23), ("2 threads", 3, 0.66), ("4 threads", 3, 0.48)],
)
def test_after_one_stated_factor_the_others_agree(
    shipped: Trust, group: str, points: int, factor: float
) -> None:
    (found,) = (known for known in shipped.groups if known.name == group)
    assert found.points == points
    assert found.factor == pytest.approx(factor, abs=0.01)
    assert found.mean_error <= 0.04


def test_float_graphs_are_less_sure_and_the_table_says_so(shipped: Trust) -> None:
    (found,) = (known for known in shipped.groups if known.name == "float32")
    assert found.points == 17
    assert 0.05 < found.mean_error <= 0.15  # 0.11 when the profile was made


def test_every_point_is_listed_with_its_prediction(shipped: Trust) -> None:
    stated = json.loads(SHIPPED.read_text())["points"]
    for row, point in zip(shipped.rows, sorted(stated, key=_place), strict=False):
        assert row.known_ms == point["latency_ms"]
        assert row.error == pytest.approx(point.get("left_out_error", point["error"]), abs=1e-3)
    assert len(shipped.rows) == len(stated) + 17


def test_what_the_file_states_of_itself_is_not_believed(tmp_path: Path, shipped: Trust) -> None:
    plain = json.loads(SHIPPED.read_text())
    plain["leave_one_out"] = {"points": 18, "mean_error": 0.0}
    plain["costs"]["ms_per_operator"] = 7.0
    (tmp_path / "boasting.json").write_text(json.dumps(plain))
    assert trust(tmp_path / "boasting.json") == shipped


def test_the_table_fits_a_page_and_says_what_its_figures_mean(shipped: Trust) -> None:
    lines = trust_lines(shipped)
    assert max(map(len, lines)) <= 100
    assert any(line.split() == ["1", "thread,", "networks", "18", "2.1%", "5.7%"] for line in lines)
    assert lines[-1].startswith("Error: predicted / known - 1")
    long = dataclasses.replace(shipped, runtime="a runtime; " * 20)
    assert max(map(len, trust_lines(long))) <= 100


def test_a_profile_with_too_few_points_is_refused(tmp_path: Path) -> None:
    plain = json.loads(SHIPPED.read_text())
    plain["points"] = [p for p in plain["points"] if p["role"] == "fit"][:5]
    (tmp_path / "young.json").write_text(json.dumps(plain))
    with pytest.raises(
        SettingError, match=r"young\.json: 5 points with one thread; .*Measure 3 more"
    ):
        trust(tmp_path / "young.json")


def _place(row: dict[str, object]) -> int:
    order = ["fit", "check after the factor of its runtime", "factor of its threads"]
    return order.index(str(row["role"]))
