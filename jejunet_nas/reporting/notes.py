"""Notes: sentences on a study and on each of its complete trials, for pages and a dashboard.

Units: mIoU in per cent, latency in ms a frame.
"""

from jejunet_nas.records import StudyHistory, TrialResult
from jejunet_nas.records.words import (
    complete_words,
    counted,
    drop_words,
    escaped,
    latency_words,
    network_words,
    per_cent,
    points,
    trial_policy_words,
)
from jejunet_nas.reporting.validation import data_notes, origin_reason
from jejunet_nas.scoring.every_frame import EveryFrame, best_every_frame, every_frame
from jejunet_nas.scoring.ranking import (
    REQUIREMENTS,
    State,
    best_feasible,
    deadline_ms,
    feasible,
    front_of,
    nearest_to_target,
    picks,
    rule_words,
    states,
    verdict_words,
)
from jejunet_nas.scoring.repeats import mean_miou, trainings

_OPENINGS: dict[State, str] = {
    "front": "On the Pareto front.",
    "dominated": "Dominated: another trial is at least as good in mIoU and in latency.",
    "over target": "Over the target: it does not keep up with the camera.",
}


def study_note(history: StudyHistory) -> str:
    """Return the study's subject, its counts of trials, and the meaning of its terms."""
    front = front_of(history)
    best = f"; trial {front[0].number} has the best mIoU" if front else ""
    lines = [
        f"# {escaped(history.study)}",
        f"{escaped(history.dataset)}, target {history.target_fps:g} fps {rule_words(history)} "
        f"({deadline_ms(history):.1f} ms a frame), latency {escaped(latency_words(history))}.",
        f"{complete_words(history)}, {len(history.refused)} refused before "
        f"training, {len(history.failed)} failed; {len(front)} on the front{best}.",
        escaped(nearest_to_target(history) or ""),
        f"Classes: {', '.join(map(escaped, history.class_names))}.",
        escaped(" ".join(data_notes(history))),
        f"A trial is feasible if {REQUIREMENTS[history.feasible_rule]}. mIoU is that "
        "of the newest finished mask at each frame's time. The front is the Pareto front of the "
        "feasible trials. Trials that are over the target, or were refused "
        "before training, are shown as pruned.",
    ]
    return "\n\n".join(line for line in lines if line)


def reasons(history: StudyHistory) -> list[str]:
    """Return sentences on the best of the front, with and without video, and on the fastest."""
    found = picks(history)
    if not found:
        return []
    best, fastest = found["best"], found["fastest"]
    video = best_feasible(history, video=True)
    said = [
        f"Trial {best.number} is the best of {_feasible_words(history)} "
        f"at {history.target_fps:g} fps {rule_words(history)}: {_figures(best)} "
        f"({best.latency.source})."
    ]
    said += _means(best, history)
    gain, whole = _gain(best, history), best_every_frame(history)
    if not gain or whole is None or whole.trial.network_id != best.network_id:
        said.append(_whole(whole, history))
    said += [_video(video, history), *gain]
    if video and video is not best:
        said += _gain(video, history)
    if fastest is not best:
        said.append(f"The fastest of the front is trial {fastest.number}: {_figures(fastest)}.")
    return said + origin_reason(best, history.data)


def _means(best: TrialResult, history: StudyHistory) -> list[str]:
    """Return why trials with a higher mIoU than the best are not the best: it was luck."""
    count = len(trainings(best, history.repeats))
    if count == 1:
        return []
    lucky = [
        f"trial {trial.number} had {per_cent(trial.score.miou)} % in its first training and has "
        f"{per_cent(mean_miou(trial, history.repeats))} % in the mean of {trained}"
        for trial in feasible(history)
        if (trained := len(trainings(trial, history.repeats))) > 1
        and trial.score.miou > best.score.miou
    ]
    mean = f"In the mean of {count} trainings it has {per_cent(mean_miou(best, history.repeats))} %"
    if not lucky:
        return [f"{mean}."]
    return [
        f"{mean}: {'; '.join(lucky)}. Other policies of a network have the luck of its first "
        "training too."
    ]


def _feasible_words(history: StudyHistory) -> str:
    """Return, say, `80 feasible trials of 12 networks`; a network counts where it has several."""
    found = feasible(history)
    said, networks = counted(len(found), "feasible trial"), {trial.network_id for trial in found}
    if not any(trial.added for trial in found):
        return said
    return f"{said} of {counted(len(networks), 'network')}"


def _gain(trial: TrialResult, history: StudyHistory) -> list[str]:
    """Return what the policy of `trial` gains, compared with the same network on every frame.

    Networks differ between trials, so the policy's part can be told from one network alone.
    """
    whole = every_frame(trial, history)
    if whole is None or whole.own:
        return []
    return [
        f"With every frame a keyframe the network of trial {trial.number} takes "
        f"{whole.latency.mean_ms:.1f} ms a frame, drops {per_cent(whole.latency.dropped_frames)} % "
        f"of frames, has {per_cent(whole.miou)} % mIoU and "
        f"{verdict_words(whole.latency, history.feasible_rule, history.target_fps)}: its policy "
        f"changes mIoU by {points(trial.score.miou - whole.miou)} points."
    ]


def _whole(found: EveryFrame | None, history: StudyHistory) -> str:
    """Return a sentence on the best network with every frame a keyframe, a trial or not."""
    if found is None:
        known = {t.network_id for t in history.complete if every_frame(t, history)}
        if not known:
            return "No network was scored with every frame a keyframe."
        tried = counted(len(known), "network")
        return f"Of {tried} with every frame a keyframe none meets the target."
    number = found.trial.number
    whose = f"trial {number}" if found.own else f"the network of trial {number}"
    return (
        f"The best with every frame a keyframe is {whose}: {per_cent(found.miou)} % mIoU in "
        f"{found.latency.mean_ms:.1f} ms a frame, {drop_words(found.latency)}."
    )


def _video(best: TrialResult | None, history: StudyHistory) -> str:
    """Return a sentence on the best trial with a video policy."""
    if best is not None:
        return f"The best trial with a video policy is trial {best.number}: {_figures(best)}."
    tried = sum(trial.architecture.policy.spares_frames for trial in history.complete)
    if not tried:
        return "The study has no trial with a video policy."
    return f"Of {counted(tried, 'trial')} with a video policy none meets the target."


def _figures(trial: TrialResult) -> str:
    return (
        f"{per_cent(trial.score.miou)} % mIoU in {trial.latency.mean_ms:.1f} ms a frame, "
        f"{drop_words(trial.latency)}"
    )


def trial_notes(history: StudyHistory) -> dict[int, str]:
    """Return a note on each complete trial, by its number."""
    state = states(history)
    return {t.number: _note(t, _OPENINGS[state[t.number]], history) for t in history.complete}


def _note(trial: TrialResult, opening: str, history: StudyHistory) -> str:
    latency, device = trial.latency, escaped(history.device)
    source = f"{latency.source} for {device}"
    if trial.measured is not None:
        motion = ", its motion predicted" if trial.motion_predicted else ""
        source = (
            f"measured on {escaped(history.phone or history.device)}{motion}; "
            f"{trial.predicted.mean_ms:.1f} predicted for {device}"
        )
    pairs = zip(trial.network.class_names, trial.score.class_iou, strict=False)
    ious = [f"{escaped(name)} {per_cent(iou)}" for name, iou in pairs if iou is not None]
    lines = [
        f"**Trial {trial.number}.** {opening}",
        f"Network: {escaped(network_words(trial.architecture.network))}",
        f"Policy: {escaped(trial_policy_words(trial))}",
        f"mIoU: {per_cent(trial.score.miou)} %; own-frame mIoU: "
        f"{per_cent(trial.own_frame_score.miou)} %.",
        f"Latency: {latency.mean_ms:.1f} ms a frame, {source}; {drop_words(latency)}.",
        *([f"Unstable: {escaped('; '.join(latency.doubts))}."] if latency.doubts else []),
        f"IoU by class, in per cent: {', '.join(ious) or 'no class is annotated'}.",
    ]
    return "\n\n".join(lines)
