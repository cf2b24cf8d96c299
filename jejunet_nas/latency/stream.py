"""The latency of a stream of frames, each on the path that its policy chose.

A camera delivers frame j at j periods into a one-frame buffer (`OneFrameBuffer`); the screen shows
the newest mask that is finished (`on_screen`). The policy that chooses the paths is not known here:
`evaluation.screen` applies it. `least_stream` needs no inference, so an architecture that cannot
meet the target is refused before it is trained.

Units: milliseconds, and ticks, billionths of the camera's period: whole numbers, since frames often
arrive just as the processor becomes idle. `target_fps` in frames a second of the camera.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

from jejunet_nas.records import FramePath, FramePaths, PathLatencies, StreamLatency, TrialResult
from jejunet_nas.records.latencies import DROPPED
from jejunet_nas.space.architecture import Policy

PERIOD = 10**9  # ticks
Item = TypeVar("Item")


def ticks(duration_ms: float, target_fps: float) -> int:
    """Return a duration in ticks."""
    return round(duration_ms * target_fps * (PERIOD / 1000))


class OneFrameBuffer:
    """The frames of a clip that a processor takes, one after the other.

    An idle processor takes the waiting frame, or the next to arrive. A frame that arrives while
    another one waits replaces it, and the replaced frame is dropped. A frame that arrives just as
    the processor becomes idle comes after the processor has taken the waiting frame.

    frame: the one that is taken now; at the clip's end the number of its frames. start: when.
    """

    def __init__(self, frames: int) -> None:
        """Begin with an idle processor, and the first of `frames` frames."""
        self._frames = frames
        self.frame = self.start = 0

    def process(self, duration: int) -> int:
        """Process the frame for `duration` ticks and take the next; return when it is finished."""
        finish = self.start + duration
        arrived_before = -(-finish // PERIOD) - 1
        newest = min(arrived_before, self._frames - 1)
        if newest > self.frame:
            self.frame, self.start = newest, finish
        else:
            self.frame += 1
            self.start = max(finish, self.frame * PERIOD)
        return finish


def on_screen(finished: Iterable[tuple[int, Item]], frames: int) -> tuple[Item | None, ...]:
    """Return what is shown at the time of each of `frames` frames; None before anything is.

    finished: when each mask is finished, in ticks, and the mask, in the order of time.
    """
    coming, newest, shown = list(finished)[::-1], None, []
    for frame in range(frames):
        while coming and coming[-1][0] <= frame * PERIOD:
            newest = coming.pop()[1]
        shown.append(newest)
    return tuple(shown)


def frames_on_screen(
    walk: FramePaths, latencies: PathLatencies, *, target_fps: float
) -> tuple[int | None, ...] | None:
    """Return the frame whose mask is shown at each frame's time, if frames wait for keyframes.

    None where, with these latencies, other frames than in `walk` are dropped: the policy would then
    have seen other frames.
    """
    if walk.lag is not None:
        return None
    paths = iter(zip(walk.paths, walk.gated, strict=True))
    buffer, finished = OneFrameBuffer(len(walk.letters)), []
    for frame, letter in enumerate(walk.letters):
        if (letter == DROPPED) == (frame == buffer.frame):
            return None
        if letter != DROPPED:
            duration = ticks(frame_ms(*next(paths), latencies), target_fps)
            finished.append((buffer.process(duration), frame))
    return on_screen(finished, len(walk.letters))


def stream_latency(
    walks: Sequence[FramePaths],
    latencies: PathLatencies,
    *,
    target_fps: float,
    doubts: tuple[str, ...] = (),
) -> StreamLatency:
    """Return the latency over the frames of all clips that `walks` do not drop.

    Every frame has the same weight in the mean. If keyframes run in the background, the first frame
    of each clip, which waits, is left out, and so are the frames dropped while it waits.
    """
    in_background = walks[0].lag is not None
    frames = list(itertools.chain.from_iterable(_clip_ms(walk, latencies) for walk in walks))
    assert frames, "a stream without a frame"
    letters = "".join(map(_counted_letters, walks))
    return StreamLatency(
        mean_ms=math.fsum(frames) / len(frames),
        worst_ms=max(frames),
        every_frame=max(frames) <= 1000.0 / target_fps,
        dropped_frames=letters.count(DROPPED) / len(letters),
        source=latencies.source_of({path for walk in walks for path in walk.paths}),
        doubts=doubts,
        startup_ms=latencies.key.median_ms if in_background else None,
    )


def _counted_letters(walk: FramePaths) -> str:
    if walk.lag is None:
        return walk.letters
    return walk.letters[0] + walk.letters[1:].lstrip(DROPPED)


def background_lag(latencies: PathLatencies, *, target_fps: float) -> int:
    """Return the number of camera frames that a keyframe takes in the background.

    It starts when its frame arrives, and serves the first frame that arrives after it is done. It
    is assumed to have a core for itself, as the frames have.
    """
    return max(1, math.ceil(latencies.key.median_ms * target_fps / 1000.0))


def keyframe_lag(trial: TrialResult, *, target_fps: float) -> int:
    """Return the lag in frames that `trial` was scored with, or would have in the background."""
    scored = trial.walks[0].lag
    lag = background_lag(trial.graph_latencies, target_fps=target_fps)
    return lag if scored is None else scored


def _clip_ms(walk: FramePaths, latencies: PathLatencies) -> list[float]:
    frames = [
        frame_ms(path, ran, latencies) for path, ran in zip(walk.paths, walk.gated, strict=True)
    ]
    return frames[1:] if walk.lag is not None and len(frames) > 1 else frames


def frame_ms(path: FramePath, gate_ran: bool, latencies: PathLatencies) -> float:
    """Return the milliseconds of one frame: what its path takes, and the gate if it ran."""
    return latencies.of_path(path) + (latencies.gate.median_ms if gate_ran else 0.0)


def least_stream(policy: Policy, latencies: PathLatencies, *, target_fps: float) -> StreamLatency:
    """Return the least latency of `policy`: no figure of a long clip is lower.

    Exact without a gate. With a gate every frame between keyframes pays for the gate, and takes the
    cheapest path that the thresholds allow. A keyframe forced by the interval pays for no gate.
    """
    path, gated = _cheapest_path(policy, latencies)
    between_ms, key_ms = frame_ms(path, gated, latencies), frame_ms("key", False, latencies)
    interval = policy.keyframe_interval
    if policy.asynchronous:  # no frame waits for a keyframe
        mean_ms = worst_ms = between_ms
        buffered = [between_ms] * 2
    else:
        mean_ms = (key_ms + (interval - 1) * between_ms) / interval
        worst_ms = key_ms if interval == 1 else max(key_ms, between_ms)
        buffered = [key_ms, *[between_ms] * (interval - 1)]
    return StreamLatency(
        mean_ms=mean_ms,
        worst_ms=worst_ms,
        every_frame=worst_ms <= 1000.0 / target_fps,
        dropped_frames=_least_dropped(buffered, mean_ms, target_fps),
        source=latencies.source_of([path]),
        startup_ms=key_ms if policy.asynchronous else None,
    )


def _cheapest_path(policy: Policy, latencies: PathLatencies) -> tuple[FramePath, bool]:
    """Return the cheapest path between keyframes, and whether the gate runs."""
    allowed: set[FramePath] = {policy.between_keyframes}
    if policy.reuse_below is not None:
        allowed.add("reuse")
    if policy.refresh_above is not None and not policy.asynchronous:
        allowed.add("key")
    gated = policy.reuse_below is not None if policy.asynchronous else policy.gated
    return min(allowed, key=lambda path: frame_ms(path, gated, latencies)), gated


def _least_dropped(interval_ms: Sequence[float], mean_ms: float, target_fps: float) -> float:
    """Return the least share of dropped frames: in one interval, and on an endless clip.

    A processor that takes longer than the period in the mean drops frames sooner or later; one that
    does not has caught up before the next keyframe.
    """
    buffer = OneFrameBuffer(frames=PERIOD)
    for duration_ms in interval_ms:
        buffer.process(ticks(duration_ms, target_fps))
    in_interval = 1 - len(interval_ms) / buffer.frame
    mean = ticks(mean_ms, target_fps)
    return max(in_interval, 1 - PERIOD / mean if mean > PERIOD else 0.0)
