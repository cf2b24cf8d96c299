"""The search benchmark: its summary from made-up runs, its resume, real runs of a tiny study."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.study_file import read_study
from tests.benchmarks import bench_search, record_search
from tests.benchmarks.bench_search import Benchmark, bench
from tests.benchmarks.recorded_table import STUDY
from tests.benchmarks.search_runs import (
    ABLATION,
    PLAIN_TRIAL,
    SAMPLERS,
    Found,
    Run,
    code_hash,
    retrained_miou,
    run,
    run_from_json,
    settings_of,
)
from tests.benchmarks.search_summary import curve, draw_curves, final, page, summary, time_ratio
from tests.search.build import SPACE, QuietView, write_study

FPS, BUDGET_S = 100.0, 50.0  # 10 ms a frame
TINY = """\
sampler: {name: random}
data: {options: {clips: 2, val_clips: 1, frames: 6, height: 64, width: 64}}
training: {steps: 2, pairs_per_step: 2, gate_pairs: 10, gate_steps: 1}
compression: {post_training: {calibration_frames: 2}}
"""
ONE_NETWORK = SPACE.replace("[64, 96]", "[64]").replace("[0.25, 0.5]", "[0.25]")
ONE_NETWORK = ONE_NETWORK.replace("[8, 16, 24]", "[8]")
KEYS = ("time_ratio_to", "seeds", "hypervolume", "best_at_target", "ablation", "machine", "command")


def made_up(row: str, seed: int, *points: tuple[float, float, float]) -> Run:
    """A run that found `points`: end in s, mIoU, mean ms."""
    found = tuple(
        Found(
            end_s=end_s,
            miou=miou,
            mean_ms=mean_ms,
            feasible=mean_ms <= 1000 / FPS,
            network_id=f"{number}",
            architecture={"network": {}, "policy": {}},
        )
        for number, (end_s, miou, mean_ms) in enumerate(points)
    )
    return Run(
        row=row,
        seed=seed,
        budget_s=BUDGET_S,
        spent_s=60.0,
        target_fps=FPS,
        found=found,
        code="c0de",
        machine="a machine",
    )


def runs(*, seeds: int = 3) -> dict[tuple[str, int], Run]:
    """Ours reaches 0.6 at 5 ms after 10 s, the others after 40 s."""
    found = {("ours", seed): made_up("ours", seed, (10, 0.6, 5)) for seed in range(seeds)}
    for row in SAMPLERS[1:]:
        found |= {(row, seed): made_up(row, seed, (40, 0.6, 5)) for seed in range(seeds)}
    return found


def test_a_curve_grows_with_what_is_feasible_and_in_time() -> None:
    one = made_up("ours", 0, (40, 0.7, 9), (10, 0.5, 4), (20, 0.9, 11), (51, 0.9, 1))

    both = hypervolume([(0.5, 4), (0.7, 9)], reference_point(FPS))
    assert curve(one) == [(0.0, 0.0), (10, pytest.approx(3.0)), (40, pytest.approx(both))]
    assert final(one) == pytest.approx(both)
    assert one.pick is not None
    assert one.pick.miou == 0.7


def test_our_time_to_a_level_is_a_share_of_the_others_budget() -> None:
    ours = made_up("ours", 0, (10, 0.5, 4), (20, 0.6, 4))
    other = made_up("tpe", 0, (45, 0.55, 4))

    assert time_ratio(ours, other) == 20 / BUDGET_S
    assert time_ratio(made_up("ours", 0, (10, 0.5, 4)), other) == math.inf


def test_a_level_that_most_seeds_do_not_reach_is_null_in_the_summary() -> None:
    found = runs()
    for seed in (0, 1):
        found["tpe", seed] = made_up("tpe", seed, (40, 0.7, 5))

    content = summary(found, {}, command="make bench-search")

    assert content["time_ratio_to"] == {"tpe": None, "nsga2": 0.2, "random": 0.2}
    assert content["time_ratio_by_seed"]["tpe"] == [None, None, 0.2]
    assert "- tpe: not reached" in page(content, "summary.png")


def test_the_summary_has_the_rows_of_finished_seeds() -> None:
    found = runs(seeds=2) | {("ours", 2): made_up("ours", 2)}
    found["no parent", 0] = made_up("no parent", 0)

    content = summary(found, {("ours", 0): 0.58}, command="make bench-search")

    assert set(KEYS) <= content.keys()
    assert content["seeds"] == 2
    assert content["hypervolume"] == {row: pytest.approx([3.0, 3.0]) for row in SAMPLERS}
    assert content["best_at_target"]["ours"] == [0.6, 0.6]
    assert content["best_at_target_retrained"]["ours"] == [0.58, None]
    assert content["ablation"]["no parent"]["hypervolume"] == [0.0]
    assert content["ablation"]["no parent"]["best_at_target"] == [None]
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_the_curves_are_drawn(tmp_path: Path) -> None:
    content = summary(runs(), {}, command="make bench-search")

    draw_curves(content, tmp_path / "summary.png")

    assert (tmp_path / "summary.png").stat().st_size > 10_000


@pytest.mark.parametrize("changes", [PLAIN_TRIAL, *(row.settings for row in ABLATION.values())])
def test_each_row_has_settings_that_the_study_takes(changes: dict[str, Any]) -> None:
    assert read_study(STUDY, {"start_with": [], **changes}).name == "benchmark"


def asked(folder: Path, **changes: Any) -> Benchmark:
    values: dict[str, Any] = {
        "study": write_study(folder, TINY),
        "data_root": None,
        "budget_s": BUDGET_S,
        "seeds": 2,
        "ablation": ["random networks"],
        "work": folder / "work",
        "out": folder / "out",
    }
    return Benchmark(**values | changes)


def test_a_killed_benchmark_keeps_its_finished_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, int]] = []

    def made_run(
        row: str, settings: StudySettings, budget_s: float, folder: Path, _: object
    ) -> Run:
        assert not [*folder.iterdir()]
        (folder / "networks").mkdir()
        made.append((row, settings.sampler.seed))
        if len(made) == 6:
            raise KeyboardInterrupt
        return made_up(row, settings.sampler.seed, (10.0, 0.5, 5.0))

    monkeypatch.setattr(bench_search, "run", made_run)
    monkeypatch.setattr(bench_search, "retrained_miou", lambda *_: 0.4)
    monkeypatch.setattr(bench_search, "draw_curves", lambda _, file: file.write_bytes(b"drawn"))
    with pytest.raises(KeyboardInterrupt):
        bench(asked(tmp_path), QuietView())
    first = json.loads((tmp_path / "out" / "summary.json").read_text())
    bench(asked(tmp_path), QuietView())
    bench(asked(tmp_path), QuietView())

    order = [(row, seed) for seed in range(2) for row in SAMPLERS]
    order += [("random networks", 0), ("random networks", 1)]
    assert made == [*order[:6], *order[5:]]
    last = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (first["seeds"], last["seeds"]) == (1, 2)
    assert last["best_at_target_retrained"]["ours"] == [0.4, 0.4]


def test_a_changed_budget_or_setting_makes_other_runs(tmp_path: Path) -> None:
    plain = asked(tmp_path).file("ours", 0)

    assert plain == asked(tmp_path).file("ours", 0)
    assert plain != asked(tmp_path, budget_s=10.0).file("ours", 0)
    assert plain != asked(tmp_path).file("ours", 1)
    longer, repeated = TINY.replace("steps: 2", "steps: 3"), f"{TINY}last_round: {{seeds: 2}}\n"
    for name, content in (("longer", longer), ("repeated", repeated)):
        (tmp_path / name).mkdir()
        other = write_study(tmp_path / name, content)
        assert plain != asked(tmp_path, study=other).file("ours", 0)


@pytest.mark.slow
@pytest.mark.parametrize("row", ["ours", "one policy a network", "nsga2"])
def test_a_real_run_keeps_what_it_finds(row: str, tmp_path: Path) -> None:
    study, view = write_study(tmp_path, TINY, ONE_NETWORK), QuietView()
    settings = settings_of(row, 3, study, None)

    made = run(row, settings, 0.5, tmp_path / "run", view)  # too short for a second trial

    assert run_from_json(json.loads(json.dumps(dataclasses.asdict(made)))) == made
    first, *more = made.found
    assert (more != []) == (row == "ours")
    assert 0 < first.miou < 1
    assert made.spent_s >= first.end_s > 0.5
    assert (made.seed, made.pick, made.code) == (3, None, code_hash())
    again = retrained_miou(first, settings, tmp_path / "run", view)
    assert again == pytest.approx(first.miou)  # one seed, one network: it is found again


@pytest.mark.slow
def test_a_recorded_table_of_real_networks_is_made_once(tmp_path: Path) -> None:
    study, view = write_study(tmp_path, TINY, ONE_NETWORK), QuietView()

    table = record_search.record(study, None, tmp_path / "work", view)
    again = record_search.record(study, None, tmp_path / "work", view)

    assert (table.miou == again.miou).all()
    assert (table.miou[:, 0, 0] != table.miou[:, 0, 1]).any()
    assert len([line for line in view.lines if line.startswith("seed ")]) == 2
