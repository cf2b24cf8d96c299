"""Applies a policy to a whole clip, frame by frame, and records which mask each frame shows."""

import dataclasses
from collections.abc import Callable

from jejunet_nas.records import FramePath
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import PathChooser
from jejunet_nas.video.results import Shown

Gate = Callable[[int, int], float]  # frame, keyframe -> score in [0, 1]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The frames of one clip under one policy, one item for each frame.

    shown: the mask. gate_scores: None where the gate did not run. begun: whether a keyframe started
    in the background.
    """

    paths: tuple[FramePath, ...]
    shown: tuple[Shown, ...]
    gate_scores: tuple[float | None, ...]
    begun: tuple[bool, ...]

    @property
    def ages(self) -> tuple[int, ...]:
        """The age in frames of the keyframe that each frame uses; 0 on a keyframe."""
        return tuple(t - shown.keyframe for t, shown in enumerate(self.shown))


def walk(frames: int, policy: Policy, gate: Gate, *, lag: int | None = None) -> Walk:
    """Return the walk of `policy` over a clip with `frames` frames.

    lag: how long a keyframe takes in the background, in frames; None if and only if the policy is
    synchronous. It follows from the key graph's latency and the camera's rate.
    """
    assert (lag is not None) == policy.asynchronous, (lag, policy)
    chooser = PathChooser(policy)
    paths: list[FramePath] = []
    shown: list[Shown] = []
    scores: list[float | None] = []
    begun: list[bool] = []
    keyframe, running = 0, None
    for t in range(frames):
        if running is not None and lag is not None and t - running >= lag:
            chooser.keyframe_arrived()
            keyframe, running = running, None
        score = gate(t, keyframe) if chooser.wants_gate() else None
        path = chooser.choose(score)
        if path == "key":
            keyframe = t
        # On reuse it is the keyframe's mask, which the gate has compared.
        shown.append(Shown(t if path == "propagate" else keyframe, keyframe))
        if chooser.begins_keyframe:
            running = t
        paths.append(path)
        scores.append(score)
        begun.append(chooser.begins_keyframe)
    return Walk(
        paths=tuple(paths), shown=tuple(shown), gate_scores=tuple(scores), begun=tuple(begun)
    )
