"""Screen: what a person sees of a clip, frame by frame, with the latencies of one device.

A camera delivers frame j at j periods into a one-frame buffer; the clip's frames are the camera's.
The policy sees only the frames that the processor takes: its interval and its gate count those. At
each frame's time the screen shows the newest finished mask (streaming perception: Li, Wang and
Ramanan, "Towards Streaming Perception", ECCV 2020).
"""

import dataclasses

from jejunet_nas.latency.stream import (
    OneFrameBuffer,
    background_lag,
    frame_ms,
    on_screen,
    ticks,
)
from jejunet_nas.records import FramePaths, PathLatencies
from jejunet_nas.records.latencies import DROPPED
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import Gate, PathChooser
from jejunet_nas.video.results import Shown, shown_on


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One clip on the screen.

    shown: the mask at each frame's time, None before the first is finished.
    """

    walk: FramePaths
    shown: tuple[Shown | None, ...]


def simulate(
    clip: str,
    frames: int,
    policy: Policy,
    gate: Gate,
    latencies: PathLatencies,
    *,
    target_fps: float,
) -> Screen:
    """Return the screen of the clip named `clip`, which has `frames` frames.

    A frame that reuses the keyframe's mask takes only the gate's time. A keyframe in the background
    starts when its frame is taken, and serves the frames that are taken once it is done. A mask
    that moves does so from one taken frame to the next, since its keyframe was taken. With
    `ahead` on, each mask is moved on by the motion that was found last; keyframes find none.
    """
    chooser, buffer = PathChooser(policy), OneFrameBuffer(frames)
    key_ticks = ticks(latencies.key.median_ms, target_fps)
    letters, finished = [DROPPED] * frames, []
    taken: list[int] = []
    keyframe, begun, ready = 0, None, 0
    motion: tuple[int, ...] = ()  # the last that was found: of a frame, since the one before it
    while (frame := buffer.frame) < frames:
        if begun is not None and buffer.start >= ready:
            chooser.keyframe_arrived()
            keyframe, begun = begun, None
        score = gate(frame, keyframe) if chooser.wants_gate() else None
        path = chooser.choose(score)
        if path == "key":
            keyframe = frame
        if chooser.begins_keyframe:
            begun, ready = frame, buffer.start + key_ticks
        taken.append(frame)
        letters[frame] = path[0] if score is None else path[0].upper()
        shown = shown_on(path, frame, keyframe, taken)
        if policy.ahead:
            motion = motion if path == "key" else (frame, taken[-2])
            shown = shown._replace(ahead=motion)
        duration = ticks(frame_ms(path, score is not None, latencies), target_fps)
        finished.append((buffer.process(duration), shown))
    lag = background_lag(latencies, target_fps=target_fps) if policy.asynchronous else None
    return Screen(
        walk=FramePaths(clip=clip, letters="".join(letters), lag=lag),
        shown=on_screen(finished, frames),
    )
