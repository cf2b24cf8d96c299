import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.records.words import (
    escaped,
    latency_words,
    network_words,
    one_line,
    policy_words,
    source_words,
)
from jejunet_nas.space.architecture import Policy
from tests.reporting.build import NETWORK, history, measured, trial


def test_a_network_is_named_by_what_was_searched() -> None:
    assert network_words(NETWORK) == "0.5 x blocks 0-12 /16, 48 ch, thin /8, 224 px"


def test_a_picture_that_is_not_square_is_named_height_first() -> None:
    wide = dataclasses.replace(NETWORK, input_width=384)

    assert network_words(wide).endswith("224x384 px")


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(keyframe_interval=1), "key every frame"),
        (
            Policy(keyframe_interval=1, asynchronous=True),
            "key without pause in the background, propagate",
        ),
        (Policy(keyframe_interval=4, between_keyframes="reuse"), "key every 4, reuse"),
        (
            Policy(keyframe_interval=6, reuse_below=0.05),
            "key every 6, propagate, gate reuse < 0.05",
        ),
        (
            Policy(keyframe_interval=6, reuse_below=0.05, refresh_above=0.3),
            "key every 6, propagate, gate reuse < 0.05, refresh > 0.3",
        ),
    ],
)
def test_a_policy_is_named_in_a_few_words(policy: Policy, words: str) -> None:
    assert policy_words(policy) == words


def test_latencies_say_where_they_come_from_and_on_how_many_threads() -> None:
    two = dataclasses.replace(history(), threads=2, latency_source="measured")

    assert latency_words(history()) == "predicted for Pixel 2, 1 thread"
    assert latency_words(two) == "measured on Pixel 2, 2 threads"


def test_latencies_of_this_computer_are_said_to_be_no_phones() -> None:
    here = history(device="this computer", source="host")

    assert latency_words(here) == "timed on this computer, 1 thread, not a phone"


def test_trials_that_were_measured_again_are_counted_beside_the_predicted_ones() -> None:
    mixed = history(trial(0, 0.6, 20), trial(1, 0.7, 30, source="measured"))

    assert latency_words(mixed).endswith("1 thread, 1 of 2 measured")


def test_a_study_that_measures_is_named_by_its_phone_and_counts_what_is_predicted() -> None:
    trials = measured(trial(0, 0.6, 20), 22), trial(1, 0.7, 30)
    study = history(*trials, source="measured", device="Google Pixel 2", phone="Google Pixel 2 XL")

    assert latency_words(study) == "measured on Google Pixel 2 XL, 1 thread, 1 of 2 predicted"


def test_a_study_that_measures_and_never_saw_a_phone_says_predicted() -> None:
    study = history(trial(0, 0.6, 20), source="measured", device="Google Pixel 2")

    assert latency_words(study) == "predicted for Google Pixel 2, 1 thread"


def test_a_predicted_study_says_on_which_phone_it_was_measured() -> None:
    trials = measured(trial(0, 0.6, 20), 22), trial(1, 0.7, 30)

    words = latency_words(history(*trials, device="Google Pixel 2", phone="Google Pixel 2"))

    assert words == "predicted for Google Pixel 2, 1 thread, 1 of 2 measured on Google Pixel 2"


def test_a_measured_trial_says_how_it_compares_and_whether_it_is_unstable() -> None:
    assert source_words(trial(0, 0.6, 20)) == "predicted"
    assert source_words(measured(trial(0, 0.6, 20), 23)) == "measured, 1.15 of predicted"
    doubtful = measured(trial(0, 0.6, 20), 23, doubts=("key: the phone is hot",))
    assert source_words(doubtful) == "measured, 1.15 of predicted, unstable"


def test_what_markdown_would_take_for_markup_is_escaped_and_names_stay_readable() -> None:
    text = "pixel2_davis costs $5 <b>*now*</b> | _so_\n# yes"

    assert escaped(text) == r"pixel2_davis costs \$5 \<b\>\*now\*\</b\> \| \_so\_ # yes"


@given(text=st.text())
def test_any_name_fits_on_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1
