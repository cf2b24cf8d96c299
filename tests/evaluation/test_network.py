"""Scores of many policies at once are those of each, run plainly and scored alone."""

import dataclasses
import gc
import itertools
import shutil
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from jejunet_nas.evaluation import network
from jejunet_nas.evaluation.network import Evaluation
from jejunet_nas.records import Clip, DataSplit, GraphName
from jejunet_nas.records.scores import ClipTemporal, Score, TemporalScore
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.boundary import region_and_boundary
from jejunet_nas.scoring.halves import STRETCHES
from jejunet_nas.scoring.score import combine
from jejunet_nas.scoring.temporal import clip_temporal, combine_temporal, flicker, object_classes
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.graphs import Mask, NetworkGraphs
from jejunet_nas.video.policy import Gate
from jejunet_nas.video.results import ClipResults
from tests.builders import tiny_run
from tests.made_up import path_latencies
from tests.scoring.whole_clips import score_clip
from tests.video.build import CountedGraphs
from tests.video.plain import run_plainly

FPS = 25.0
LAG = 2  # frames of 40 ms that a keyframe of 60 ms takes
LATENCIES, INSTANT = path_latencies(60.0, 10.0, 1.0), path_latencies(0.0, 0.0, 0.0)
POLICIES = (
    Policy(keyframe_interval=1),
    Policy(keyframe_interval=3),
    Policy(keyframe_interval=4, between_keyframes="reuse"),
    Policy(keyframe_interval=8, reuse_below=0.1, refresh_above=0.3),
    Policy(keyframe_interval=8, between_keyframes="reuse", refresh_above=0.2),
    Policy(keyframe_interval=1, asynchronous=True),
    Policy(keyframe_interval=3, asynchronous=True),
    Policy(keyframe_interval=4, reuse_below=0.1, refresh_above=0.3, asynchronous=True),
)


@pytest.fixture
def val() -> DataSplit:
    """Two clips, of the first of which only some frames are annotated."""
    first, second = tiny_run().val.clips
    known = np.arange(len(first)) % 3 == 1
    some = dataclasses.replace(first, annotated=known)
    return dataclasses.replace(tiny_run().val, clips=(some, second))


@pytest.fixture
def files(tmp_path: Path) -> dict[GraphName, Path]:
    """The graphs in a folder where nothing else is."""
    graphs = tiny_run().graphs.items()
    return {name: Path(shutil.copy(file, tmp_path / file.name)) for name, file in graphs}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each graph has run."""
    counted: Counter[str] = Counter()

    def count(files: Mapping[GraphName, Path]) -> CountedGraphs:
        graphs = CountedGraphs(NetworkGraphs(files))
        graphs.runs = counted
        return graphs

    monkeypatch.setattr(network, "NetworkGraphs", count)
    return counted


def temporal_plainly(
    clip: Clip, masks: Sequence[Mask], ages: Sequence[int], objects: Sequence[int]
) -> ClipTemporal:
    """Score the annotated frames one after the other, and each of them against the last."""
    times = np.flatnonzero(clip.annotated)
    shown = [(clip.masks[t], resize_mask(masks[t], *clip.masks[t].shape)) for t in times]
    return clip_temporal(
        clip.name,
        [region_and_boundary(annotation, mask, objects) for annotation, mask in shown],
        [flicker(a, b, a_mask, b_mask) for (a, a_mask), (b, b_mask) in itertools.pairwise(shown)],
        ages,
        len(objects),
    )


def score_plainly(val: DataSplit, policy: Policy) -> tuple[Score, TemporalScore]:
    """Score what a plain run makes of each frame with the functions that score one clip."""
    graphs, lag = NetworkGraphs(tiny_run().graphs), LAG if policy.asynchronous else None
    runs = [run_plainly(graphs, clip, policy, lag) for clip in val.clips]
    both = list(zip(val.clips, runs, strict=True))
    objects = object_classes(val.class_names)
    return (
        combine([score_clip(c, np.stack(r.masks), len(val.class_names)) for c, r in both]),
        combine_temporal([temporal_plainly(c, r.masks, r.ages, objects) for c, r in both]),
    )


def test_many_policies_at_once_score_as_each_does_when_it_is_run_plainly(
    val: DataSplit, files: dict[GraphName, Path]
) -> None:
    found = Evaluation(val, files).score(POLICIES, LATENCIES, target_fps=FPS)

    plainly = [score_plainly(val, policy) for policy in POLICIES]
    assert [(each.own_frame, each.temporal) for each in found] == plainly
    assert len({each.own_frame.miou for each in found}) > len(POLICIES) / 2


@pytest.mark.parametrize("policy", [POLICIES[3], POLICIES[7]], ids=["waits", "background"])
def test_a_policy_scored_alone_scores_as_among_others(
    val: DataSplit, files: dict[GraphName, Path], tmp_path: Path, policy: Policy
) -> None:
    among = Evaluation(val, files).score(POLICIES, LATENCIES, target_fps=FPS)[
        POLICIES.index(policy)
    ]
    next(tmp_path.glob("results-*")).unlink()

    assert Evaluation(val, files).score([policy], LATENCIES, target_fps=FPS) == [among]


def test_what_one_evaluation_found_the_next_one_takes_up(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    first = Evaluation(val, files).score(POLICIES, LATENCIES, target_fps=FPS)
    assert min(runs[graph] for graph in ("key", "propagate", "gate")) > 0
    runs.clear()

    again = Evaluation(val, files).score(POLICIES[::-1], LATENCIES, target_fps=FPS)

    assert again == first[::-1]
    assert not runs


def test_another_policy_runs_the_network_only_where_none_did(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    evaluation = Evaluation(val, files)
    evaluation.score([Policy(keyframe_interval=1)], INSTANT, target_fps=FPS)
    assert runs == {"key": sum(clip.annotated.sum() for clip in val.clips)}
    runs.clear()

    evaluation.score(
        [Policy(keyframe_interval=8, between_keyframes="reuse")], INSTANT, target_fps=FPS
    )

    assert runs == {"key": 1}  # the first frame of the clip that nobody annotated it in


def test_clips_that_changed_know_nothing_of_what_was_found_before(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    Evaluation(val, files).score([POLICIES[1]], LATENCIES, target_fps=FPS)
    before = runs.copy()

    changed = dataclasses.replace(val, fingerprint="another")
    Evaluation(changed, files).score([POLICIES[1]], LATENCIES, target_fps=FPS)

    assert runs == before + before


def test_graphs_that_changed_know_nothing_of_what_was_found_before(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    Evaluation(val, files).score([POLICIES[1]], LATENCIES, target_fps=FPS)
    before = runs.copy()

    files["gate"].write_bytes(files["gate"].read_bytes() + b"\0")
    Evaluation(val, files).score([POLICIES[1]], LATENCIES, target_fps=FPS)

    assert runs == before + before


def test_nothing_is_written_that_was_known(
    val: DataSplit, files: dict[GraphName, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = Evaluation(val, files)
    evaluation.score(POLICIES, LATENCIES, target_fps=FPS)
    monkeypatch.setattr(network, "write_results", pytest.fail)

    evaluation.score(POLICIES, LATENCIES, target_fps=FPS)
    Evaluation(val, files).score(POLICIES[:2], LATENCIES, target_fps=FPS)


def test_another_score_may_stand_in_the_gates_place(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    def every_third(results: ClipResults) -> Gate:
        assert len(results) == 8
        return lambda frame, keyframe: 1.0 if frame % 3 == 0 else 0.0

    evaluation = Evaluation(val, files)
    gated = Policy(keyframe_interval=8, refresh_above=0.5)
    (found,) = evaluation.score([gated], LATENCIES, target_fps=FPS, gate_of=every_third)
    (expected,) = evaluation.score([Policy(keyframe_interval=3)], LATENCIES, target_fps=FPS)

    assert (found.own_frame, found.temporal) == (expected.own_frame, expected.temporal)
    walks = found.streamed.walks
    assert [walk.letters for walk in walks] == ["kPPKPPKP"] * 2
    assert evaluation.walks(gated, LATENCIES, target_fps=FPS, gate_of=every_third) == walks
    assert "gate" not in runs


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_walks_of_a_policy_need_no_mask(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str], policy: Policy
) -> None:
    walks = Evaluation(val, files).walks(policy, LATENCIES, target_fps=FPS)

    assert not runs.keys() & {"key", "propagate"}
    (scored,) = Evaluation(val, files).score([policy], LATENCIES, target_fps=FPS)
    assert walks == scored.streamed.walks


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_a_network_that_takes_no_time_shows_each_frame_its_own_mask(
    val: DataSplit, files: dict[GraphName, Path], policy: Policy
) -> None:
    known = dataclasses.replace(val.clips[1], annotated=np.arange(8) > 0)  # not the first frame
    clips = dataclasses.replace(val, clips=(known,))

    (found,) = Evaluation(clips, files).score([policy], INSTANT, target_fps=FPS)

    assert found.streamed.score == found.own_frame
    assert found.streamed.latency.dropped_frames == 0


def test_a_policy_stands_beside_the_same_network_with_every_frame_a_keyframe(
    val: DataSplit, files: dict[GraphName, Path]
) -> None:
    evaluation = Evaluation(val, files)
    sparing, whole = evaluation.score(
        [POLICIES[1], Policy(keyframe_interval=1)], LATENCIES, target_fps=FPS
    )

    streamed = sparing.streamed
    assert streamed.every_frame_miou == whole.streamed.score.miou != streamed.score.miou
    assert streamed.every_frame_dropped == whole.streamed.latency.dropped_frames > 0
    assert evaluation.streams([POLICIES[1]], LATENCIES, target_fps=FPS) == [streamed]


def test_a_frame_that_no_mask_is_ready_for_is_wrong_in_every_pixel(
    val: DataSplit, files: dict[GraphName, Path]
) -> None:
    only = np.arange(8) == 1  # at 40 ms, when the first keyframe of 60 ms is not done
    clips = dataclasses.replace(val, clips=(dataclasses.replace(val.clips[1], annotated=only),))

    (found,) = Evaluation(clips, files).score([POLICIES[0]], LATENCIES, target_fps=FPS)

    (clip,) = found.streamed.score.clips
    assert (clip.intersection, clip.union) == ((0,) * len(val.class_names), clip.annotated)
    assert found.own_frame.miou > found.streamed.score.miou == 0


def test_a_single_picture_is_scored_with_its_own_mask(
    val: DataSplit, files: dict[GraphName, Path]
) -> None:
    clip = val.clips[1]
    still = dataclasses.replace(
        clip, frames=clip.frames[:1], masks=clip.masks[:1], annotated=np.array([True])
    )

    (found,) = Evaluation(dataclasses.replace(val, clips=(still,)), files).score(
        [POLICIES[0]], LATENCIES, target_fps=FPS
    )

    assert found.streamed.score == found.own_frame


def test_progress_is_told_by_frames(val: DataSplit, files: dict[GraphName, Path]) -> None:
    told: list[tuple[str, int, int]] = []

    Evaluation(val, files).score(
        POLICIES[:1], LATENCIES, target_fps=FPS, tell=lambda *news: told.append(news)
    )

    assert told == sorted(told)
    assert (told[0], told[-1]) == (("evaluate", 0, 16), ("evaluate", 16, 16))
    assert len({*told}) > 8  # frame by frame


def test_the_gate_is_judged_and_what_that_took_is_kept(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    judged = Evaluation(val, files).judge_gate(longest_age=3)
    runs.clear()

    assert Evaluation(val, files).judge_gate(longest_age=3) == judged
    assert not runs
    assert sum(each.pairs for each in judged.bins) > 24


@pytest.mark.parametrize("policy", POLICIES[1::3], ids=["waits", "reuses", "background"])
def test_what_is_shown_on_single_frames_is_that_of_a_plain_run(
    policy: Policy, val: DataSplit, files: dict[GraphName, Path]
) -> None:
    clip, lag = val.clips[1], LAG if policy.asynchronous else None
    run = run_plainly(NetworkGraphs(files), clip, policy, lag)

    shown = Evaluation(val, files).masks(clip.name, [6, 1, 4], policy, lag=LAG)

    assert [path for _, path in shown] == [run.paths[t] for t in (6, 1, 4)]
    for (mask, _), t in zip(shown, (6, 1, 4), strict=True):
        assert np.array_equal(mask, run.masks[t])


def test_an_evaluation_is_freed_without_a_garbage_collection(
    val: DataSplit, files: dict[GraphName, Path]
) -> None:
    evaluation = Evaluation(val, files)
    evaluation.score([POLICIES[1]], LATENCIES, target_fps=FPS)
    results = [weakref.ref(clip.results) for clip in evaluation._clips]

    gc.disable()
    try:
        del evaluation
        assert [each() for each in results] == [None, None]
    finally:
        gc.enable()


def test_pictures_at_the_size_of_annotations_are_freed_with_each_clip(
    val: DataSplit, files: dict[GraphName, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    enlarged: list[weakref.ref[Mask]] = []

    def resized(mask: Mask, *size: int) -> Mask:
        enlarged.append(weakref.ref(larger := resize_mask(mask, *size).copy()))
        return larger

    monkeypatch.setattr("jejunet_nas.evaluation.clip.resize_mask", resized)
    evaluation = Evaluation(val, files)
    evaluation.score(POLICIES, LATENCIES, target_fps=FPS)

    assert len(enlarged) > len(POLICIES)
    assert [each() for each in enlarged if each() is not None] == []


def test_the_parts_of_a_long_single_clip_add_up_to_it(
    val: DataSplit, files: dict[GraphName, Path]
) -> None:
    clip = val.clips[1]
    frames, masks = (
        np.tile(np.asarray(each), (8, 1, 1, 1)[: each.ndim])[:40]
        for each in (clip.frames[:], clip.masks[:])
    )
    long = dataclasses.replace(
        clip, frames=frames, masks=masks, annotated=np.ones(len(frames), bool)
    )
    alone = dataclasses.replace(val, clips=(long,), fingerprint="alone")

    (found,) = Evaluation(alone, files).score(POLICIES[1:2], INSTANT, target_fps=FPS)

    for score, annotated in ((found.streamed.score, len(long) - 1), (found.own_frame, len(long))):
        (whole,) = score.clips
        assert len(whole.parts) == STRETCHES
        assert sum(part.frames for part in whole.parts) == annotated
        for name in ("annotated", "intersection", "union"):
            parts = np.sum([getattr(part, name) for part in whole.parts], axis=0)
            assert tuple(parts.tolist()) == getattr(whole, name)
