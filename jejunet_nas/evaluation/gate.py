"""Gate: how accurate the scores of an int8 gate are, on validation frames.

For pairs of frames of a clip, the gate's score is compared with the disagreement of the two masks.
"""

import itertools

import numpy as np
import numpy.typing as npt

from jejunet_nas.records import GateBin, GateRecord
from jejunet_nas.scoring.miou import disagreement
from jejunet_nas.video.results import ClipResults, Shown

GROUPS = 24  # of frames of one clip each; every two of them are a pair: at most 144 in all
FRAMES_PER_GROUP = 4
# Most scores are near 0, where thresholds are too: the bins get wider from there on.
EDGES = (0.0, 0.02, 0.05, 0.1, 0.15, 0.25, 0.4, 0.6, np.inf)

Figures = npt.NDArray[np.float64]


def judge_gate(
    clips: list[ClipResults], classes: int, *, longest_age: int, seed: int = 0
) -> GateRecord:
    """Return the errors of the gate's scores, on pairs of frames up to `longest_age` apart."""
    rng = np.random.default_rng([seed, 3])
    lengths = np.array([len(clip) for clip in clips])
    scores, truths = [], []
    for index in rng.choice(len(clips), size=GROUPS, p=lengths / lengths.sum()):
        clip = clips[index]
        reach = min(longest_age, len(clip) - 1)
        first = int(rng.integers(0, len(clip) - reach))
        times = np.unique(first + rng.integers(0, reach + 1, FRAMES_PER_GROUP)).tolist()
        for stale, fresh in itertools.combinations(times, 2):
            scores.append(clip.gate(fresh, stale))
            old, new = clip.mask(Shown(stale, stale)), clip.mask(Shown(fresh, fresh))
            truths.append(disagreement(old, new, classes))
        clip.forget_frames()
    return _record(np.array(scores), np.array(truths))


def _record(scores: Figures, truths: Figures) -> GateRecord:
    from scipy.stats import spearmanr  # takes a second to import; reports do without

    bins = []
    for low, high in itertools.pairwise(EDGES):
        inside = (low <= scores) & (scores < high)
        if inside.any():
            bins.append(
                GateBin(
                    pairs=int(inside.sum()),
                    score=float(scores[inside].mean()),
                    disagreement=float(truths[inside].mean()),
                )
            )
    varied = len(set(scores.tolist())) > 1 and len(set(truths.tolist())) > 1
    return GateRecord(
        bins=tuple(bins),
        mean_error=float(np.abs(scores - truths).mean()) if len(scores) else None,
        rank_correlation=float(spearmanr(scores, truths).statistic) if varied else None,
    )
