"""Validation: which clips the scores come from, videos and simulated pans apart, in words.

Units: mIoU in per cent.
"""

from jejunet_nas.records import DataFacts, StudyHistory, TrialResult
from jejunet_nas.records.words import counted, escaped, markdown_table, one_line, per_cent
from jejunet_nas.scoring.bootstrap import LEAST_CLIPS, TOO_FEW
from jejunet_nas.scoring.origins import OriginScore, scores_by_origin
from jejunet_nas.scoring.ranking import front_of

_SAME_RATE = 0.01  # 23.976 and 24 fps count as one


def origin_reason(trial: TrialResult, data: DataFacts) -> list[str]:
    """Return a sentence on what the score of `trial` is worth where clips are simulated pans."""
    if not data.photos:
        return []
    if not data.videos:
        return [
            f"The validation clips are {counted(data.photos, 'simulated pan')} over photos and no "
            "video: video policies are judged on simulated motion alone."
        ]
    video, pans = scores_by_origin(trial, data)
    return [
        f"Of {counted(video.clips + pans.clips, 'validation clip')} {_is(video.clips)} video and "
        f"{_is(pans.clips)} {'a simulated pan' if pans.clips == 1 else 'simulated pans'} over "
        f"photos: trial {trial.number} has {_figure(video)} on video and {_figure(pans)} on pans."
    ]


def data_notes(history: StudyHistory) -> list[str]:
    """Return sentences on the validation clips, their frame rate, and what the search warned of."""
    data = history.data
    counts = [_counts(data)] if data.videos or data.photos else []
    warnings = [f"{one_line(warning).rstrip('.')}." for warning in data.warnings]
    return [*counts, *_rates(history), *(f"{each[0].upper()}{each[1:]}" for each in warnings)]


def validation_section(history: StudyHistory) -> list[str]:
    """Return the Markdown section on the validation clips; empty where nothing is known of them."""
    notes = [escaped(note) for note in data_notes(history)]
    if not notes:
        return []
    lines = "\n".join(f"- {note}" for note in notes)
    return ["## Validation clips", lines, *_scores(history)]


def _scores(history: StudyHistory) -> list[str]:
    """Return a table of the front's mIoU on videos and on pans, where there are both."""
    data = history.data
    front = front_of(history)
    if not (front and data.videos and data.photos):
        return []
    columns = ("trial", "mIoU %", "on video %", "95 %", "on pans %", "95 %")
    rows = []
    for trial in front:
        video, pans = scores_by_origin(trial, data)
        cells = [cell for each in (video, pans) for cell in (per_cent(each.miou), _interval(each))]
        rows.append((f"{trial.number}", per_cent(trial.score.miou), *cells))
    table = markdown_table(columns, rows)
    alone = [
        f"{counted(count, name).capitalize()} alone: {TOO_FEW}."
        for name, count in (("video", len(data.videos)), ("pan", data.photos))
        if count < LEAST_CLIPS
    ]
    apart = "Each mIoU is the mean over the classes that occur in those clips."
    return [table, " ".join([apart, *alone])]


def _counts(data: DataFacts) -> str:
    frames = sum(clip.frames for clip in data.videos)
    annotated = sum(clip.annotated_frames for clip in data.videos)
    videos = f"{len(data.videos)} of video ({counted(frames, 'frame')}, {annotated} annotated)"
    pans = (
        f"{counted(data.photos, 'simulated pan')} over photos "
        f"({counted(data.photo_frames, 'frame')})"
    )
    total = counted(len(data.videos) + data.photos, "validation clip")
    words = [*([videos] if data.videos else []), *([pans] if data.photos else [])]
    return f"{total}: {', '.join(words)}."


def _rates(history: StudyHistory) -> list[str]:
    """Return a sentence where clips have another frame rate than the target."""
    data, target = history.data, history.target_fps
    rates = sorted({clip.fps for clip in data.videos})
    pans = [data.photo_fps] if data.photo_fps else []
    other = [fps for fps in (*rates, *pans) if abs(fps / target - 1) > _SAME_RATE]
    if not other:
        return []
    ends = " to ".join(f"{fps:g}" for fps in dict.fromkeys((*rates[:1], *rates[-1:])))
    said = [f"the videos were recorded at {ends} fps"] if rates else []
    said += [f"the pans are made for {fps:g} fps" for fps in pans]
    slower, faster = (any(sign * (fps - target) > 0 for fps in other) for sign in (-1, 1))
    change = "more or less" if slower and faster else "more" if slower else "less"
    return [
        f"Each frame of a clip counts as one camera frame at {target:g} fps, but "
        f"{' and '.join(said)}: from one frame to the next {change} changes than on the phone."
    ]


def _is(clips: int) -> str:
    return f"{clips} {'is' if clips == 1 else 'are'}"


def _figure(score: OriginScore) -> str:
    if score.miou is None:
        return "no annotated frame"
    interval = _interval(score)
    more = f"95 %: {interval}" if score.interval else TOO_FEW
    return f"{per_cent(score.miou)} % mIoU ({more})"


def _interval(score: OriginScore) -> str:
    if score.interval is None:
        return "-"
    return f"{per_cent(score.interval.low)} to {per_cent(score.interval.high)}"
