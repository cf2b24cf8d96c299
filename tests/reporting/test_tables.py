import dataclasses
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records import FailedTrial
from jejunet_nas.reporting.markdown import class_notes, front_markdown
from jejunet_nas.scoring.ranking import front_of, states
from jejunet_nas.space.architecture import architecture_from_dict
from jejunet_nas.study.tables import front_table, summary, trials_table
from tests.reporting.build import architecture, history, measured, refused, trial

BROKEN = FailedTrial(number=5, architecture=None, reason="the loss is\nnot a number")
STUDY = history(
    trial(0, 0.50, 10, interval=4),
    trial(1, 0.75, 30),
    trial(2, 0.60, 35, interval=2),
    trial(3, 0.90, 41),
    refused=(refused(4, 90),),
    failed=(BROKEN,),
)

TRIALS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(1, 8)).map(lambda p: (p[0] / 8, 10.0 * p[1])),
    max_size=10,
)


def test_each_trial_has_one_state() -> None:
    assert states(STUDY) == {
        0: "front",
        1: "front",
        2: "dominated",
        3: "over target",
        4: "refused",
        5: "failed",
    }


def test_a_trial_that_takes_just_the_frame_time_meets_the_target() -> None:
    assert [t.number for t in front_of(history(trial(0, 0.5, 40.0)))] == [0]


@given(points=TRIALS)
def test_the_front_is_exactly_the_unbeaten_feasible_trials(
    points: list[tuple[float, float]],
) -> None:
    study = history(*(trial(i, miou, ms) for i, (miou, ms) in enumerate(points)))
    feasible = {(miou, ms) for miou, ms in points if ms <= 40}
    unbeaten = {
        (miou, ms)
        for miou, ms in feasible
        if not any(m >= miou and t <= ms and (m, t) != (miou, ms) for m, t in feasible)
    }

    found = [(t.score.miou, t.latency.mean_ms) for t in front_of(study)]

    assert found == sorted(unbeaten, reverse=True)


def test_the_summary_counts_trials_and_covers_what_the_front_covers() -> None:
    found = summary(STUDY)

    assert found["trials"] == {"complete": 4, "added": 0, "refused": 1, "failed": 1}
    assert found["reference_point"] == [0.0, 40.0]
    assert found["hypervolume"] == 0.50 * 20 + 0.75 * 10


def test_the_summary_tells_what_video_policies_gain() -> None:
    found = summary(STUDY)

    assert found["best_without_video"] == {
        **{"trial": 1, "miou": 0.75, "mean_ms": 30, "dropped_frames_pct": 0},
        "all_keyframes_miou": 0.73,
    }
    assert found["best_with_video"]["trial"] == 2
    assert found["best_with_video"]["all_keyframes_miou"] == pytest.approx(0.58)
    assert summary(history(trial(0, 0.5, 10)))["best_with_video"] is None


def test_a_point_of_the_summary_holds_all_that_export_needs() -> None:
    best = summary(STUDY)["front"][0]

    assert set(best) == {
        *("trial", "network_id", "miou", "own_frame_miou", "float_miou", "int8_miou"),
        *("mean_ms", "worst_ms", "all_keyframes_miou", "all_keyframes_dropped_pct"),
        *("sustained_fps", "every_frame", "dropped_frames_pct", "latency_source", "paths"),
        *("predicted_ms", "unstable", "startup_ms", "architecture"),
        *("consistency", "region_j", "boundary_f", "mean_age_frames", "longest_stale_frames"),
        *("gate_mean_error", "gate_rank_correlation"),
    }
    assert (best["trial"], best["dropped_frames_pct"]) == (1, 0)
    assert best["paths"] == {"key": 1.0, "propagate": 0.0, "warp": 0.0, "move": 0.0, "reuse": 0.0}
    assert architecture_from_dict(best["architecture"]) == architecture()


def test_the_summary_is_plain_json() -> None:
    assert json.loads(json.dumps(summary(STUDY), allow_nan=False)) == summary(STUDY)


def test_the_front_table_has_one_row_a_point_best_first() -> None:
    table = front_table(STUDY)

    assert table["trial"].tolist() == [1, 0]
    assert table["keyframe_interval"].tolist() == [1, 4]
    assert table["sustained_fps"].round(1).tolist() == [33.3, 100.0]


def test_a_front_is_ranked_by_what_was_measured_and_keeps_what_was_predicted() -> None:
    slower = measured(trial(1, 0.75, 30), 41, doubts=("key: the phone is hot",))
    study = history(measured(trial(0, 0.50, 10), 12), slower, phone="Pixel 2")

    table = trials_table(study).set_index("trial")

    assert [each.number for each in front_of(study)] == [0]
    assert table["state"].tolist() == ["front", "over target"]
    assert table["mean_ms"].tolist() == [12, 41]
    assert table["predicted_ms"].tolist() == [10, 30]
    assert table.loc[1, "unstable"] == "key: the phone is hot"
    assert summary(study)["front"][0]["latency_source"] == "measured"


def test_an_empty_front_still_has_its_columns() -> None:
    assert list(front_table(history()).columns) == list(front_table(STUDY).columns)
    assert len(trials_table(history())) == 0


def test_the_trials_table_holds_every_trial_and_leaves_the_unknown_empty() -> None:
    table = trials_table(STUDY).set_index("trial")

    assert table["state"].to_dict() == states(STUDY)
    assert table.loc[4, "mean_ms"] == 90
    assert table["miou"].isna().tolist() == [False] * 4 + [True] * 2
    assert table.loc[0, "training_s"] == 60.0
    assert table.loc[5, "reason"] == "the loss is not a number"


def test_every_column_has_a_name_that_programs_take() -> None:
    one = dataclasses.replace(STUDY.complete[0], stage_s={"judge the gate": 1.0, "train on": 2.0})

    columns = [*trials_table(dataclasses.replace(STUDY, complete=(one,))).columns]

    assert {"judge_the_gate_s", "train_on_s"} < {*columns}
    assert [name for name in columns if not re.fullmatch("[a-z][a-z0-9_]*", name)] == []


def test_whole_numbers_stay_whole_beside_an_empty_cell() -> None:
    lines = trials_table(STUDY).to_csv(index=False).splitlines()

    assert lines[1].startswith(
        "0,front,000000000000,0.5,12,16,48,thin,8,224,224,0.0,post_training,4,"
    )
    assert len(lines) == 1 + 6


def test_the_front_reads_well_in_a_readme() -> None:
    header, rule, best, *_ = front_markdown(STUDY).splitlines()

    assert header.count("|") == rule.count("|") == best.count("|")
    assert best == (
        "| 1 | 75.0 | 76.0 | 30.0 | 33.3 | 45.0 | 0.0 | 0.5 x blocks 0-12 /16, 48 ch, thin /8, "
        "224 px | key every frame | predicted |"
    )


def test_a_class_without_an_iou_is_said_to_be_left_out() -> None:
    unknown = trial(0, 0.6, 10, class_iou=(0.8, None, 0.4))
    known = trial(1, 0.4, 10, class_iou=(0.8, 0.0, 0.4))
    study = history(unknown, class_names=("road", "sky", "car"))

    assert (
        class_notes(study)
        == "Classes without annotation in the val split are left out of the mean: sky."
    )
    assert class_notes(dataclasses.replace(study, complete=(known,))) is None
