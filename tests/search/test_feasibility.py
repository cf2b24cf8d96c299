"""How much of a space can meet the target, and what would have to change where nothing can."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jejunet_nas.latency.predicted_meter import Factor, load_profile
from jejunet_nas.latency.stream import least_stream
from jejunet_nas.records import FeasibleRule
from jejunet_nas.scoring.ranking import RULES, over_target_ms
from jejunet_nas.search import feasibility as module
from jejunet_nas.search.feasibility import Aim, Feasibility, feasibility
from jejunet_nas.search.infeasible import (
    changes_that_suffice,
    highest_fps,
    infeasible_error,
    threads_that_suffice,
)
from jejunet_nas.space.architecture import Policy
from jejunet_nas.space.draw import draw
from jejunet_nas.space.search_space import POLICY_DIMENSIONS, Choice
from jejunet_nas.space.space_file import read_search_space

PIXEL_2 = load_profile("pixel2")
MOBILE_VIDEO = read_search_space(Path(__file__).parents[2] / "search_spaces" / "mobile_video.yaml")


def aim(target_fps: float, rule: FeasibleRule = "no_drops", **choices: Any) -> Aim:
    return Aim(
        space=dataclasses.replace(MOBILE_VIDEO, **choices),
        profile=PIXEL_2,
        classes=2,
        threads=1,
        target_fps=target_fps,
        rule=rule,
    )


def small(target_fps: float, rule: FeasibleRule = "no_drops", **choices: Any) -> Aim:
    """Aim with 8 networks of one width and one decoder."""
    few = {"depth_multiplier": (1.0,), "decoder_channels": (48,), "logit_stride": (8,)}
    few |= {"last_block": (12,), "detail": ("thin", "none"), "resolution": (128, 192, 256, 320)}
    return aim(target_fps, rule, **{**few, **choices})


def policies_one_by_one(aimed: Aim, *, detail: str) -> set[Policy]:
    """Return every policy of the space, all values of thresholds included."""
    choices = aimed.space.choices()
    fixed: dict[str, Choice] = {name: each[0] for name, each in choices.items()} | {
        "detail": detail
    }
    found = set()
    for each in itertools.product(*(choices[name] for name in POLICY_DIMENSIONS)):
        chosen = {**fixed, **dict(zip(POLICY_DIMENSIONS, each, strict=True))}
        if (chosen["asynchronous"], chosen["between_keyframes"]) != (True, "reuse"):
            found.add(draw(aimed.space, lambda name, _, c=chosen: c[name]).policy)
    return found


@pytest.mark.parametrize("rule", RULES)
def test_a_small_space_is_counted_as_a_whole_under_every_policy(rule: FeasibleRule) -> None:
    aimed = small(24, rule, asynchronous=(False, True))
    found = feasibility(aimed)

    meets: list[bool] = []
    for detail, side in itertools.product(aimed.space.detail, aimed.space.resolution):
        network = aimed.network({"detail": detail, "resolution": side})
        paths = aimed.paths(network)
        meets.append(
            any(
                over_target_ms(least_stream(p, paths, target_fps=24), rule, 24) <= 0
                for p in policies_one_by_one(aimed, detail=detail)
            )
        )
    assert found.whole
    assert (found.share.networks, found.share.meeting) == (8, sum(meets))


def test_a_sample_agrees_with_itself_and_about_with_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space: dict[str, Any] = {"last_block": (12,), "decoder_channels": (32, 96)}
    whole = feasibility(aim(24, **space))
    monkeypatch.setattr(module, "SAMPLE", 200)

    first, again = (feasibility(aim(24, **space), seed=3) for _ in range(2))

    assert whole.whole
    assert not first.whole
    assert first == again
    shares = [each.share.meeting / each.share.networks for each in (whole, first)]
    assert shares[0] < 1
    assert shares[1] == pytest.approx(shares[0], abs=0.1)  # 3 standard errors of 200 draws


def test_the_share_of_each_choice_adds_up_and_falls_with_the_resolution() -> None:
    found = feasibility(small(24))

    by_side = found.by_choice["resolution"]
    assert [*by_side] == [128, 192, 256, 320]
    assert sum(each.meeting for each in by_side.values()) == found.share.meeting
    keyframes = [each.every_frame for each in by_side.values()]
    assert keyframes == sorted(keyframes, key=lambda count: -(count or 0))
    assert keyframes[0] != keyframes[-1]


@pytest.mark.parametrize("seed", range(3))
def test_a_needle_that_no_draw_finds_is_found_downhill(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE", 20)
    sides = tuple(f"{height}x1024" for height in range(544, 1024, 32))

    found = feasibility(aim(700, depth_multiplier=(1.0, 0.1), resolution=(*sides, 64)), seed=seed)

    assert not found.share.meeting
    assert found.nearest.meets
    assert found.nearest.architecture.network.input_height == 64


def nothing_meets(aimed: Aim) -> Feasibility:
    found = feasibility(aimed)
    assert not found.share.meeting
    assert not found.nearest.meets
    return found


@pytest.mark.parametrize("rule", RULES)
@given(target_fps=st.floats(30, 1000))
def test_the_lower_target_that_is_proposed_is_met(rule: FeasibleRule, target_fps: float) -> None:
    aimed = small(target_fps, rule, resolution=(1024,), keyframe_interval=(1, 2))
    nearest = nothing_meets(aimed).nearest

    lower = highest_fps(aimed, nearest)

    assert lower is not None
    assert 0 < lower < target_fps
    assert dataclasses.replace(aimed, target_fps=lower).find(nearest.architecture.network).meets


def test_each_change_that_is_proposed_suffices_and_is_the_least() -> None:
    aimed = small(24, resolution=(256, 320), keyframe_interval=(1,), detail=("shared",))

    changes = dict(changes_that_suffice(aimed, nothing_meets(aimed).nearest))

    assert changes["resolution"] == 192  # 224 is not enough
    for name, choice in changes.items():
        more: Any = {name: (*aimed.space.choices()[name], choice)}
        space = dataclasses.replace(aimed.space, **more)
        assert feasibility(dataclasses.replace(aimed, space=space)).share.meeting, name
    space = dataclasses.replace(aimed.space, resolution=(224, 256, 320))
    assert not feasibility(dataclasses.replace(aimed, space=space)).share.meeting


def test_more_threads_are_proposed_where_they_suffice() -> None:
    aimed = small(24, resolution=(256,), keyframe_interval=(1,))
    nearest = nothing_meets(aimed).nearest

    threads = threads_that_suffice(aimed, nearest)

    assert threads in (2, 4)
    assert threads_that_suffice(dataclasses.replace(aimed, target_fps=1000), nearest) is None


@pytest.mark.parametrize(
    ("factors", "threads"), [({3: 0.01, 4: 0.02, 8: 0.01}, 4), ({3: 0.01, 8: 0.01}, None)]
)
def test_only_threads_that_a_study_may_have_are_proposed(
    factors: dict[int, float], threads: int | None
) -> None:
    aimed = small(24, resolution=(256,), keyframe_interval=(1,))
    known = {1: PIXEL_2.thread_factors[1]}
    known |= {n: Factor(factor=factor, rms_error=0.1) for n, factor in factors.items()}
    profile = dataclasses.replace(PIXEL_2, thread_factors=known)
    nearest = nothing_meets(aimed).nearest

    assert threads_that_suffice(dataclasses.replace(aimed, profile=profile), nearest) == threads


def test_a_target_that_no_study_may_have_is_not_proposed() -> None:
    slow = {1: Factor(factor=1000.0, rms_error=0.1)}
    aimed = small(24, resolution=(1024,), keyframe_interval=(1,))
    aimed = dataclasses.replace(aimed, profile=dataclasses.replace(PIXEL_2, thread_factors=slow))
    found = nothing_meets(aimed)

    assert highest_fps(aimed, found.nearest) is None
    assert "target_fps" not in str(infeasible_error("street", aimed, found)).split("a frame: ")[1]


def test_the_error_names_the_fastest_its_figure_and_the_changes() -> None:
    aimed = small(24, resolution=(512, 640), keyframe_interval=(1,))

    error = infeasible_error("street", aimed, nothing_meets(aimed))

    assert error.exit_code == 2
    assert str(error).startswith(
        "No network in the search space of street can meet 24 fps (41.7 ms a frame) without a "
        "dropped frame; the fastest (1 x blocks 0-12"
    )
    assert ", with the smallest resolution of the space, is predicted for Google Pixel" in str(
        error
    )
    assert "Lower target_fps to" in str(error)
    assert "\n" not in str(error)
