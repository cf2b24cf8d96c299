"""The comparison with a baseline in sentences.

Units: as in `baseline`; mIoU in per cent and points within sentences.
"""

from jejunet_nas.records.words import per_cent, points
from jejunet_nas.reporting.baseline import Against, BaselineAnswer, Standing
from jejunet_nas.reporting.held_out import TURN_ON
from jejunet_nas.scoring.bootstrap import TOO_FEW, Difference


def caveat(answer: BaselineAnswer) -> str:
    """Return how the differences were tested, and what their intervals leave out."""
    over = "the validation clips and training seeds" if answer.seeds else "the validation clips"
    said = f"Differences are tested with a paired bootstrap over {over} (95 % confidence intervals)"
    if answer.held_out is None:
        said = (
            f"{said}. The front was picked on the same clips: this selection bias favours the "
            "front, and the intervals do not account for it, nor for other training seeds."
        )
        if answer.validation == "half":
            return said
        return (
            f"{said} With {TURN_ON} in the study's file, the difference comes from clips that the "
            "front was not picked on."
        )
    by = "on the other half of the clips" if answer.held_out == "clips" else "by other trainings"
    seeds = "" if answer.seeds else " The intervals do not hold training seeds."
    return (
        f"{said}. Differences marked as held out are of what was picked {by}.{seeds} The fastest "
        "front trials are not held out: selection bias favours them."
    )


def sentences(answer: BaselineAnswer) -> list[str]:
    """Return the comparison in words: the front's best, then one line a baseline trial."""
    target = f"{answer.target_fps:g} fps"
    if answer.best is None:
        return [f"No trial of {answer.study} meets {target}, so there is nothing to compare."]
    first = (
        f"At {target} ({answer.latency}), the best of {answer.study} is "
        f"trial {answer.best.trial} with {_words(answer.best)}."
    )
    if not answer.against:
        return [first, f"{answer.baseline} has no complete trial yet."]
    return [first, *(_sentence(against, answer) for against in answer.against)]


def difference_words(difference: Difference) -> str:
    """Return, say, `+0.6 points, not significant (95 %: -1.8 to +2.7)`."""
    amount = f"{points(difference.miou)} points"
    if difference.interval is None:
        return f"{amount} ({TOO_FEW})"
    low, high = points(difference.interval.low), points(difference.interval.high)
    verdict = "significant" if difference.is_significant else "not significant"
    return f"{amount}, {verdict} (95 %: {low} to {high})"


def _sentence(against: Against, answer: BaselineAnswer) -> str:
    assert against.best is not None, "the front has a best trial"
    as_good, surely = against.as_good, against.surely
    how = ", held out," if answer.held_out else ""
    words = [
        f"Trial {against.baseline.trial} of {answer.baseline}, at {against.baseline.name}, has "
        f"{_words(against.baseline)}.",
        f"The pick{how} differs by {difference_words(against.best)}.",
    ]
    if as_good is None:
        return " ".join([*words, "No front trial reaches this mIoU."])
    speed = times_as_fast(as_good, against.baseline)
    words.append(
        f"The fastest front trial with at least this mIoU is {_short(as_good)}"
        f"{f', {speed}' if speed else ''}."
    )
    if surely is None:
        words.append("No front trial has a significant gain.")
    elif surely.trial == as_good.trial:
        words.append("Its gain is significant.")
    else:
        words.append(f"The fastest with a significant gain is {_short(surely)}.")
    return " ".join(words)


def times_as_fast(ours: Standing, theirs: Standing) -> str:
    """Return the ratio of the latencies in words; empty where their sources differ."""
    if ours.source != theirs.source or not ours.mean_ms:
        return ""
    times = theirs.mean_ms / ours.mean_ms
    return f"{times:.1f} times as fast" if times >= 1 else f"{1 / times:.1f} times as slow"


def _short(standing: Standing) -> str:
    return (
        f"trial {standing.trial} ({per_cent(standing.miou)} % in {standing.mean_ms:.1f} ms, "
        f"{standing.source})"
    )


def _words(standing: Standing) -> str:
    interval = f" ({TOO_FEW})"
    if standing.interval:
        low, high = standing.interval.low, standing.interval.high
        interval = f" (95 %: {per_cent(low)} to {per_cent(high)})"
    mean = f", the mean of {standing.trainings} trainings," if standing.trainings > 1 else ""
    return (
        f"{per_cent(standing.miou)} % mIoU{interval}{mean} in "
        f"{standing.mean_ms:.1f} ms a frame, {standing.sustained_fps:.1f} fps ({standing.source}), "
        f"{per_cent(standing.dropped_frames)} % of frames dropped"
    )
