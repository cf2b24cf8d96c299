"""Contenders at the target: the trials that one training each cannot tell apart from the best.

The last round of a search trains their networks again with other seeds (`search.last_round`).

Units: mIoU in [0, 1].
"""

from collections.abc import Sequence

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.scoring.bootstrap import trainings_difference
from jejunet_nas.scoring.noise import TYPICAL_STD, SeedNoise, pooled, seed_noise
from jejunet_nas.scoring.ranking import feasible
from jejunet_nas.scoring.repeats import Repeats, pick_of, trainings

# Of the typical noise beside the study's own: a first repeat that happens to score alike does not
# mean that there is no noise.
PRIOR_FREEDOM = 4
WITHIN = 2.0  # standard deviations of a difference between two trainings: about 95 %


def expected_noise(history: StudyHistory) -> SeedNoise:
    """Return the noise that decides what is trained: the study's own, pooled with the typical."""
    typical = SeedNoise(std=TYPICAL_STD, freedom=PRIOR_FREEDOM)
    return pooled(seed_noise(history.complete, history.repeats), typical)


def contenders_of(history: StudyHistory) -> list[TrialResult]:
    """Return the contenders of the study's last round, the best first; none without one."""
    plan = history.last_round
    if plan is None:
        return []
    return contenders_at_target(
        history,
        most=plan.contenders,
        above_steps=plan.above_steps,
        within_noise=plan.until == "told_apart",
    )


def left_to_train(history: StudyHistory) -> list[TrialResult]:
    """Return the contenders that the last round trains on, as far as they have seeds left."""
    plan, found = history.last_round, contenders_of(history)
    return found if plan and plan.until == "seeds" else undecided(found, history)


def contenders_at_target(
    history: StudyHistory, *, most: int, above_steps: int = 0, within_noise: bool = True
) -> list[TrialResult]:
    """Return the best trials at the target, one for each network, the best first.

    Their first training is within the noise of the best, or they were trained again already. most:
    how many are returned. above_steps: networks trained for no more steps are left out.
    within_noise: False for all, whatever their first training.
    """
    best: dict[str, TrialResult] = {}
    ordered = sorted(feasible(history), key=lambda t: (-t.score.miou, t.latency.mean_ms, t.number))
    for trial in ordered:
        if trial.network.training.steps > above_steps:
            best.setdefault(trial.network_id, trial)
    if not best or not within_noise:
        return [*best.values()][:most]
    noise = expected_noise(history)
    trials = [*best.values()]
    least = trials[0].score.miou - WITHIN * noise.of_difference
    return [
        trial for trial in trials if trial.score.miou >= least or history.repeats.get(trial.number)
    ][:most]


def undecided(contenders: Sequence[TrialResult], history: StudyHistory) -> list[TrialResult]:
    """Return the pick among `contenders` and those that are not told apart from it, in their order.

    Empty if the pick is told apart from all others: the interval of the difference of their means,
    over clips and seeds, excludes 0.
    """
    repeats = history.repeats
    pick = pick_of(contenders, repeats)
    if pick is None:
        return []
    noise = expected_noise(history)
    close = [
        trial
        for trial in contenders
        if trial is not pick and not _told_apart(pick, trial, repeats, noise)
    ]
    return [trial for trial in contenders if trial is pick or trial in close] if close else []


def _told_apart(pick: TrialResult, other: TrialResult, repeats: Repeats, noise: SeedNoise) -> bool:
    """Whether both were trained twice or more, and the pick is surely better."""
    ours, theirs = ([each.score.clips for each in trainings(t, repeats)] for t in (pick, other))
    if min(len(ours), len(theirs)) < 2:
        return False  # one training each made them contenders, and has not told them apart
    return trainings_difference(ours, theirs, noise).is_significant_gain
