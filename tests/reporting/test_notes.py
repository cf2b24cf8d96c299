"""What a dashboard tells of a study and its trials, in words."""

import dataclasses

from jejunet_nas.records import as_added
from jejunet_nas.reporting.notes import reasons, study_note, trial_notes
from tests.reporting.build import history, measured, refused, trial
from tests.scoring.networks import again, network

HOSTILE = "<script>alert('x')</script> | `a` *b* \"ü犬\"\n# heading"


def test_a_complete_trial_is_described_with_its_latency_and_its_source() -> None:
    note = trial_notes(history(trial(0, 0.7, 20.0, interval=4)))[0]

    assert note.startswith("**Trial 0.** On the Pareto front.")
    assert "0.5 x blocks 0-12 /16, 48 ch, thin /8, 224 px" in note
    assert "Policy: key every 4, propagate" in note
    assert "Latency: 20.0 ms a frame, predicted for Pixel 2; 0.0 % of frames dropped" in note
    assert "mIoU: 70.0 %; own-frame mIoU: 71.0 %." in note
    assert "IoU by class, in per cent: background 70.0, object 70.0." in note


def test_a_measured_trial_has_its_prediction_beside_it_and_its_doubts() -> None:
    slower = measured(trial(0, 0.7, 20.0), 30.0, doubts=("key: hot",))

    note = trial_notes(history(slower, phone="Google Pixel 2"))[0]

    assert "30.0 ms a frame, measured on Google Pixel 2; 20.0 predicted for Pixel 2; " in note
    assert "Unstable: key: hot." in note


def test_a_measured_trial_whose_motion_is_predicted_says_so() -> None:
    slower = measured(trial(0, 0.7, 20.0), 30.0)
    assert slower.on_measurement
    stream = dataclasses.replace(slower.latency, source="predicted")
    streamed = dataclasses.replace(slower.on_measurement, latency=stream)
    slower = dataclasses.replace(slower, on_measurement=streamed)

    note = trial_notes(history(slower, phone="Google Pixel 2"))[0]

    assert "measured on Google Pixel 2, its motion predicted; 20.0 predicted for Pixel 2" in note


def test_what_is_not_on_the_front_says_why() -> None:
    notes = trial_notes(
        history(
            trial(0, 0.7, 20.0),
            trial(1, 0.6, 25.0),
            trial(2, 0.9, 50.0),
            refused=(refused(3, 99.0),),
        )
    )

    assert [*notes] == [0, 1, 2]
    assert "Dominated: another trial is at least as good" in notes[1]
    assert "Over the target: it does not keep up" in notes[2]


def test_the_studys_note_says_how_it_stands() -> None:
    note = study_note(history(trial(0, 0.7, 20.0), refused=(refused(1, 99.0),)))

    assert "target 25 fps without a dropped frame (40.0 ms a frame), latency predicted for" in note
    assert "1 trial complete, 1 refused before training" in note
    assert "1 on the front; trial 0 has the best mIoU." in note
    assert "comes nearest" in study_note(history(trial(0, 0.7, 50.0)))


def test_feasible_policies_are_not_taken_for_networks() -> None:
    drawn = trial(0, 0.7, 20.0)
    added = dataclasses.replace(as_added(trial(1, 0.6, 10.0)), network=drawn.network)

    alone, both = (reasons(history(*trials))[0] for trials in ([drawn], [drawn, added]))

    assert alone.startswith("Trial 0 is the best of 1 feasible trial at 25 fps")
    assert both.startswith("Trial 0 is the best of 2 feasible trials of 1 network at 25 fps")


def test_names_are_text_and_nothing_else() -> None:
    names = (HOSTILE, "object")
    made = trial(0, 0.7, 20.0)
    made = dataclasses.replace(made, network=dataclasses.replace(made.network, class_names=names))
    told = history(made, study=HOSTILE, device=HOSTILE, class_names=names)

    for note in (study_note(told), *trial_notes(told).values()):
        assert "<script>" not in note
        assert "\n# heading" not in note
        assert "\\<script\\>alert" in note


def test_a_trial_that_had_luck_is_named_beside_the_pick() -> None:
    lucky, steady = network(0, [0.78] * 6), network(1, [0.76] * 6)
    study = dataclasses.replace(
        history(lucky, steady),
        repeats={
            0: [again(lucky, 1, [0.72] * 6), again(lucky, 2, [0.72] * 6)],
            1: [again(steady, 1, [0.76] * 6), again(steady, 2, [0.75] * 6)],
        },
    )

    best, means, *_ = reasons(study)

    assert best.startswith("Trial 1 is the best of 2 feasible trials")
    assert means == (
        "In the mean of 3 trainings it has 75.7 %: trial 0 had 78.0 % in its first training and "
        "has 74.0 % in the mean of 3. Other policies of a network have the luck of its first "
        "training too."
    )
    assert not [said for said in reasons(history(lucky, steady)) if "trainings" in said]
