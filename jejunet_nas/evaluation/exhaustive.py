"""Exhaustive: every policy of a trained network, and those of them that are worth a trial.

A policy needs no training, and most of its masks are those of other policies. Latencies come first,
since they need only the gate; a policy that misses the target gets no masks. Keyframe intervals are
scored from coarse to fine: 1, 2, 4, 8, ... and the longest, then those beside the non-dominated.

Measured on DAVIS 2016 (645 frames, 221 policies, 2 networks): 114 of them are scored, and the
hypervolume is within 0.01 % of that of all.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence, Set

from jejunet_nas.evaluation.network import Evaluation, PolicyScore
from jejunet_nas.progress import Tell
from jejunet_nas.records import FeasibleRule, PathLatencies
from jejunet_nas.records.scores import Streamed
from jejunet_nas.scoring.front import pareto_front
from jejunet_nas.scoring.ranking import over_target_ms
from jejunet_nas.space.architecture import Policy

LEAST_GAIN = 0.002  # of mIoU over a faster policy: validation clips do not tell less apart


def best_policies(
    evaluation: Evaluation,
    policies: Sequence[Policy],
    latencies: PathLatencies,
    *,
    target_fps: float,
    rule: FeasibleRule,
    tell: Tell = lambda what, done, total: None,
) -> list[tuple[Policy, PolicyScore]]:
    """Return the non-dominated of `policies` that meet the target, best mIoU first.

    A policy with less than `LEAST_GAIN` over a faster one is left out, unless it is the best. If
    none meets the target, only the nearest to it is returned.
    """
    timed = evaluation.timed(policies, latencies, target_fps=target_fps)
    over = [over_target_ms(each, rule, target_fps) for each in timed]
    able = [policy for policy, ms in zip(policies, over, strict=True) if ms <= 0]
    if not able:
        chosen = [policies[over.index(min(over))]]
    else:
        scored = score_coarse_to_fine(evaluation, able, latencies, target_fps=target_fps, tell=tell)
        chosen = told_apart(scored)
    scores = evaluation.score(chosen, latencies, target_fps=target_fps, tell=tell)
    return [*zip(chosen, scores, strict=True)]


def score_coarse_to_fine(
    evaluation: Evaluation,
    policies: Iterable[Policy],
    latencies: PathLatencies,
    *,
    target_fps: float,
    tell: Tell = lambda what, done, total: None,
) -> dict[Policy, Streamed]:
    """Return the screens of those of `policies` that may be non-dominated."""
    all_of_them = [*policies]
    coarse = coarse_of({policy.keyframe_interval for policy in all_of_them})
    first = [  # reused masks are those of keyframes, which are needed anyway
        policy
        for policy in all_of_them
        if policy.keyframe_interval in coarse or policy.between_keyframes == "reuse"
    ]
    scored = dict(
        zip(
            first,
            evaluation.streams(first, latencies, target_fps=target_fps, tell=tell),
            strict=True,
        )
    )
    best = non_dominated(scored)
    then = [
        policy
        for policy in all_of_them
        if policy not in scored and any(_are_beside(policy, each, coarse) for each in best)
    ]
    if then:
        scored |= zip(
            then, evaluation.streams(then, latencies, target_fps=target_fps, tell=tell), strict=True
        )
    return scored


def coarse_of(intervals: Set[int]) -> list[int]:
    """Return the shortest of `intervals`, each that at least doubles the last, and the longest."""
    coarse: list[int] = []
    for interval in sorted(intervals):
        if not coarse or interval >= 2 * coarse[-1]:
            coarse.append(interval)
    return sorted({*coarse, max(intervals)})


def _are_beside(policy: Policy, scored: Policy, coarse: Sequence[int]) -> bool:
    """Whether two policies differ in the interval alone, and no coarse one is between."""
    alike = {**dataclasses.asdict(policy), "keyframe_interval": scored.keyframe_interval}
    if alike != dataclasses.asdict(scored):
        return False
    low, high = sorted((policy.keyframe_interval, scored.keyframe_interval))
    return not any(low < each < high for each in coarse)


def non_dominated(scored: Mapping[Policy, Streamed]) -> list[Policy]:
    """Return the policies on the front of mIoU and mean latency, best mIoU first."""
    points = [(each.score.miou, each.latency.mean_ms) for each in scored.values()]
    return [[*scored][index] for index in pareto_front(points)]


def told_apart(scored: Mapping[Policy, Streamed]) -> list[Policy]:
    """Return the best of `scored`, and each non-dominated one `LEAST_GAIN` over a faster one."""
    best, *others = non_dominated(scored)
    taken: list[Policy] = []
    for policy in reversed(others):
        if not taken or scored[policy].score.miou >= scored[taken[-1]].score.miou + LEAST_GAIN:
            taken.append(policy)
    return [best, *reversed(taken)]
