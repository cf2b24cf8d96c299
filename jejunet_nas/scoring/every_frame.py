"""Every frame: what a trained network does with every frame a keyframe, whatever its trials do.

A search keeps no trial of that policy where another policy of the network is better and faster, but
its figures are known. Only they tell what video policies gain over a study.

Units: mIoU in [0, 1], latency in ms a frame.
"""

import dataclasses

from jejunet_nas.records import StreamLatency, StudyHistory, TrialResult
from jejunet_nas.scoring.ranking import deadline_ms, over_target_ms


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EveryFrame:
    """The network of `trial` with every frame a keyframe. own: whether that is its policy."""

    trial: TrialResult
    miou: float
    latency: StreamLatency
    own: bool

    def meets(self, history: StudyHistory) -> bool:
        """Return whether it keeps up with the camera of `history`."""
        return over_target_ms(self.latency, history.feasible_rule, history.target_fps) <= 0


def every_frame(trial: TrialResult, history: StudyHistory) -> EveryFrame | None:
    """Return the figures of the network of a trial of `history`; None where they are unknown."""
    if not trial.architecture.policy.spares_frames:
        return EveryFrame(trial=trial, miou=trial.score.miou, latency=trial.latency, own=True)
    miou, dropped = trial.streamed.every_frame_miou, trial.streamed.every_frame_dropped
    if miou is None or dropped is None:
        return None
    key_ms = trial.graph_latencies.key.median_ms
    latency = dataclasses.replace(
        trial.latency,
        mean_ms=key_ms,
        worst_ms=key_ms,
        every_frame=key_ms <= deadline_ms(history),
        dropped_frames=dropped,
    )
    return EveryFrame(trial=trial, miou=miou, latency=latency, own=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnFrame:
    """The mIoU of masks against their own frames, each a keyframe, over `frames` of `annotated`."""

    miou: float
    frames: int
    annotated: int


def own_frame_every_frame(trial: TrialResult, history: StudyHistory) -> OwnFrame:
    """Return the mIoU that tables of single pictures hold, of the network of a trial.

    From a trial of the network with that policy; else from the check of its int8 graphs, on frames
    spread over the validation clips.
    """
    annotated = sum(clip.frames for clip in trial.own_frame_score.clips)
    for each in (trial, *history.complete):
        if each.network_id == trial.network_id and not each.architecture.policy.spares_frames:
            miou = each.own_frame_score.miou
            return OwnFrame(miou=miou, frames=annotated, annotated=annotated)
    frames = trial.network.checked_frames
    return OwnFrame(miou=trial.int8_miou, frames=frames, annotated=annotated)


def best_every_frame(history: StudyHistory) -> EveryFrame | None:
    """Return the network with the best mIoU of those that meet the target with every frame.

    Of equal ones the faster wins, then that with a trial of its own; None where none is feasible.
    """
    found = [each for trial in history.complete if (each := every_frame(trial, history))]
    return max(
        (each for each in found if each.meets(history)),
        key=lambda each: (each.miou, -each.latency.mean_ms, each.own, -each.trial.number),
        default=None,
    )
