"""The simplest implementation of a policy, as a reference for the others."""

from typing import NamedTuple

import numpy as np

from jejunet_nas.records import Clip, FramePath
from jejunet_nas.resize import resize_frame, thumbnails
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.graphs import Context, Mask, NetworkGraphs, Thumbnail
from jejunet_nas.video.motion import Index, grey_of, motion, moved, warped


class Keyframe(NamedTuple):
    time: int
    small: Thumbnail
    mask: Mask
    context: Context


class Plain(NamedTuple):
    """What a plain run makes of a clip, one item a frame."""

    masks: list[Mask]
    paths: list[FramePath]
    scores: list[float | None]
    ages: list[int]


def run_plainly(graphs: NetworkGraphs, clip: Clip, policy: Policy, lag: int | None) -> Plain:
    """Run the graphs over a clip frame by frame; a keyframe in the background is held back."""
    low, high, background = policy.reuse_below, policy.refresh_above, policy.asynchronous
    found = Plain([], [], [], [])
    current: Keyframe | None = None
    coming: Keyframe | None = None
    last = 0
    for time, picture in enumerate(clip.frames):
        frame = resize_frame(picture, graphs.height, graphs.width)
        small = thumbnails(frame)
        if coming is not None and lag is not None and time == coming.time + lag:
            current, coming = coming, None
        due = current is None or time - last >= policy.keyframe_interval
        score = None
        if current is not None:
            may_reuse = low is not None and (background or not due)
            may_refresh = high is not None and not due and coming is None
            if may_reuse or may_refresh:
                score = graphs.gate(small, current.small)
        far = score is not None and high is not None and score > high
        near = score is not None and low is not None and score < low
        if (due or far) and coming is None:
            begun, last = Keyframe(time, small, *graphs.key(frame)), time
            if background and current is not None:
                coming = begun
            else:
                current = begun
        assert current is not None
        if current.time == time:
            found.masks.append(current.mask)
            found.paths.append("key")
        elif near or policy.between_keyframes == "reuse":
            found.masks.append(current.mask)
            found.paths.append("reuse")
        elif policy.between_keyframes == "move":
            found.masks.append(moved(current.mask, _traced_back(graphs, clip, current.time, time)))
            found.paths.append("move")
        elif policy.between_keyframes == "warp":
            index = _traced_back(graphs, clip, current.time, time)
            found.masks.append(graphs.propagate(frame, warped(current.context, index)))
            found.paths.append("warp")
        else:
            found.masks.append(graphs.propagate(frame, current.context))
            found.paths.append("propagate")
        found.scores.append(score)
        found.ages.append(time - current.time)
    return found


def _traced_back(graphs: NetworkGraphs, clip: Clip, keyframe: int, time: int) -> Index:
    """Return where each pixel of the frame at `time` was at the keyframe, backwards."""
    greys = [
        grey_of(resize_frame(clip.frames[t], graphs.height, graphs.width))
        for t in range(keyframe, time + 1)
    ]
    place = np.arange(greys[-1].size, dtype=np.int32).reshape(greys[-1].shape)
    while len(greys) > 1:
        now = greys.pop()
        place = motion(now, greys[-1]).reshape(-1)[place]
    return place
