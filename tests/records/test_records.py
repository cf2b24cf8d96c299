import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.records import (
    PATHS,
    Clip,
    DataSplit,
    FailedTrial,
    FramePath,
    FramePaths,
    Latency,
    Repeat,
    StreamLatency,
    StudyHistory,
    TrialResult,
    from_json,
    to_json,
)
from tests.made_up import on_screen
from tests.reporting.build import history, refused, trial

STUDY = history(
    trial(0, 0.65, 30.0),
    trial(1, 0.70, 20.0, class_iou=(0.7, None)),
    refused=(refused(2, 90.0),),
    failed=(FailedTrial(number=3, architecture=None, reason="it broke"),),
)


def clip(frames: int) -> Clip:
    return Clip(
        name="square",
        frames=np.zeros((frames, 4, 6, 3), np.uint8),
        masks=np.zeros((frames, 4, 6), np.uint8),
        annotated=np.ones(frames, np.bool_),
        fps=24.0,
    )


def test_a_history_written_as_json_reads_back_as_itself() -> None:
    assert from_json(StudyHistory, to_json(STUDY)) == STUDY


def test_repeats_and_parts_of_clips_are_read_back() -> None:
    part = STUDY.complete[0].score.clips[0]
    score = dataclasses.replace(
        STUDY.complete[0].score, clips=(dataclasses.replace(part, parts=(part, part)),)
    )
    streamed = on_screen(STUDY.complete[0], score=score).streamed
    repeat = Repeat(number=0, seed=1, network_id="0" * 12, streamed=streamed)
    study = dataclasses.replace(STUDY, repeats={0: [repeat]}, validation="half")

    assert from_json(StudyHistory, to_json(study)) == study


@given(miou=st.floats(0, 1), mean_ms=st.floats(1e-3, 1e6))
def test_a_result_written_as_json_keeps_every_digit(miou: float, mean_ms: float) -> None:
    result = trial(0, miou, mean_ms)

    assert from_json(TrialResult, to_json(result, indent=2)) == result


@given(paths=st.lists(st.sampled_from(PATHS), min_size=1))
def test_the_shares_of_the_paths_count_each_frame_and_add_up_to_one(paths: list[FramePath]) -> None:
    walks = tuple(FramePaths.of("bear", [path], [True]) for path in paths)

    shares = on_screen(trial(0, 0.7, 20.0), walks=walks).paths

    assert shares == {path: paths.count(path) / len(paths) for path in PATHS}
    assert sum(shares.values()) == pytest.approx(1)  # a sum of three rounded quotients


@given(st.lists(st.tuples(st.sampled_from(PATHS), st.booleans())))
def test_the_paths_of_a_clip_in_letters_are_the_same_paths(
    frames: list[tuple[FramePath, bool]],
) -> None:
    paths, gated = tuple(p for p, _ in frames), tuple(g for _, g in frames)

    walk = FramePaths.of("bear", paths, gated)

    assert (walk.paths, walk.gated, len(walk.letters)) == (paths, gated, len(frames))


def test_a_trial_is_ranked_by_what_was_measured() -> None:
    predicted = trial(0, 0.7, 20.0)
    latency = dataclasses.replace(predicted.predicted, mean_ms=31.0, source="measured")
    score = dataclasses.replace(predicted.score, miou=0.6)
    streamed = dataclasses.replace(predicted.on_prediction, latency=latency, score=score)

    both = dataclasses.replace(predicted, on_measurement=streamed)

    assert (predicted.latency.mean_ms, both.latency.mean_ms) == (20.0, 31.0)
    assert (predicted.score.miou, both.score.miou) == (0.7, 0.6)
    assert both.predicted.mean_ms == 20.0


def test_the_figures_of_a_latency_stand_in_order() -> None:
    with pytest.raises(
        SettingError, match=r"median_ms is 9 in \[1, 5\]; allowed: .*Order the three figures\."
    ):
        Latency(median_ms=9, low_ms=1, high_ms=5, source="predicted", threads=1)


@pytest.mark.parametrize("figures", [(-1.0, 1.0, 2.0), (1.0, 2.0, float("inf"))])
def test_a_latency_is_neither_negative_nor_endless(figures: tuple[float, float, float]) -> None:
    low, median, high = figures

    with pytest.raises(SettingError, match=r"allowed: 0 <= low_ms <= median_ms <= high_ms\."):
        Latency(median_ms=median, low_ms=low, high_ms=high, source="host", threads=1)


def test_sustained_fps_are_a_thousand_over_the_mean_ms() -> None:
    stream = StreamLatency(
        mean_ms=40.0, worst_ms=70.0, every_frame=False, dropped_frames=0.5, source="predicted"
    )

    assert stream.sustained_fps == 25.0


def test_a_split_counts_the_frames_of_all_its_clips() -> None:
    split = DataSplit(
        dataset="drawn",
        split="val",
        class_names=("background", "square"),
        clips=(clip(2), clip(3)),
        fingerprint="0",
    )

    assert [len(each) for each in split.clips] == [2, 3]
    assert split.frame_count == 5


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'number'"):
        STUDY.complete[0].number = 9  # type: ignore[misc]
