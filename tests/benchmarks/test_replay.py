"""The recorded table and its replay, on a table made without training."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.evaluation.exhaustive import LEAST_GAIN
from jejunet_nas.scoring.front import hypervolume, reference_point
from jejunet_nas.study.settings import StudySettings
from jejunet_nas.study.study_file import read_study
from tests.benchmarks import replay
from tests.benchmarks.plain_optuna import PLAIN
from tests.benchmarks.recorded_table import (
    STUDY,
    RecordedTable,
    grid,
    read_table,
    write_table,
)
from tests.benchmarks.replay_workers import Scenario, enough_s, simulate
from tests.benchmarks.synthetic_table import synthetic_table

STEPS = (2, 4, 6)


@pytest.fixture(scope="module")
def study() -> StudySettings:
    """The benchmark's study with six networks of few policies."""
    settings = read_study(STUDY, {"start_with": []})
    few = {"depth_multiplier": (0.35, 1.0), "logit_stride": (8,), "resolution": (96,)}
    few |= {"keyframe_interval": (1, 2, 6), "reuse_below": (None,)}
    return settings.model_copy(
        update={"search_space": dataclasses.replace(settings.search_space, **few)}
    )


@pytest.fixture(scope="module")
def table(study: StudySettings) -> RecordedTable:
    return synthetic_table(study.search_space, target_fps=study.target_fps)


def everything(table: RecordedTable) -> list[tuple[int, int]]:
    return [*itertools.product(range(len(table.networks)), range(len(table.policies)))]


def test_the_space_of_the_benchmark_has_72_networks_with_43_policies() -> None:
    networks, policies = grid(read_study(STUDY).search_space)

    assert (len(set(networks)), len(set(policies))) == (72, 43)
    assert (len(networks), len(policies)) == (72, 43)


def test_a_table_is_read_as_it_was_written(table: RecordedTable, tmp_path: Path) -> None:
    file = tmp_path / "new" / "recorded.npz"

    write_table(table, file)
    read = read_table(file)

    assert (read.networks, read.policies, read.about) == (
        table.networks,
        table.policies,
        table.about,
    )
    assert all(np.array_equal(getattr(read, n), getattr(table, n)) for n in ("miou", "dropped"))
    with np.load(file) as kept:
        assert np.array_equal(kept["feasible"], table.over_ms <= 0)
        assert 0 < kept["feasible"].mean() < 1


def test_a_lucky_training_is_picked_but_counts_with_the_mean(table: RecordedTable) -> None:
    place = next(each for each in everything(table) if (table.over_ms[each] <= 0).all())
    miou = table.miou.copy()
    miou[place] = [0.99, 0.39]
    lucky = dataclasses.replace(table, miou=miou)

    assert lucky.front(everything(table), 0)[0] == place
    assert lucky.value(everything(table), 0)[1] == pytest.approx(0.69)
    assert lucky.front(everything(table), 1)[0] != place


def test_what_misses_the_target_is_worth_nothing(table: RecordedTable) -> None:
    missing = [each for each in everything(table) if (table.over_ms[each] > 0).all()]

    assert missing
    assert table.value(missing, 0) == (0.0, 0.0)
    assert table.value([], 0) == (0.0, 0.0)


def test_the_value_is_the_hypervolume_of_the_front(table: RecordedTable) -> None:
    front = table.front(everything(table), 1)

    area, miou = table.value(everything(table), 1)

    points = [table.mean_point(place) for place in front]
    assert area == pytest.approx(hypervolume(points, reference_point(table.target_fps)))
    assert miou == points[0][0]
    assert len(front) > 1


@pytest.mark.parametrize("name", replay.SAMPLERS)
def test_one_seed_gives_one_replay_and_what_is_known_only_grows(
    name: str, table: RecordedTable, study: StudySettings
) -> None:
    # One training: with two, a front picked by one of them may lose by the mean.
    once = dataclasses.replace(
        table,
        **{n: getattr(table, n)[..., :1] for n in ("miou", "mean_ms", "worst_ms", "dropped")},
        train_s=table.train_s[:, :1],
        stages_s=table.stages_s[:, :1],
    )

    values = replay.values_of(name, once, study, STEPS, 3)

    assert values == replay.values_of(name, once, study, STEPS, 3)
    areas = [area for area, _, _ in values]
    assert areas == sorted(areas)
    assert [count <= step for step, (_, _, count) in zip(STEPS, values, strict=True)] == [True] * 3


def test_ours_knows_the_whole_table_after_all_its_networks(
    table: RecordedTable, study: StudySettings
) -> None:
    steps = (len(table.networks), 20)
    left_out = LEAST_GAIN * 1000 / table.target_fps  # mIoU x ms: by policies hardly better

    at_the_end, later = replay.values_of(replay.OURS, table, study, steps, 0)

    area, miou = table.value(everything(table), 0)
    assert at_the_end == later == (pytest.approx(area, abs=left_out), miou, len(table.networks))


def test_a_plain_trial_learns_one_policy(table: RecordedTable, study: StudySettings) -> None:
    for name in PLAIN:
        steps = itertools.islice(replay.plain_steps(name, table, study, 0), 12)

        assert [len(step) for step in steps] == [1] * 12


def test_the_page_says_whether_the_claim_holds(
    table: RecordedTable, study: StudySettings, tmp_path: Path
) -> None:
    names, steps = zip(*replay.CLAIM, strict=True)
    content = replay.replay(table, study, seeds=2, samplers=names, steps=steps)
    content["command"] = "replay"

    page = replay.page(content, "replay.png")
    replay.draw(content, tmp_path / "replay.png")

    assert "ours after 20 networks: median hypervolume" in page
    assert "2 seeds over 6 networks with 9 policies each, at 130 fps" in page
    assert (tmp_path / "replay.png").stat().st_size > 10_000
    worse = content["samplers"]["nsga2"]["hypervolume"]
    worse[-1] = 100.0
    assert "less than the 100.0000 of nsga2 after 100" in replay.claim_words(content)


def test_some_samplers_are_replayed_alone(table: RecordedTable, study: StudySettings) -> None:
    alone = {"samplers": ("random",), "steps": (2, 3)}

    content = replay.replay(table, study, seeds=3, **alone) | {"command": "replay"}

    assert [*content["samplers"]] == ["random"]
    assert content["samplers"]["random"]["networks"][0] <= 2
    assert "| sampler | 2 | 3 |" in replay.page(content, "replay.png")
    assert replay.claim_words(content) == ""


def test_simulated_workers_train_all_networks_in_the_time_that_they_have(
    table: RecordedTable, study: StudySettings
) -> None:
    scenario = Scenario(slower=100.0, phone_s=1000.0, storage_s=0.0)
    alone, two = (simulate(table, study, workers, scenario, 0) for workers in (1, 2))

    assert len(alone.seen) == len(two.seen) == 6
    assert alone.trained_s == two.trained_s == pytest.approx(100 * table.stages_s.min(axis=1).sum())
    assert alone.end_s == pytest.approx(alone.trained_s, abs=5)
    assert 0.5 * alone.trained_s <= two.end_s < 0.8 * alone.end_s
    assert two.measured_s == pytest.approx(two.seen[0][0] + 6000, abs=1)
    assert enough_s(table, two, 0) <= two.end_s
