"""A study among published results: which figures of it, and in what the others differ."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from jejunet_nas.records import DataFacts, StudyHistory, TrialResult
from jejunet_nas.reporting.beside_published import ComparedRow, compared_rows
from jejunet_nas.reporting.markdown import page
from jejunet_nas.reporting.report import plain_report, write_report
from jejunet_nas.reporting.site.content import Extras, content
from jejunet_nas.reporting.site.render import render
from jejunet_nas.scoring.every_frame import own_frame_every_frame
from tests.reporting.build import history, trial
from tests.reporting.site.studies import hostile_study

MACS = {"key": 400_000_000, "propagate": 100_000_000, "gate": 8_000_000}


def of_camvid(*trials: TrialResult, **changes: Any) -> StudyHistory:
    made = history(*trials, device="Google Pixel 2")
    return dataclasses.replace(made, **{"dataset": "camvid"} | changes)


def with_macs(found: TrialResult) -> TrialResult:
    graphs = {
        name: dataclasses.replace(graph, macs=MACS[name])
        for name, graph in found.network.graphs.items()
    }
    return dataclasses.replace(found, network=dataclasses.replace(found.network, graphs=graphs))


def under(found: TrialResult, **policy: Any) -> TrialResult:
    """Return `found` with another policy; its walks stay."""
    architecture = found.architecture
    changed = dataclasses.replace(architecture.policy, **policy)
    return dataclasses.replace(
        found, architecture=dataclasses.replace(architecture, policy=changed)
    )


def ours(study: StudyHistory) -> list[ComparedRow]:
    return [row for row in compared_rows(study) if row.trial is not None]


def theirs(study: StudyHistory) -> dict[str, ComparedRow]:
    return {row.name: row for row in compared_rows(study) if row.trial is None}


def test_rows_are_ordered_by_miou_with_the_pick_among_them() -> None:
    rows = compared_rows(of_camvid(trial(0, 0.60, 30.0)))

    assert len(rows) == 8
    assert [row.miou for row in rows] == sorted((row.miou for row in rows), reverse=True)
    assert rows[4].name == "trial 0, every frame a keyframe"
    assert rows[4].miou == pytest.approx(0.61)  # own-frame, not the screen's 0.60


def test_a_pick_with_a_video_policy_stands_there_with_and_without_it() -> None:
    study = of_camvid(with_macs(trial(3, 0.60, 12.0, interval=4)))

    policy, every = sorted(ours(study), key=lambda row: row.name, reverse=True)

    assert every.name == "trial 3, every frame a keyframe"
    assert (every.miou, every.latency_ms, every.gmacs) == (pytest.approx(0.605), 20.0, 0.4)
    assert policy.name == "trial 3, key every 4, propagate"
    assert (policy.miou, policy.latency_ms) == (pytest.approx(0.61), 12.0)
    assert policy.gmacs == pytest.approx((0.4 + 3 * 0.1) / 4)
    assert every.latency == policy.latency == "predicted for Google Pixel 2, 1 thread"


def test_frames_on_which_the_gate_runs_cost_it_too() -> None:
    found = with_macs(trial(0, 0.6, 12.0, interval=4))
    walks = tuple(dataclasses.replace(walk, letters="kPR-") for walk in found.walks)
    streamed = dataclasses.replace(found.on_prediction, walks=walks)

    rows = ours(of_camvid(dataclasses.replace(found, on_prediction=streamed)))

    assert rows[0].gmacs == pytest.approx((0.4 + 0.1 + 2 * 0.008) / 3)


def test_keyframes_in_the_background_leave_the_macs_of_a_frame_open() -> None:
    found = under(with_macs(trial(0, 0.6, 12.0, interval=4)), asynchronous=True)

    assert {row.gmacs for row in ours(of_camvid(found))} == {0.4, None}


def test_the_figure_comes_from_the_trial_that_runs_the_network_on_every_frame() -> None:
    video, whole = trial(0, 0.6, 12.0, interval=4), trial(1, 0.5, 30.0)
    same = dataclasses.replace(whole, network=video.network)

    found = own_frame_every_frame(video, history(video, same))

    assert (found.miou, found.frames, found.annotated) == (pytest.approx(0.51), 2, 2)


def test_else_it_comes_from_the_check_of_the_graphs_and_names_its_frames() -> None:
    video = trial(0, 0.6, 12.0, interval=4)
    (clip,) = video.own_frame_score.clips
    score = dataclasses.replace(
        video.own_frame_score, clips=(dataclasses.replace(clip, frames=101),)
    )
    video = dataclasses.replace(video, own_frame_score=score)

    found = own_frame_every_frame(video, history(video))
    every = next(row for row in ours(of_camvid(video)) if "every frame" in row.name)

    assert (found.miou, found.frames, found.annotated) == (video.int8_miou, 64, 101)
    assert every.scored_with == "val split, 64 of 101 frames, 224 px, int8"


def test_the_best_network_without_a_video_policy_is_there_too_once() -> None:
    video, whole = trial(0, 0.6, 12.0, interval=4), trial(1, 0.5, 30.0)

    names = {row.name for row in ours(of_camvid(video, whole))}

    assert names == {
        "trial 0, every frame a keyframe",
        "trial 0, key every 4, propagate",
        "trial 1, every frame a keyframe",
    }
    assert len(ours(of_camvid(whole))) == 1


def test_a_row_says_in_few_words_what_is_unlike_the_pick() -> None:
    row = theirs(of_camvid(with_macs(trial(0, 0.6, 30.0))))["FC-HarDNet68"]

    assert row.scored_with == "test split, 360x480 px, float32"
    assert row.latency == "measured on NVIDIA TITAN V (GPU)"
    assert row.unlike == (
        "test split; 3.4 times the pixels; float32; 38 times the MACs; other hardware"
    )


def test_what_is_alike_is_not_named_and_photos_are_no_pans() -> None:
    voc = of_camvid(with_macs(trial(0, 0.6, 30.0)), dataset="voc2012", threads=2)
    pans = dataclasses.replace(voc, data=DataFacts(photos=9))

    assert theirs(voc)["JejuNet 256 px"].unlike == (
        "split not named; 1.3 times the pixels; 1.6 times the MACs; 1 thread"
    )
    assert "; photos, not simulated pans; " in theirs(pans)["JejuNet 256 px"].unlike
    assert theirs(voc)["JejuNet 300 px"].latency == "-"


def test_a_network_that_is_too_slow_on_every_frame_says_so() -> None:
    study = of_camvid(trial(0, 0.6, 12.0, interval=4), target_fps=60.0)

    assert {row.name: row.unlike for row in ours(study)} == {
        "trial 0, every frame a keyframe": "too slow for 60 fps",
        "trial 0, key every 4, propagate": "",
    }


@pytest.mark.parametrize(
    "study",
    [of_camvid(trial(0, 0.6, 30.0), dataset="davis"), of_camvid(trial(0, 0.6, 90.0)), of_camvid()],
    ids=["nothing published", "too slow", "no trial"],
)
def test_where_there_is_nothing_to_compare_there_is_no_section(study: StudyHistory) -> None:
    assert "published" not in page(study, "front.png").lower()
    assert "Beside published results" not in render("index.html.j2", content(study, Extras()))
    assert plain_report(study)["published"] == []


def test_all_files_of_a_report_hold_the_comparison(tmp_path: Path) -> None:
    write_report(of_camvid(trial(0, 0.6, 12.0, interval=4)), tmp_path)

    text = (tmp_path / "report.md").read_text()
    rows = json.loads((tmp_path / "summary.json").read_text())["published"]
    html = (tmp_path / "index.html").read_text()

    assert (
        "| model | mIoU % | GMACs | ms a frame | latency | scored with | unlike trial 0 |" in text
    )
    assert "| **trial 0, key every 4, propagate** | **61.0** |" in text
    assert "| FC-HarDNet84 | 67.7 | 100 | 28.8 |" in text
    assert "trained for 2 steps" in text
    assert "Source: Chao et al., HarDNet" in text
    assert (rows[0]["trial"], rows[0]["name"]) == (None, "FC-HarDNet84")
    assert {row["miou"] for row in rows} >= {0.677, 0.464}
    assert '<a href="#published">Published</a>' in html
    assert '<a href="#trial-0">trial 0, every frame a keyframe</a>' in html


def test_names_from_outside_stay_text_in_the_comparison() -> None:
    study = dataclasses.replace(hostile_study(), dataset="camvid")

    html, text = render("index.html.j2", content(study, Extras())), page(study, "front.png")
    section = text.partition("## Beside published results\n")[2].partition("\n## ")[0]

    assert 'id="published"' in html
    assert "<script>window" not in html
    assert "measured on \\<script" in section
    assert "<script>" not in section.replace("\\<", "")
