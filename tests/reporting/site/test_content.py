"""What a page says, before any template."""

import base64
import dataclasses
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.drawing.pictures import ClipFrame, TrialPictures
from jejunet_nas.records import FailedTrial, StudyHistory
from jejunet_nas.records.words import per_cent
from jejunet_nas.reporting.glossary import network_meaning, policy_meaning
from jejunet_nas.reporting.report import write_report
from jejunet_nas.reporting.site.cards import TRIAL, card, export_command, in_time
from jejunet_nas.reporting.site.compare import ROLES
from jejunet_nas.reporting.site.content import MOST_CARDS, Extras, content, shown_front
from jejunet_nas.reporting.site.front_chart import front_chart
from jejunet_nas.reporting.site.plot import latency_axis
from jejunet_nas.reporting.site.render import _number, _read, packed, render, safe_json
from jejunet_nas.reporting.site.trials import slice_dimensions, trial_columns
from jejunet_nas.space.architecture import Policy
from tests.reporting.build import history, many_trials, measured, refused, trial
from tests.reporting.site.studies import HOSTILE, hostile_study, study
from tests.scoring.networks import again, network

PICTURE = ClipFrame(
    role="worst", clip=HOSTILE, frame=7, path="key", clip_miou=0.5, width_px=4, height_px=3
)


def test_what_is_packed_is_unpacked_as_it_was_and_always_packed_alike() -> None:
    text = "ä" * 1000 + "</script>"

    assert gzip.decompress(base64.b64decode(packed(text))).decode() == text
    assert packed(text) == packed(text)
    assert len(packed(text)) < 100


def test_json_in_a_page_ends_no_script_and_reads_back() -> None:
    plain = {HOSTILE: [HOSTILE, "\u2028", 1.5, None]}

    assert not re.search(r"[<>&\u2028]", safe_json(plain))
    assert json.loads(safe_json(plain)) == plain


def test_the_page_begins_with_the_best_and_what_it_is_better_than() -> None:
    told = content(study(), Extras())

    assert told["reasons"][0] == (
        "Trial 0 is the best of 3 feasible trials at 25 fps without a dropped frame: 70.0 % mIoU "
        "in 32.0 ms a frame, 0.0 % of frames dropped, worst frame 48.0 ms (measured)."
    )
    assert told["reasons"][-1] == (
        "The fastest of the front is trial 1: 60.0 % mIoU in 10.0 ms a frame, 0.0 % of frames "
        "dropped, worst frame 15.0 ms."
    )
    assert [each["number"] for each in told["cards"]] == [0, 1]
    assert [each["roles"] for each in told["cards"]] == [["best"], ["fastest"]]


def test_where_nothing_meets_the_target_the_nearest_is_named() -> None:
    told = content(history(trial(0, 0.7, 50.0)), Extras())

    assert told["reasons"] == told["picks"] == []
    assert "trial 0" in told["nothing"]
    assert "10 ms too slow" in told["nothing"]
    assert "Which trial to take" in render("index.html.j2", told)


def test_a_study_without_a_trial_has_a_page_too() -> None:
    page = render("index.html.j2", content(history(), Extras()))

    assert "0 trials complete" in page


def test_the_interval_of_a_latency_is_what_its_graphs_may_take() -> None:
    # Each graph takes 20 ms, 19 to 21, and every frame runs one.
    (made,) = content(history(trial(0, 0.7, 20.0)), Extras())["cards"]

    assert (made["low_ms"], made["high_ms"]) == (19.0, 21.0)


def test_a_measured_trial_says_what_was_predicted() -> None:
    made = card(
        measured(trial(0, 0.7, 20.0), 24.0, doubts=("rounds differ",)),
        history(),
        interval=None,
        pictures=None,
        study="davis",
        annotations={},
    )

    assert (made["mean_ms"], made["predicted_ms"], made["latency_source"]) == (
        24.0,
        20.0,
        "measured",
    )
    assert (made["low_ms"], made["high_ms"]) == (18.0, 30.0)  # of its rounds
    assert {(graph["latency"].median_ms, graph["latency"].source) for graph in made["graphs"]} == {
        (24.0, "measured")
    }
    assert made["doubts"] == ("rounds differ",)


def test_a_command_can_be_pasted_whatever_the_study_is_called() -> None:
    assert export_command("davis", 3) == "jejunet-nas export davis --trial 3 --out davis-3"
    assert export_command("a b", 3) == "jejunet-nas export 'a b' --trial 3 --out 'a b-3'"
    assert export_command("x/s.yaml", 3) == "jejunet-nas export x/s.yaml --trial 3 --out s-3"


def test_of_a_long_front_its_ends_and_what_lies_between_are_shown() -> None:
    long = history(*(trial(n, 0.5 + n / 1000, 10.0 + n / 10) for n in range(100)))

    shown = shown_front(long)

    assert MOST_CARDS <= len(shown) <= MOST_CARDS + 1
    assert (shown[0].number, shown[-1].number) == (99, 0)
    assert len({each.number for each in shown}) == len(shown)


@pytest.mark.parametrize("count", range(25, 60, 5))
def test_the_knee_is_shown_however_long_the_front_is(count: int) -> None:
    bent = history(*(trial(n, 0.7 - 1 / (n + 5), 10.0 + n / 4) for n in range(count)))

    picks = content(bent, Extras())["picks"]

    assert sorted(role for each in picks for role in each["roles"]) == ["best", "fastest", "knee"]


def test_the_axis_has_ticks_where_refused_trials_lie() -> None:
    shown = front_chart(history(trial(0, 0.7, 20.0), refused=(refused(1, 400.0),)), {})

    assert shown["layout"]["xaxis"]["type"] == "log"
    assert max(shown["layout"]["xaxis"]["tickvals"]) > 250


def test_an_axis_of_a_target_alone_has_ticks() -> None:
    assert len(latency_axis([40.0])["tickvals"]) >= 3


def test_a_baseline_that_was_trained_for_longer_is_said_so() -> None:
    longer = study(study="seed")
    complete = tuple(
        dataclasses.replace(
            each,
            network=dataclasses.replace(
                each.network, training=dataclasses.replace(each.network.training, steps=900)
            ),
        )
        for each in longer.complete
    )

    alike = content(study(), Extras(baseline=study(study="seed")))["baseline"]
    told = content(study(), Extras(baseline=dataclasses.replace(longer, complete=complete)))

    assert alike["trained"] == "The baseline was trained as long as this study, 2 steps."
    assert (
        told["baseline"]["trained"] == "The baseline was trained for 900 steps, this study for 2."
    )


def test_a_baseline_is_a_table_in_which_its_study_is_named() -> None:
    told = content(study(), Extras(baseline=study(study="the <seed>")))
    page = " ".join(render("index.html.j2", told).split())

    first, *_ = told["baseline"]["rows"]
    assert (first["theirs"].trial, first["as_good"].trial) == (1, 1)
    assert (first["difference"], first["speed"]) == (
        "+0.0 points (fewer than 5 clips give no confidence interval)",
        "1.0 times as fast",
    )
    assert "the &lt;seed&gt;, trial 1: 224 px" in page
    assert told["names"] == ["davis", "the <seed>"]
    assert told["commands"][1] == (
        f"jejunet-nas export 'the <seed>' --trial {TRIAL} --out 'the <seed>-{TRIAL}'"
    )


def test_a_command_is_completed_where_the_script_expects_the_number() -> None:
    assert f'replaceAll("{TRIAL}", known.number)' in _read("page.js")


def test_late_frames_without_a_dropped_one_are_explained() -> None:
    late, lost = trial(0, 0.7, 39.0).latency, trial(1, 0.7, 39.0, dropped=0.2).latency

    assert in_time(trial(2, 0.7, 20.0).latency, 40.0) == "Every frame takes less than 40.0 ms."
    assert in_time(late, 40.0).endswith("and faster ones catch up: none is lost.")
    assert in_time(lost, 40.0).endswith("replaces the frame in the buffer, which is dropped.")


def test_a_pick_says_how_far_it_is_from_the_best_and_how_sure() -> None:
    best, fastest = content(study(), Extras())["picks"]

    assert best["beside_best"] == ""
    assert fastest["beside_best"].startswith("Against trial 0: ")
    assert "points (fewer than 5 clips give no confidence interval)" in fastest["beside_best"]
    assert fastest["interval"] is None


@given(ms=st.floats(0.01, 500.0), miou=st.floats(0.0, 1.0))
def test_a_tooltip_and_a_card_have_the_same_figures(ms: float, miou: float) -> None:
    study = history(trial(0, miou, ms, dropped=0.123456))
    columns = trial_columns(study)

    made = card(study.complete[0], study, interval=None, pictures=None, study="s", annotations={})

    for name, shown in (
        ("fps", _number(made["sustained_fps"])),
        ("ms", _number(made["mean_ms"])),
        ("worst", _number(made["worst_ms"])),
        ("dropped", _number(made["dropped_frames_pct"])),
        ("miou", per_cent(made["miou"])),
        ("own", per_cent(made["own_frame_miou"])),
    ):
        assert f"{columns[name][0]:,.1f}" == shown, name


@given(value=st.floats(-1.0, 0.0), digits=st.integers(0, 2))
def test_nothing_is_minus_zero(value: float, digits: int) -> None:
    for shown in (_number(value, digits), per_cent(value, digits)):
        assert shown[0] != "-" or float(shown) < 0


def test_every_link_of_a_page_leads_somewhere(tmp_path: Path) -> None:
    extras = Extras(baseline=study(study="seed"))

    page = write_report(study(), tmp_path, extras).read_text(encoding="utf-8")

    links = set(re.findall(r'href="([^"]+)"', page))
    assert {"#take", "#baseline", "#front", "#glossary", "trials.csv", "summary.json"} <= links
    for link in links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in page, link
        else:
            assert (tmp_path / link).is_file(), link


def test_notation_is_explained_for_the_network_at_hand() -> None:
    words = network_meaning(trial(0, 0.7, 20.0).architecture.network)
    reused = Policy(keyframe_interval=4, between_keyframes="reuse")
    gated = Policy(keyframe_interval=4, reuse_below=0.05, asynchronous=True)

    assert words == (
        "MobileNetV2 with depth multiplier 0.5, blocks 0 to 12, output stride 16; a decoder of 48 "
        "channels with the thin detail branch, masks at 1/8 of the input; input 224 px."
    )
    assert policy_meaning(Policy(keyframe_interval=1)) == "The whole network runs on every frame."
    assert policy_meaning(reused).endswith("Other frames show its last mask again.")
    assert "at least every 4 frames, on a second core." in policy_meaning(gated)
    assert policy_meaning(gated).endswith("Where a gate sees little change, the old mask is shown.")
    refreshed = Policy(keyframe_interval=4, between_keyframes="warp", refresh_above=0.25)
    assert "the features of that keyframe, moved with the picture." in policy_meaning(refreshed)
    assert policy_meaning(refreshed).endswith("much change, a new keyframe begins.")
    ahead = dataclasses.replace(refreshed, ahead=True)
    assert policy_meaning(ahead).endswith("moved on, as the next frame is expected to look.")


def test_a_class_has_the_colour_of_its_masks() -> None:
    (made,) = content(history(trial(0, 0.7, 20.0)), Extras())["cards"]

    background, thing = (colour for _, _, colour in made["classes"])
    assert thing == "rgb(255, 106, 26)"
    assert background.startswith("#")  # muted in pictures


def test_there_is_no_half_network_on_an_axis() -> None:
    few = content(study(), Extras())["charts"]["progress"]["layout"]["xaxis"]
    many = content(history(*many_trials(40, seed=0)), Extras())["charts"]["progress"]["layout"]

    assert (few["dtick"], few["tickformat"]) == (1, "d")
    assert "dtick" not in many["xaxis"]


def test_every_study_of_a_comparison_has_a_colour_of_its_own() -> None:
    script = _read("page.js")

    for palette in re.findall(r"(?:light|dark): \{(.*?)\}", script, re.DOTALL):
        colours = dict(re.findall(r'(\w+): "(#\w+)"', palette))
        assert len({colours[role] for role in ROLES}) == len(ROLES)


def test_the_only_trial_of_a_front_is_its_best_and_no_knee() -> None:
    told = content(history(trial(4, 0.7, 20.0)), Extras())

    assert [pick["roles"] for pick in told["picks"]] == [["best"]]
    assert "Knee: the bend" not in render("index.html.j2", told)


def test_int8_minus_float_is_rounded_alike_on_the_card_and_in_the_table() -> None:
    made = trial(0, 0.7, 20.0)
    network = dataclasses.replace(made.network, float_miou=0.7003, int8_miou=0.7)

    page = render(
        "index.html.j2",
        content(history(dataclasses.replace(made, network=network)), Extras()),
    )

    assert "<td>-0.03" in page
    assert "<dd>-0.03<small>points" in page


def test_pictures_say_clip_frame_path_and_score() -> None:
    pictures = TrialPictures(frames=(PICTURE,), jpegs=(b"jpeg",), annotations=(b"known",))

    page = render("index.html.j2", content(study(), Extras(pictures={0: pictures, 1: pictures})))

    assert f"data:image/jpeg;base64,{base64.b64encode(b'jpeg').decode()}" in page
    assert "frame 7, key; clip 50.0 % mIoU" in page
    assert "<script>window" not in page
    known = f"data:image/jpeg;base64,{base64.b64encode(b'known').decode()}"
    assert page.count(known) == 1  # trials have annotations in common
    assert page.count('class="annotation annotation-0"') == 2


def test_names_that_are_scripts_are_text_in_the_page() -> None:
    page = render("index.html.j2", content(hostile_study(), Extras(no_pictures=HOSTILE)))

    assert "<script>window" not in page
    assert "&lt;script&gt;window.hurt" in page


def test_failures_are_counted_by_reason() -> None:
    failed = tuple(
        FailedTrial(number=10 + n, architecture=None, reason="out of\nmemory" if n else "NaN")
        for n in range(8)
    )

    told = content(history(trial(0, 0.7, 20.0), failed=failed), Extras())

    assert told["failures"] == [
        ("out of memory", [f"{number}" for number in range(11, 18)]),
        ("NaN", ["10"]),
    ]


def test_trials_stand_in_columns_by_number() -> None:
    columns = trial_columns(study())

    assert columns["number"] == [0, 1, 2, 3, 4, 5]
    assert columns["state"] == [
        *("front", "front", "dominated", "over target", "refused", "refused")
    ]
    assert columns["miou"] == [70.0, 60.0, 55.0, 80.0, None, None]
    assert columns["ms"] == [32.0, 10.0, 20.0, 90.0, 120.0, 80.0]
    assert columns["d:keyframe_interval"] == ["1", "4", "1", "1", "1", "1"]


def test_slices_are_of_dimensions_that_differ() -> None:
    assert slice_dimensions(trial_columns(study())) == ["keyframe_interval"]


@pytest.mark.parametrize("latencies", [[30.0, 42.0], [8.0, 42.0, 200.0], [3.0, 500.0]])
def test_ticks_stand_apart_and_among_the_trials(latencies: list[float]) -> None:
    ticks = latency_axis(latencies)["tickvals"]

    assert ticks == sorted(set(ticks))
    assert len(ticks) <= 13
    assert all(0.5 * min(latencies) < tick < 2 * max(latencies) for tick in ticks)


def test_ticks_are_in_ms_and_in_frames_a_second() -> None:
    ticks = latency_axis([0.5, 41.7])["ticktext"]

    assert {"0.5<br>2,000 fps", "10<br>100 fps", "20<br>50 fps"} <= {*ticks}


def test_published_results_of_the_studys_data_set_and_phone_are_in_the_chart() -> None:
    voc = dataclasses.replace(study(device="Google Pixel 2"), dataset="voc2012")

    (published,) = published_traces(voc)

    assert published["visible"] == "legendonly"
    assert published["name"] == "published: Google Pixel 2, 1 thread"
    assert published["text"][2] == "JejuNet 192 px"  # best mIoU first
    assert (published["y"][2], published["x"][2]) == (pytest.approx(57.13), 61.8)
    assert len(published["x"]) == 5  # three more have no latency


@pytest.mark.parametrize(
    "changes",
    [{"dataset": "davis"}, {"dataset": "camvid"}, {"device": "Pixel 6"}, {"threads": 4}],
)
def test_results_on_other_data_or_hardware_are_not_in_the_chart(changes: dict[str, Any]) -> None:
    voc = dataclasses.replace(study(device="Google Pixel 2"), dataset="voc2012")

    assert published_traces(dataclasses.replace(voc, **changes)) == []


def published_traces(shown: StudyHistory) -> list[dict[str, Any]]:
    return [each for each in front_chart(shown, {})["data"] if each["meta"]["role"] == "published"]


def test_plotly_knows_all_that_charts_say() -> None:
    from plotly.graph_objects import Figure

    extras = Extras(importances={"mIoU": {"detail": 1.0}}, baseline=study(study="seed"))
    charts = content(study(), extras)["charts"]

    for name, made in charts.items():
        assert made is not None, name
        # A wrong attribute or value is refused.
        assert len(Figure(made).data) == len(made["data"]) >= 1, name


def test_a_best_by_the_mean_of_its_trainings_is_shown_first_though_behind_the_front() -> None:
    lucky, steady = network(0, [0.70] * 4, mean_ms=20.0), network(1, [0.69] * 4, mean_ms=30.0)
    repeats = {0: [again(lucky, 1, [0.6] * 4)], 1: [again(steady, 1, [0.69] * 4)]}

    study = history(lucky, steady, class_names=("object",))
    found = content(dataclasses.replace(study, repeats=repeats), Extras())

    assert [card["number"] for card in found["picks"]] == [1, 0]
