"""A report has the held-out figure of its pick, and says how it was made or why it is missing."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from jejunet_nas.records import LastRoundPlan, SearchedFor
from jejunet_nas.reporting.attainment import compare
from jejunet_nas.reporting.baseline import Against, answer
from jejunet_nas.reporting.baseline_words import caveat, sentences
from jejunet_nas.reporting.held_out import held_out_note, seeds_note, selection_note
from jejunet_nas.reporting.markdown import page
from jejunet_nas.reporting.report import plain_report
from jejunet_nas.reporting.site.content import Extras, content
from jejunet_nas.scoring.bootstrap import miou_difference
from tests.reporting.build import history, trial
from tests.scoring.networks import alike, halved, network

HALVED = alike(np.random.default_rng(0), networks=6)
REPEATED = alike(np.random.default_rng(0), networks=6, repeats=2, seeds=0.02)
OTHER = SearchedFor(target_fps=12.0, device="Pixel 2")
BASELINE = history(network(0, [0.5] * 20, mean_ms=90.0), study="seed", class_names=("object",))


def test_the_note_has_the_figure_its_interval_and_how_it_was_made() -> None:
    note = held_out_note(HALVED)

    assert note is not None
    assert note.startswith("Held-out mIoU of the pick: 60.3 % (95 % CI 5")
    assert "The validation clips were split into halves of 10 and 10 clips; the first half" in note
    assert note.endswith("The interval is over clips; it does not hold training seeds.")


def test_the_note_says_that_trainings_were_held_out_too() -> None:
    note = held_out_note(REPEATED)

    assert note is not None
    assert "the mean of 2 further trainings with other seeds, each scored for the pick" in note
    assert note.endswith("The interval is over clips, and over training seeds.")
    assert "(8 degrees of freedom)" in seeds_note(REPEATED)


def test_the_note_says_why_there_is_no_figure() -> None:
    assert held_out_note(halved(trial(0, 0.5, 20.0))) == (
        "There is no held-out mIoU: validation is half, but val has 1 annotated clip that cannot "
        "be split in two; allowed: two or more, or one with at least 19 annotated frames that was "
        "scored by this version. Set both keys of validation to all."
    )


def test_a_study_that_holds_nothing_out_is_told_how() -> None:
    study = dataclasses.replace(HALVED, validation="all")

    assert held_out_note(study) is None
    assert "With `validation: {pick_on: half, report_on: half}` in the" in selection_note(study)
    assert "With `validation" not in selection_note(HALVED)
    assert "another seed changes its mIoU by about 1.0 point, which no" in seeds_note(study)


@pytest.mark.parametrize(
    ("ious", "changes", "words"),
    [
        ((0.6, 0.61), {"last_round": None}, "`last_round: {seeds: 3}` in the study's file trains"),
        ((0.6, 0.5), {}, "trained none again: no other network is within the noise of the best."),
        ((0.6, 0.61), {"target_fps": 999.0}, "trained none again: no fully trained network meets"),
        ((0.6, 0.61), {}, "has not trained its 2 contenders again yet: `jejunet-nas search` goes"),
        ((0.6, 0.61), {"failed_repeats": {(1, 1): "nan"}}, "no result: 1 training of it failed."),
        (
            (0.6, 0.61),
            {"searched_for": OTHER},
            "is there to be scored for another target or device.",
        ),
    ],
)
def test_a_study_without_further_trainings_is_told_why(
    ious: tuple[float, float], changes: dict[str, Any], words: str
) -> None:
    study = history(*(network(n, [iou] * 6) for n, iou in enumerate(ious)))
    plan = {"last_round": LastRoundPlan(contenders=4)}

    note = seeds_note(dataclasses.replace(study, **{**plan, **changes}))

    assert words in note
    assert ("`last_round" in note) == (changes.get("last_round", 1) is None)


def test_halves_are_not_advised_where_they_are_on_and_val_cannot_be_split() -> None:
    study = halved(trial(0, 0.5, 20.0))
    found = answer(study, study)

    assert selection_note(study).endswith("and their intervals do not account for it.")
    assert "With `validation" not in caveat(found)
    whole = dataclasses.replace(study, validation="all")
    assert "With `validation" in caveat(answer(whole, whole))


def test_summary_report_and_page_have_the_figure() -> None:
    plain = plain_report(REPEATED)["held_out"]
    note = held_out_note(REPEATED)

    assert note is not None
    assert plain["words"] == note
    assert plain["interval"]["low"] < plain["miou"] < plain["interval"]["high"]
    assert plain["noise"]["freedom"] == 8
    assert f"\n{note}\n" in page(REPEATED, "front.png")
    shown = content(REPEATED, Extras())
    assert shown["held_out"] == note
    assert shown["held_out_short"][0] == f"{100 * plain['miou']:.1f} %"
    assert plain_report(BASELINE)["held_out"] is None


def test_a_missing_figure_is_explained_in_the_summary() -> None:
    plain = plain_report(halved(trial(0, 0.5, 20.0)))["held_out"]

    assert plain["missing"].startswith("validation is half, but val has 1 annotated clip")


def test_a_baseline_is_compared_on_clips_that_the_pick_was_not_picked_on() -> None:
    found = answer(HALVED, BASELINE)

    (against,) = found.against
    assert (found.held_out, found.seeds) == ("clips", False)
    assert against.best is not None
    assert against.best.miou == pytest.approx(0.103, abs=0.001)  # 60.3 - 50.0
    assert "The pick, held out, differs by +10.3 points, sig" in sentences(found)[1]
    assert "picked on the other half of the clips. The intervals do not hold tr" in caveat(found)


def test_the_interval_to_a_baseline_holds_the_seeds_of_both() -> None:
    over_both = answer(REPEATED, BASELINE)
    once = answer(dataclasses.replace(REPEATED, repeats={}), BASELINE)

    (wide,), (narrow,) = over_both.against, once.against
    assert over_both.seeds
    assert "over the validation clips and training seeds" in caveat(over_both)
    assert _width(wide) > 1.5 * _width(narrow)


def test_two_studies_are_compared_held_out_where_both_can_be() -> None:
    other = dataclasses.replace(alike(np.random.default_rng(1), networks=6), study="other")
    whole = dataclasses.replace(HALVED, validation="all")

    held, plain = (compare([each, other]).leads[0] for each in (HALVED, whole))

    best = [max(each.complete, key=lambda t: t.score.miou).score.clips for each in (other, whole)]
    assert (held.held_out, plain.held_out) == (True, False)
    assert plain.best == miou_difference(*best)
    assert held.best != plain.best


def _width(against: Against) -> float:
    assert against.best is not None
    assert against.best.interval is not None
    return against.best.interval.high - against.best.interval.low
