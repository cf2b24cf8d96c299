"""Words about an opened study: its counts, its trials' numbers, and why one cannot be opened."""

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import complete_words, one_line, per_cent, source_words
from jejunet_nas.scoring.ranking import front_of

_NAMED = 20  # trials in a message


def trial_numbers(history: StudyHistory) -> str:
    """Return the numbers of the first complete trials, for a message."""
    numbers = [str(trial.number) for trial in history.complete]
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return ", ".join(numbers[:_NAMED]) + more or "none, since no trial is complete"


def reason_words(number: int, history: StudyHistory) -> str:
    """Return why the trial with this number is not complete; empty if it is unknown."""
    for verb, trials in (("was refused", history.refused), ("failed", history.failed)):
        for trial in trials:
            if trial.number == number:
                return f", which {verb}: {one_line(trial.reason)}"
    return ""


def counts_words(history: StudyHistory) -> str:
    """Return the numbers of trials, and the best of the front."""
    front = front_of(history)
    found = f"nothing meets {history.target_fps:g} fps"
    if front:
        found = f"{len(front)} on the front, best {figures_words(front[0])}"
    return (
        f"{complete_words(history)}, {len(history.refused)} refused, "
        f"{len(history.failed)} failed; {found}"
    )


def figures_words(trial: TrialResult) -> str:
    """Return the mIoU and the latency of a trial."""
    return (
        f"{per_cent(trial.score.miou)} mIoU in {trial.latency.mean_ms:.1f} ms a frame "
        f"({source_words(trial)}), {per_cent(trial.latency.dropped_frames)} % dropped"
    )
