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
from jejunet_nas.evaluation.network import Evaluation, PolicyScore
from jejunet_nas.records import Clip, DataSplit, FramePaths, GraphName
from jejunet_nas.records.scores import ClipTemporal
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.boundary import region_and_boundary
from jejunet_nas.scoring.score import combine
from jejunet_nas.scoring.temporal import clip_temporal, combine_temporal, flicker, object_classes
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.graphs import Mask, NetworkGraphs
from jejunet_nas.video.policy import Gate
from jejunet_nas.video.results import ClipResults
from tests.builders import tiny_run
from tests.scoring.whole_clips import score_clip
from tests.video.build import CountedGraphs
from tests.video.plain import run_plainly

LAG = 2
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


def score_plainly(val: DataSplit, policy: Policy) -> PolicyScore:
    """Score what a plain run shows with the functions that score one clip."""
    graphs, lag = NetworkGraphs(tiny_run().graphs), LAG if policy.asynchronous else None
    runs = [run_plainly(graphs, clip, policy, lag) for clip in val.clips]
    both = list(zip(val.clips, runs, strict=True))
    objects = object_classes(val.class_names)
    return PolicyScore(
        score=combine([score_clip(c, np.stack(r.masks), len(val.class_names)) for c, r in both]),
        temporal=combine_temporal([temporal_plainly(c, r.masks, r.ages, objects) for c, r in both]),
        walks=tuple(
            FramePaths.of(c.name, r.paths, [score is not None for score in r.scores], lag=lag)
            for c, r in both
        ),
    )


def test_many_policies_at_once_score_as_each_does_when_it_is_run_plainly(
    val: DataSplit, files: dict[GraphName, Path]
) -> None:
    found = Evaluation(val, files).score(POLICIES, lag=LAG)

    assert found == [score_plainly(val, policy) for policy in POLICIES]
    assert len({each.score.miou for each in found}) > len(POLICIES) / 2


@pytest.mark.parametrize("policy", [POLICIES[3], POLICIES[7]], ids=["waits", "background"])
def test_a_policy_scored_alone_scores_as_among_others(
    val: DataSplit, files: dict[GraphName, Path], tmp_path: Path, policy: Policy
) -> None:
    among = Evaluation(val, files).score(POLICIES, lag=LAG)[POLICIES.index(policy)]
    next(tmp_path.glob("results-*")).unlink()

    assert Evaluation(val, files).score([policy], lag=LAG) == [among]


def test_what_one_evaluation_found_the_next_one_takes_up(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    first = Evaluation(val, files).score(POLICIES, lag=LAG)
    assert min(runs[graph] for graph in ("key", "propagate", "gate")) > 0
    runs.clear()

    again = Evaluation(val, files).score(POLICIES[::-1], lag=LAG)

    assert again == first[::-1]
    assert not runs


def test_another_policy_runs_the_network_only_where_none_did(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    evaluation = Evaluation(val, files)
    evaluation.score([Policy(keyframe_interval=1)], lag=LAG)
    assert runs == {"key": sum(clip.annotated.sum() for clip in val.clips)}
    runs.clear()

    evaluation.score([Policy(keyframe_interval=8, between_keyframes="reuse")], lag=LAG)

    assert runs == {"key": 1}  # the first frame of the clip that nobody annotated it in


def test_clips_that_changed_know_nothing_of_what_was_found_before(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    Evaluation(val, files).score([POLICIES[1]], lag=LAG)
    before = runs.copy()

    changed = dataclasses.replace(val, fingerprint="another")
    Evaluation(changed, files).score([POLICIES[1]], lag=LAG)

    assert runs == before + before


def test_graphs_that_changed_know_nothing_of_what_was_found_before(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    Evaluation(val, files).score([POLICIES[1]], lag=LAG)
    before = runs.copy()

    files["gate"].write_bytes(files["gate"].read_bytes() + b"\0")
    Evaluation(val, files).score([POLICIES[1]], lag=LAG)

    assert runs == before + before


def test_nothing_is_written_that_was_known(
    val: DataSplit, files: dict[GraphName, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = Evaluation(val, files)
    evaluation.score(POLICIES, lag=LAG)
    monkeypatch.setattr(network, "write_results", pytest.fail)

    evaluation.score(POLICIES, lag=LAG)
    Evaluation(val, files).score(POLICIES[:2], lag=LAG)


def test_another_score_may_stand_in_the_gates_place(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str]
) -> None:
    def every_third(results: ClipResults) -> Gate:
        assert len(results) == 8
        return lambda frame, keyframe: 1.0 if frame % 3 == 0 else 0.0

    evaluation = Evaluation(val, files)
    gated = Policy(keyframe_interval=8, refresh_above=0.5)
    (found,) = evaluation.score([gated], lag=LAG, gate_of=every_third)
    (expected,) = evaluation.score([Policy(keyframe_interval=3)], lag=LAG)

    assert (found.score, found.temporal) == (expected.score, expected.temporal)
    assert [walk.letters for walk in found.walks] == ["kPPKPPKP"] * 2
    assert evaluation.walks(gated, lag=LAG, gate_of=every_third) == found.walks
    assert "gate" not in runs


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_the_walks_of_a_policy_need_no_mask(
    val: DataSplit, files: dict[GraphName, Path], runs: Counter[str], policy: Policy
) -> None:
    walks = Evaluation(val, files).walks(policy, lag=LAG)

    assert walks == score_plainly(val, policy).walks
    assert not runs.keys() & {"key", "propagate"}


def test_progress_is_told_by_frames(val: DataSplit, files: dict[GraphName, Path]) -> None:
    told: list[tuple[str, int, int]] = []

    Evaluation(val, files).score(POLICIES[:1], lag=LAG, tell=lambda *news: told.append(news))

    assert told == [("evaluate", 0, 16), ("evaluate", 8, 16)]


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
    evaluation.score([POLICIES[1]], lag=LAG)
    results = [weakref.ref(clip.results) for clip in evaluation._clips]

    gc.disable()
    try:
        del evaluation
        assert [each() for each in results] == [None, None]
    finally:
        gc.enable()
