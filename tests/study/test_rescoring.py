"""Trained networks are scored for another target, device or policy without training."""

import dataclasses
from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from jejunet_nas.latency.predicted_meter import PredictedMeter, load_profile
from jejunet_nas.records import DataSplit, RefusedTrial, Repeat, SearchedFor, StudyHistory, to_json
from jejunet_nas.space.architecture import Architecture, Policy
from jejunet_nas.study.kept_measurements import save_measurement, with_measured
from jejunet_nas.study.rescoring import rescored, under_policy
from tests.builders import tiny_network, tiny_run
from tests.reporting.build import architecture, history
from tests.search.measured import network_measurement, of_graphs
from tests.study.test_screens import no_clips, trial_of

PIXEL2 = load_profile("pixel2")
EVERY_2, GATED = Policy(keyframe_interval=2), Policy(keyframe_interval=4, refresh_above=0.2)


def val() -> DataSplit:
    return tiny_run().val


def searched(networks: Path, policy: Policy = EVERY_2) -> StudyHistory:
    """Return the history, at 25 fps, of one trial of the tiny network; its graphs are there."""
    return history(trial_of(policy, networks))


def test_a_study_is_scored_for_another_target_and_back(tmp_path: Path) -> None:
    before = searched(tmp_path)
    (trial,) = before.complete

    after = rescored(before, tmp_path, val, target_fps=60.0, profile=PIXEL2)

    (again,) = after.complete
    assert after.searched_for == SearchedFor(target_fps=25.0, device=before.device)
    assert again.latency.dropped_frames > trial.latency.dropped_frames == 0
    assert again.score != trial.score
    assert again.own_frame_score == trial.own_frame_score
    assert rescored(after, tmp_path, val, target_fps=25.0, profile=PIXEL2) == before


def test_further_trainings_are_scored_again_too(tmp_path: Path) -> None:
    before = searched(tmp_path)
    (trial,) = before.complete
    repeats = [
        Repeat(number=0, seed=seed, network_id=name, streamed=trial.streamed)
        for seed, name in enumerate((trial.network_id, "0" * 12), 1)
    ]
    record = tmp_path / trial.network_id / "record.json"
    record.write_text(to_json(trial.network))
    before = dataclasses.replace(before, repeats={0: repeats})

    faster, same = (
        rescored(before, tmp_path, val, target_fps=fps, profile=PIXEL2) for fps in (60.0, 25.0)
    )

    (again,) = faster.repeats[0]  # the network of the other one is not there
    assert again.seed == 1
    assert again.streamed == faster.complete[0].streamed != trial.streamed
    assert same.repeats == before.repeats


def test_the_second_time_needs_neither_clips_nor_graphs(tmp_path: Path) -> None:
    before = searched(tmp_path)
    first = rescored(before, tmp_path, val, target_fps=60.0, profile=PIXEL2)
    next(tmp_path.rglob("key.tflite")).unlink()

    assert rescored(before, tmp_path, no_clips, target_fps=60.0, profile=PIXEL2) == first
    with pytest.raises(Exception, match="the clips are missing"):
        rescored(before, tmp_path, no_clips, target_fps=50.0, profile=PIXEL2)


def test_another_device_replaces_predictions_and_measurements(tmp_path: Path) -> None:
    before = searched(tmp_path)
    (trial,) = before.complete
    save_measurement(
        of_graphs(network_measurement(30.0), trial.network), tmp_path / trial.network_id
    )
    measured = with_measured(before, tmp_path)
    profile = dataclasses.replace(PIXEL2, device="another")

    after = rescored(measured, tmp_path, val, target_fps=25.0, profile=profile, another=True)

    (again,), (was,) = after.complete, measured.complete
    assert (after.device, after.phone, was.latency.source) == ("another", None, "measured")
    assert again.latency.source == "predicted"
    meter = PredictedMeter(profile=profile, threads=1)
    assert again.network.latencies.key == meter.measure(tiny_run().graphs["key"])


def test_measurements_count_at_another_target(tmp_path: Path) -> None:
    before = searched(tmp_path)
    network = before.complete[0].network
    save_measurement(of_graphs(network_measurement(70.0), network), tmp_path / network.network_id)

    after = rescored(before, tmp_path, val, target_fps=15.0, profile=PIXEL2)

    (again,) = after.complete
    assert (again.latency.source, again.latency.worst_ms) == ("measured", 70.0)
    assert after.phone is not None


def refused(mean_ms: float) -> RefusedTrial:
    return RefusedTrial(
        number=1,
        architecture=architecture(1),
        mean_ms=mean_ms,
        worst_ms=mean_ms,
        dropped_frames=0.5,
        source="predicted",
        reason="too slow",
    )


def test_a_refused_architecture_has_the_bounds_of_the_new_target(tmp_path: Path) -> None:
    before = dataclasses.replace(searched(tmp_path), refused=(refused(99.0),))

    after, slow = (
        rescored(before, tmp_path, val, target_fps=fps, profile=PIXEL2) for fps in (5.0, 100.0)
    )

    (now,) = after.refused
    assert (now.number, now.reason, now.dropped_frames) == (1, "too slow", 0.0)
    assert 1 < now.mean_ms < 99.0
    assert slow.refused[0].dropped_frames > 0.3


def test_a_graph_that_was_changed_is_not_scored(tmp_path: Path) -> None:
    before = searched(tmp_path)
    next(tmp_path.rglob("gate.tflite")).write_bytes(b"another")

    with pytest.raises(SettingError, match=r"gate\.tflite was changed after it was scored"):
        rescored(before, tmp_path, val, target_fps=60.0, profile=PIXEL2)


@pytest.mark.parametrize(
    "policy", [GATED, Policy(keyframe_interval=1, asynchronous=True)], ids=["gate", "background"]
)
def test_a_network_under_another_policy_scores_as_a_trial_of_it(
    policy: Policy, tmp_path: Path
) -> None:
    before = searched(tmp_path)
    (trial,) = before.complete

    found = under_policy(trial, policy, before, tmp_path, val)

    (whole,) = searched(tmp_path, policy).complete
    assert found == dataclasses.replace(whole, network=trial.network)
    assert under_policy(trial, policy, before, tmp_path, no_clips) == found


def test_under_another_policy_a_measurement_counts_if_it_has_each_graph(tmp_path: Path) -> None:
    before = searched(tmp_path)
    network = before.complete[0].network
    measurement = of_graphs(network_measurement(30.0), network)
    without_gate = {name: one for name, one in measurement.graphs.items() if name != "gate"}
    measurement = dataclasses.replace(measurement, graphs=without_gate)
    save_measurement(measurement, tmp_path / network.network_id)
    measured = with_measured(before, tmp_path)
    (trial,) = measured.complete

    fixed, gated = (
        under_policy(trial, policy, measured, tmp_path, val)
        for policy in (Policy(keyframe_interval=3), GATED)
    )

    assert (trial.latency.source, fixed.latency.source) == ("measured", "measured")
    assert (gated.latency.source, gated.measured_graphs) == ("predicted", None)


def test_a_network_without_a_decoder_is_not_propagated(tmp_path: Path) -> None:
    before = searched(tmp_path)
    (trial,) = before.complete
    network = tiny_network(detail="none", logit_stride=16)
    none = Architecture(network=network, policy=Policy(keyframe_interval=1))

    with pytest.raises(SettingError, match="propagate with detail none"):
        under_policy(
            dataclasses.replace(trial, architecture=none), EVERY_2, before, tmp_path, no_clips
        )
