"""Rules that look at the frames are compared with fixed intervals that are no cheaper."""

import dataclasses
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jejunet_nas.errors import SettingError
from jejunet_nas.evaluation import network
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.evaluation.policies import compare_policies, luma_gate, policy_of_row
from jejunet_nas.latency.stream import stream_latency
from jejunet_nas.records import Clip, DataSplit, GraphName, PathLatencies
from jejunet_nas.records.rows import PolicyRow
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.graphs import NetworkGraphs
from jejunet_nas.video.results import ClipResults
from tests.builders import tiny_run
from tests.made_up import path_latencies
from tests.video.build import MadeUpGraphs, numbered_clip

FPS = 25.0
STEP = 2**-14  # a threshold's range is halved fourteen times
# The object comes at frame 5, in the midst of the second of four intervals of four frames.
COMES_AT_5 = (*[0] * 5, *[1] * 11)
RULES = ["gate", "gate, reuse below 0.1", "luma difference"]


SIXTY_TEN_ONE = path_latencies(60.0, 10.0, 1.0)
WITHOUT_GATE = path_latencies(60.0, 10.0, 0.0)


class Compared(NamedTuple):
    """The rows of one network, and the evaluation that they were made with."""

    rows: list[PolicyRow]
    evaluation: Evaluation

    def named(self, rule: str, between: str, interval: int) -> PolicyRow:
        """Return the last row of a rule beside a fixed interval: the one that may wait longest."""
        wanted = rule, between, interval
        return [r for r in self.rows if (r.rule, r.between, r.interval) == wanted][-1]

    def mean_ms(self, row: PolicyRow, threshold: float) -> float:
        """Return what the rule of `row` costs with another threshold."""
        policy = Policy(
            keyframe_interval=row.latest,
            between_keyframes=row.between,
            reuse_below=_lowest(row) or None,
            refresh_above=threshold,
        )
        free = row.rule == "luma difference"
        gate_of = {"gate_of": luma_gate} if free else {}
        latencies = WITHOUT_GATE if free else SIXTY_TEN_ONE
        walks = self.evaluation.walks(policy, latencies, target_fps=FPS, **gate_of)
        return stream_latency(walks, latencies, target_fps=FPS).mean_ms


def _lowest(row: PolicyRow) -> float:
    return 0.1 if row.rule == "gate, reuse below 0.1" else 0.0


@pytest.fixture(scope="module")
def tiny() -> Iterator[Compared]:
    """The tiny network on its own validation clips, of eight frames each."""
    with tempfile.TemporaryDirectory() as folder:
        graphs = tiny_run().graphs.items()
        files = {name: Path(shutil.copy(file, folder)) for name, file in graphs}
        evaluation = Evaluation(tiny_run().val, files)
        rows = compare_policies(evaluation, SIXTY_TEN_ONE, target_fps=FPS, intervals=(2, 4))
        yield Compared(rows, evaluation)


def _annotated(*values: int) -> Clip:
    """Return a clip of flat frames, each of which is its own annotation."""
    clip = numbered_clip(*values)
    return dataclasses.replace(clip, masks=np.array(clip.frames)[..., 0])


def _made_up(
    *clips: tuple[int, ...],
    latencies: PathLatencies = SIXTY_TEN_ONE,
    intervals: tuple[int, ...] = (4,),
) -> Compared:
    """Compare on clips of these values, with graphs that see a frame for what it is."""

    def graphs(files: Mapping[GraphName, Path]) -> NetworkGraphs:
        return MadeUpGraphs()

    val = DataSplit(
        dataset="made up",
        split="val",
        class_names=tuple(map(str, range(max(map(max, clips)) + 1))),
        clips=tuple(_annotated(*values) for values in clips),
        fingerprint="0",
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(network, "NetworkGraphs", graphs),
    ):
        (Path(folder) / "key.tflite").touch()
        evaluation = Evaluation(val, {"key": Path(folder) / "key.tflite"})
        rows = compare_policies(evaluation, latencies, target_fps=FPS, intervals=intervals)
    return Compared(rows, evaluation)


def test_rows_go_from_every_frame_over_each_interval_and_its_rules_to_the_background(
    tiny: Compared,
) -> None:
    found = [(row.interval, row.between, row.rule) for row in tiny.rows]
    found = [key for key, _ in itertools.groupby(found)]

    assert found == [
        (1, "propagate", "every frame"),
        *((2, "propagate", rule) for rule in ("every 2", *RULES)),
        *((2, "warp", rule) for rule in ("every 2", "gate", "luma difference")),
        *((2, "move", rule) for rule in ("every 2", "gate", "luma difference")),
        *((2, "reuse", rule) for rule in ("every 2", "gate", "luma difference")),
        *((4, "propagate", rule) for rule in ("every 4", *RULES)),
        *((4, "warp", rule) for rule in ("every 4", "gate", "luma difference")),
        *((4, "move", rule) for rule in ("every 4", "gate", "luma difference")),
        *((4, "reuse", rule) for rule in ("every 4", "gate", "luma difference")),
        (1, "propagate", "in the background, 2 frames each"),
        (1, "warp", "in the background, 2 frames each"),
        (1, "move", "in the background, 2 frames each"),
    ]


def test_no_rule_is_dearer_than_the_fixed_interval_above_it(tiny: Compared) -> None:
    looking = [row for row in tiny.rows if row.threshold is not None]

    assert len(looking) > 10  # some rules cannot be as cheap where they may wait hardly longer
    assert {(row.interval, row.latest) for row in looking} == {(2, 3), (2, 4), (4, 5), (4, 8)}
    for row in looking:
        fixed = tiny.named(f"every {row.interval}", row.between, row.interval)
        assert row.mean_ms <= fixed.mean_ms, row


def test_a_rule_costs_what_its_threshold_makes_it_cost(tiny: Compared) -> None:
    for row in tiny.rows:
        if row.threshold is not None:
            assert row.mean_ms == tiny.mean_ms(row, row.threshold), row


def test_a_slightly_lower_threshold_would_be_dearer_than_the_interval(tiny: Compared) -> None:
    held_back = 0
    for row in tiny.rows:
        if row.threshold is None or row.threshold - STEP <= _lowest(row):
            continue
        fixed = tiny.named(f"every {row.interval}", row.between, row.interval)
        assert tiny.mean_ms(row, row.threshold - STEP) > fixed.mean_ms, row
        held_back += 1

    assert held_back > 4


def test_thresholds_are_ratios_over_what_is_reused(tiny: Compared) -> None:
    for row in tiny.rows:
        if row.threshold is not None:
            assert _lowest(row) < row.threshold <= 1, row


def test_rows_are_numbered_and_the_number_finds_the_policy(tiny: Compared) -> None:
    assert [row.number for row in tiny.rows] == [*range(1, len(tiny.rows) + 1)]
    evaluation = tiny.evaluation
    rows = compare_policies(evaluation, SIXTY_TEN_ONE, target_fps=FPS)

    for row in rows[:: len(rows) // 8]:
        if row.policy is not None:
            found = policy_of_row(row.number, evaluation, SIXTY_TEN_ONE, target_fps=FPS)
            assert found == row.policy
    luma = next(row for row in rows if row.policy is None)
    with pytest.raises(
        SettingError, match=rf"^row is {luma.number}, the luma difference, .* is \d"
    ):
        policy_of_row(luma.number, evaluation, SIXTY_TEN_ONE, target_fps=FPS)
    with pytest.raises(
        SettingError, match=rf"row is 0; allowed: 1 to {len(rows)}\. The nearest is"
    ):
        policy_of_row(0, evaluation, SIXTY_TEN_ONE, target_fps=FPS)


def test_a_network_without_a_decoder_is_compared_without_propagating(tiny: Compared) -> None:
    rows = compare_policies(
        tiny.evaluation, SIXTY_TEN_ONE, target_fps=FPS, intervals=(2,), propagates=False
    )

    assert {row.between for row in rows[1:]} == {"move", "reuse"}
    assert not any(row.policy.propagates for row in rows if row.policy)
    assert [row.lag for row in rows] == [None] * (len(rows) - 1) + [2]


def test_without_the_latency_of_moving_masks_none_moves(tiny: Compared) -> None:
    before = dataclasses.replace(SIXTY_TEN_ONE, move=None)  # records of earlier versions

    rows = compare_policies(tiny.evaluation, before, target_fps=FPS, intervals=(2,))

    assert {row.between for row in rows} == {"propagate", "reuse"}


def test_a_row_is_worth_what_its_policy_scores_alone(tiny: Compared) -> None:
    row = tiny.named("gate, reuse below 0.1", "propagate", 2)
    policy = Policy(keyframe_interval=4, reuse_below=0.1, refresh_above=row.threshold)

    (alone,) = tiny.evaluation.score([policy], SIXTY_TEN_ONE, target_fps=FPS)

    assert row.miou == alone.streamed.score.miou
    assert (row.own_frame_miou, row.consistency) == (
        alone.own_frame.miou,
        alone.temporal.consistency,
    )
    assert row.dropped_frames == alone.streamed.latency.dropped_frames


@settings(max_examples=25)
@given(
    values=st.lists(st.integers(0, 20), min_size=2, max_size=20),
    gate_ms=st.floats(0.0, 20.0),
    interval=st.integers(2, 8),
)
def test_a_rule_is_as_dear_as_its_interval_allows_whatever_the_frames(
    values: list[int], gate_ms: float, interval: int
) -> None:
    assume(len(set(values)) > 1)

    found = _made_up(
        tuple(values), latencies=path_latencies(60, 10, gate_ms), intervals=(interval,)
    )

    for row in found.rows:
        if row.threshold is not None:
            fixed = found.named(f"every {interval}", row.between, interval)
            assert row.mean_ms <= fixed.mean_ms
            assert _lowest(row) < row.threshold <= 1
    assert [r.between for r in found.rows if r.rule == "luma difference"] == [
        between for between in ("propagate", "warp", "move", "reuse") for _ in range(2)
    ]


def test_the_luma_of_two_flat_frames_differs_by_their_value() -> None:
    gate = luma_gate(ClipResults(numbered_clip(10, 61), MadeUpGraphs()))

    assert gate(1, 0) == gate(0, 1) == pytest.approx(51 / 255)
    assert gate(1, 1) == 0


def test_luma_weighs_red_green_and_blue_as_television_does() -> None:
    black, red, green, blue = [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]
    clip = numbered_clip(0, 0, 0, 0)
    frames = np.broadcast_to(
        np.array([black, red, green, blue], np.uint8)[:, None, None], clip.frames.shape
    )
    gate = luma_gate(ClipResults(dataclasses.replace(clip, frames=frames), MadeUpGraphs()))

    assert [gate(t, 0) for t in (1, 2, 3)] == pytest.approx([0.299, 0.587, 0.114])


def test_differences_of_luma_count_whichever_way_they_go() -> None:
    clip = numbered_clip(100, 100)
    frames = np.array(clip.frames)
    frames[1, :, :8] = 200
    frames[1, :, 8:16] = 0  # as dark as the first third is bright

    gate = luma_gate(ClipResults(dataclasses.replace(clip, frames=frames), MadeUpGraphs()))

    assert gate(1, 0) == pytest.approx((100 + 100) / 255 / 3)


def test_a_rule_spends_its_keyframe_where_the_object_comes() -> None:
    found = _made_up(COMES_AT_5)

    # Fixed: keyframes at 0, 4, 8 and 12, so that the object is missed on frames 5 to 7. The rules:
    # at 0, at 5, and at 13, since none may be twice as late as fixed ones.
    fixed, gate, luma = (
        found.named(rule, "reuse", 4) for rule in ("every 4", "gate", "luma difference")
    )
    assert (fixed.mean_interval, gate.mean_interval, luma.mean_interval) == (4, 16 / 3, 16 / 3)
    assert fixed.own_frame_miou == pytest.approx((5 / 8 + 8 / 11) / 2)
    assert (gate.own_frame_miou, luma.own_frame_miou) == (1, 1)
    assert fixed.miou < gate.miou < 1  # on the screen the keyframe comes later


def test_the_gate_is_paid_for_and_the_luma_difference_is_free() -> None:
    found = _made_up(COMES_AT_5)

    fixed, gate, luma = (
        found.named(rule, "reuse", 4) for rule in ("every 4", "gate", "luma difference")
    )
    assert (fixed.mean_ms, fixed.worst_ms) == (4 * 60 / 16, 60)
    assert (gate.mean_ms, gate.worst_ms) == ((3 * 60 + 14) / 16, 61)
    assert (luma.mean_ms, luma.worst_ms) == (3 * 60 / 16, 60)


def test_a_gate_that_is_too_dear_is_left_out_and_luma_is_not() -> None:
    found = _made_up(COMES_AT_5, latencies=path_latencies(60, 10, 60))

    rules = [(row.between, row.rule) for row in found.rows[1:-3]]
    assert [key for key, _ in itertools.groupby(rules)] == [
        ("propagate", "every 4"),
        ("propagate", "luma difference"),
        ("warp", "every 4"),
        ("warp", "luma difference"),
        ("move", "every 4"),
        ("move", "luma difference"),
        ("reuse", "every 4"),
        ("reuse", "luma difference"),
    ]


def test_in_the_background_no_frame_but_the_first_waits() -> None:
    found = _made_up(COMES_AT_5).rows

    assert (found[-1].rule, found[-1].lag) == ("in the background, 2 frames each", 2)
    assert (found[-1].mean_ms, found[-1].worst_ms, found[-1].mean_interval) == (10, 10, 2)
    assert [row.between for row in found[-3:]] == ["propagate", "warp", "move"]
    assert {row.lag for row in found[:-3]} == {None}


def test_a_keyframe_that_takes_one_frame_in_the_background_is_told_in_the_singular() -> None:
    last = _made_up(COMES_AT_5, latencies=path_latencies(40, 10, 1)).rows[-1]

    assert (last.rule, last.lag, last.mean_interval) == ("in the background, 1 frame each", 1, 1)


def test_every_frame_runs_the_whole_network() -> None:
    first = _made_up(COMES_AT_5).rows[0]

    assert (first.mean_ms, first.worst_ms, first.mean_interval) == (60, 60, 1)
    assert (first.own_frame_miou, first.consistency, first.threshold) == (1, 1, None)
    assert first.miou < 1  # the screen shows what was
    assert first.dropped_frames == 0.25


def test_progress_names_each_rule_and_its_interval() -> None:
    told: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        graphs = tiny_run().graphs.items()
        files = {name: Path(shutil.copy(file, folder)) for name, file in graphs}
        compare_policies(
            Evaluation(tiny_run().val, files),
            path_latencies(60, 10, 100),
            target_fps=FPS,
            intervals=(4,),
            say=told.append,
        )

    rules = [
        f"{rule}, at the latency of interval 4" for rule in ("fixed interval", "luma difference")
    ]
    found = [what for what, _ in itertools.groupby(told)]
    assert found == [*rules * 4, "keyframes in the background"]
