"""What a report says of the validation clips: which are videos, and what their scores are worth."""

import dataclasses
import json

import pytest

from jejunet_nas.records import DataFacts, StudyHistory, VideoFacts
from jejunet_nas.reporting.markdown import page
from jejunet_nas.reporting.notes import reasons, study_note
from jejunet_nas.reporting.site.content import Extras, content
from jejunet_nas.reporting.site.render import render
from jejunet_nas.reporting.validation import data_notes
from jejunet_nas.study.tables import summary
from tests.reporting.build import history, trial
from tests.scoring.test_origins import clip, facts, of_clips

NINE_PANS = tuple(clip(f"pan{number}", 0.9) for number in range(9))
MIXED = of_clips(clip("ride", 0.4), *NINE_PANS)


def told(data: DataFacts) -> StudyHistory:
    return dataclasses.replace(history(MIXED), data=data)


def at(*fps: float, photos: int = 0) -> DataFacts:
    videos = tuple(
        VideoFacts(name=f"{number}", frames=4, annotated_frames=2, fps=rate)
        for number, rate in enumerate(fps)
    )
    return dataclasses.replace(facts(photos=photos), videos=videos)


def test_the_report_says_which_clips_are_video_and_scores_them_apart() -> None:
    text = page(told(facts("ride", photos=9)), "front.png")

    assert "\n## Validation clips\n" in text
    assert (
        "- 10 validation clips: 1 of video (4 frames, 2 annotated), 9 simulated pans over photos "
        "(72 frames)." in text
    )
    assert "| trial | mIoU % | on video % | 95 % | on pans % | 95 % |" in text
    assert "| 0 | 70.0 | 40.0 | - | 90.0 | 90.0 to 90.0 |" in text
    assert "1 video alone: fewer than 5 clips give no confidence interval." in text


def test_the_answer_says_what_the_best_trial_scores_on_video() -> None:
    said = reasons(told(facts("ride", photos=9)))

    assert said[-1] == (
        "Of 10 validation clips 1 is video and 9 are simulated pans over photos: trial 0 has "
        "40.0 % mIoU (fewer than 5 clips give no confidence interval) on video and 90.0 % mIoU "
        "(95 %: 90.0 to 90.0) on pans."
    )


def test_where_all_are_pans_policies_are_judged_on_simulated_motion() -> None:
    study = told(facts(photos=10))

    assert "video policies are judged on simulated motion alone" in reasons(study)[-1]
    assert "on video %" not in page(study, "front.png")


@pytest.mark.parametrize("data", [DataFacts(), facts("ride", photos=0)])
def test_where_all_are_video_or_nothing_is_known_nothing_is_told_apart(data: DataFacts) -> None:
    text = page(told(data), "front.png")

    assert "pan" not in text
    assert ("## Validation clips" in text) == bool(data.videos)
    assert "by_origin" not in summary(told(data))["front"][0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (at(15.0), "but the videos were recorded at 15 fps: from one frame to the next more "),
        (at(10.0, 12.5, 12.5), "the videos were recorded at 10 to 12.5 fps: from one frame to the"),
        (at(50.0), "recorded at 50 fps: from one frame to the next less changes than on the phone"),
        (at(15.0, 50.0), "from one frame to the next more or less changes"),
        (
            at(25.0, photos=2),
            "the videos were recorded at 25 fps and the pans are made for 24 fps: from one frame "
            "to the next more changes",
        ),
    ],
)
def test_another_frame_rate_than_the_target_is_said_once(data: DataFacts, said: str) -> None:
    text = page(told(data), "front.png")

    assert text.count("Each frame of a clip counts as one camera frame at 25 fps, but ") == 1
    assert said in text


@pytest.mark.parametrize("fps", [25.0, 24.975])
def test_clips_at_the_targets_rate_need_no_word(fps: float) -> None:
    assert "counts as one camera frame" not in page(told(at(fps)), "front.png")


def test_the_searchs_warnings_are_notes_of_report_page_and_dashboard_as_text() -> None:
    warning = "no mask of val has <b>dog</b>: the mIoU is that of the other classes"
    study = told(dataclasses.replace(facts("ride", photos=9), warnings=(warning,)))

    assert data_notes(study)[-1] == f"N{warning[1:]}."
    assert r"- No mask of val has \<b\>dog\</b\>: the" in page(study, "front.png")
    assert r"has \<b\>dog\</b\>: the mIoU" in study_note(study)
    made = render("index.html.j2", content(study, Extras()))
    assert "<li>No mask of val has &lt;b&gt;dog&lt;/b&gt;" in made


def test_the_summary_has_the_clips_and_both_scores_for_programs() -> None:
    plain = json.loads(json.dumps(summary(told(facts("ride", photos=9)))))

    assert plain["data"]["photos"] == 9
    video, pans = plain["front"][0]["by_origin"]
    assert (video["origin"], video["miou"], video["interval"]) == ("video", 0.4, None)
    assert pans["interval"] == {"low": 0.9, "high": 0.9}


def test_a_front_without_a_trial_needs_no_table() -> None:
    study = dataclasses.replace(history(trial(0, 0.7, 90.0)), data=facts("ride", photos=1))

    assert "| on video % |" not in page(study, "front.png")
