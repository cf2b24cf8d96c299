"""Lines: what a search says about its complete trials, a line each."""

from collections.abc import Sequence

from jejunet_nas.records import TrialResult
from jejunet_nas.records.words import drop_words, latency_figures, miou_words, per_cent
from jejunet_nas.scoring.ranking import verdict_words
from jejunet_nas.study.settings import StudySettings


def trial_words(result: TrialResult, settings: StudySettings) -> str:
    """Return one line about a complete trial, with its seconds; those of stages are stored."""
    training = result.network.training
    trained = f"{training.steps} steps, {training.median_step_ms:.0f} ms each"
    if result.network_reused:
        trained = "trained before"
    return (
        f"trial {result.number}: {miou_words(result)}, {latency_figures(result.latency)}, "
        f"{verdict(result, settings)}; network {result.network_id} ({trained}); "
        f"{sum(result.stage_s.values()):.1f} s"
    )


def added_words(drawn: TrialResult, added: Sequence[TrialResult]) -> str:
    """Return one line about the trials that were added for further policies of a drawn network."""
    first, last = added[0], added[-1]
    numbers = (
        f"trials {first.number} to {last.number}" if len(added) > 1 else f"trial {last.number}"
    )
    ends = [
        f"{per_cent(each.score.miou)} mIoU at {each.latency.mean_ms:.1f} ms"
        for each in {first.number: first, last.number: last}.values()
    ]
    return (
        f"  {numbers}: {len(added)} further {'policy' if len(added) == 1 else 'policies'} of the "
        f"network of trial {drawn.number}, {' to '.join(ends)}"
    )


def measured_words(result: TrialResult, settings: StudySettings) -> str:
    """Return a line that compares a trial's measured latency with the prediction."""
    latency, before = result.latency, result.on_prediction
    doubts = f"; unstable: {'; '.join(latency.doubts)}" if latency.doubts else ""
    return (
        f"trial {result.number}: measured {latency.mean_ms:.1f} ms a frame, "
        f"{latency.mean_ms / before.latency.mean_ms:.2f} of the predicted "
        f"{before.latency.mean_ms:.1f}; {verdict(result, settings)}: "
        f"{drop_words(latency)}; {per_cent(result.score.miou)} mIoU, as predicted "
        f"{per_cent(before.score.miou)}{doubts}"
    )


def verdict(result: TrialResult, settings: StudySettings) -> str:
    """Return, say, `meets the target`."""
    return verdict_words(result.latency, settings.feasible, settings.target_fps)
