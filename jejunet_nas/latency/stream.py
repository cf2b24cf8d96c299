"""The latency of a stream of frames, each on the path that its policy chose.

Comes after inference: `video` gives the path of every frame and where the gate ran, a meter the
latency of each graph. `floor_ms` needs no inference, so an architecture that cannot meet the target
is refused before it is trained.

Units: milliseconds; `target_fps` in frames a second of the camera.
"""

import itertools
import math
from collections.abc import Sequence

from jejunet_nas.records import FramePath, FramePaths, PathLatencies, StreamLatency, TrialResult
from jejunet_nas.space.architecture import Policy


def stream_latency(
    walks: Sequence[FramePaths],
    latencies: PathLatencies,
    *,
    target_fps: float,
    doubts: tuple[str, ...] = (),
) -> StreamLatency:
    """Return the latency over all frames of all clips.

    Every frame has the same weight in the mean. The share of dropped frames is over the camera
    frames of all clips, each clip starting with an idle processor (see `count_frames`). If
    keyframes run in the background, the first frame of each clip, which waits, is left out.
    """
    in_background = walks[0].lag is not None
    clips = [_clip_ms(walk, latencies) for walk in walks]
    frames = list(itertools.chain.from_iterable(clips))
    assert frames, "a stream without a frame"
    period_ms = 1000.0 / target_fps
    lag = background_lag(latencies, target_fps=target_fps)
    if in_background and lag != walks[0].lag:
        doubts = (
            *doubts,
            f"a keyframe takes {lag} frame(s) in the background, and the masks were scored with "
            f"{walks[0].lag}",
        )
    counts = [count_frames(clip, period_ms) for clip in clips]
    arrived, dropped = (sum(column) for column in zip(*counts, strict=True))
    return StreamLatency(
        mean_ms=math.fsum(frames) / len(frames),
        worst_ms=max(frames),
        every_frame=max(frames) <= period_ms,
        dropped_frames=dropped / arrived,
        source=latencies.source,
        doubts=doubts,
        startup_ms=latencies.key.median_ms if in_background else None,
    )


def background_lag(latencies: PathLatencies, *, target_fps: float) -> int:
    """Return the number of camera frames that a keyframe takes in the background.

    It starts when its frame arrives, and serves the first frame that arrives after it is done. It
    is assumed to have a core for itself, as the frames have.
    """
    return max(1, math.ceil(latencies.key.median_ms * target_fps / 1000.0))


def keyframe_lag(trial: TrialResult, *, target_fps: float) -> int:
    """Return the lag in frames that `trial` was scored with, or would have in the background."""
    scored = trial.walks[0].lag
    predicted = background_lag(trial.network.latencies, target_fps=target_fps)
    return predicted if scored is None else scored


def _clip_ms(walk: FramePaths, latencies: PathLatencies) -> list[float]:
    frames = [
        frame_ms(path, ran, latencies) for path, ran in zip(walk.paths, walk.gated, strict=True)
    ]
    return frames[1:] if walk.lag is not None and len(frames) > 1 else frames


def frame_ms(path: FramePath, gate_ran: bool, latencies: PathLatencies) -> float:
    """Return the milliseconds of one frame: the graph of its path, and the gate if it ran."""
    # No graph runs on the path "reuse".
    path_ms: float = 0.0 if path == "reuse" else getattr(latencies, path).median_ms
    return path_ms + (latencies.gate.median_ms if gate_ran else 0.0)


def count_frames(durations_ms: Sequence[float], period_ms: float) -> tuple[int, int]:
    """Return the numbers of camera frames that arrive, and that are dropped, during processing.

    The camera delivers frame i at i * period_ms into a one-frame buffer. An idle processor takes
    the waiting frame, or the next to arrive; a frame that arrives while another one waits replaces
    it, and the replaced frame is dropped. A frame that arrives just as the processor becomes idle
    comes after the processor has taken the waiting frame.

    `durations_ms` are those of the processed frames, in order: the camera runs until all are
    processed, so each path counts once, however many camera frames arrive. That the policy would
    see other frames, further apart, is neglected.
    """
    taken = newest = 0
    idle_ms, dropped = 0.0, 0
    for duration_ms in durations_ms:
        idle_ms = max(idle_ms, taken * period_ms) + duration_ms
        newest = max(math.ceil(idle_ms / period_ms) - 1, taken)
        dropped += max(newest - taken - 1, 0)
        taken = max(newest, taken + 1)
    return (newest + 1 if durations_ms else 0), dropped


def floor_ms(policy: Policy, latencies: PathLatencies) -> float:
    """Return the least mean milliseconds a frame of `policy` on an endless clip.

    Exact without a gate. With a gate it is a lower bound: every frame between keyframes pays for
    the gate and takes the cheapest path that the thresholds allow. A keyframe forced by the
    interval pays for no gate.
    """
    allowed: set[FramePath] = {policy.between_keyframes}
    if policy.reuse_below is not None:
        allowed.add("reuse")
    if policy.refresh_above is not None:
        allowed.add("key")
    if policy.asynchronous:  # no frame waits for a keyframe
        gate_runs = policy.reuse_below is not None
        return min(frame_ms(path, gate_runs, latencies) for path in allowed - {"key"})
    between_ms = min(frame_ms(path, policy.gated, latencies) for path in allowed)
    key_ms = frame_ms("key", False, latencies)
    return (key_ms + (policy.keyframe_interval - 1) * between_ms) / policy.keyframe_interval
