"""Film: frames of a validation clip with the masks of a trial's int8 graphs under its policy."""

import dataclasses
from pathlib import Path

import numpy as np

from jejunet_nas.errors import SettingError, closest
from jejunet_nas.records import Clip, DataSplit, TrialResult
from jejunet_nas.records.rows import FilmFrame
from jejunet_nas.resize import resize_mask
from jejunet_nas.scoring.score import clip_score, combine, frame_counts
from jejunet_nas.video.graphs import NetworkGraphs, graphs_of
from jejunet_nas.video.policy import walk
from jejunet_nas.video.results import ClipResults


def choose_clip(split: DataSplit, name: str | None) -> Clip:
    """Return the clip `name` of a split, or its longest one. Raises `SettingError`."""
    if name is None:
        return max(split.clips, key=len)
    for clip in split.clips:
        if clip.name == name:
            return clip
    names = [clip.name for clip in split.clips]
    raise SettingError(
        f"--clip is {name}; allowed: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}."
        f"{closest(name, names)}"
    )


def film_frames(
    trial: TrialResult, clip: Clip, networks: Path, times: list[int], classes: int
) -> list[FilmFrame]:
    """Return the frames of `clip` at `times`, segmented as in the trial.

    networks: the folder of the study's networks. The clip is walked from its first frame, since
    each path depends on earlier frames. Raises `SettingError` where a graph is missing or changed.
    """
    last = max(times) + 1
    part = dataclasses.replace(
        clip, frames=clip.frames[:last], masks=clip.masks[:last], annotated=clip.annotated[:last]
    )
    results = ClipResults(part, NetworkGraphs(graphs_of(trial.network, networks)))
    taken = walk(last, trial.architecture.policy, results.gate, lag=trial.walks[0].lag)
    height, width = part.masks.shape[1:3]
    film = []
    for time in times:
        annotation, miou = None, None
        mask = resize_mask(results.mask(taken.shown[time]), height, width)
        if part.annotated[time]:
            annotation = np.asarray(part.masks[time])
            counts = frame_counts(part, time, mask, classes)
            miou = combine([clip_score(part, [counts], classes)]).miou
        film.append(
            FilmFrame(
                time=time,
                frame=np.asarray(part.frames[time]),
                annotation=annotation,
                mask=mask,
                path=taken.paths[time],
                gated=taken.gate_scores[time] is not None,
                miou=miou,
            )
        )
    return film
