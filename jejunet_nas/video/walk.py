"""Takes a policy over a clip, frame by frame, as a phone would, out of what the network made of it.

Where keyframes run in the background, the frames that one takes follow from its latency and the
camera's rate, and are handed in as `lag`.
"""

import dataclasses
from collections.abc import Callable

from jejunet_nas.records import FramePath
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.policy import PathChooser
from jejunet_nas.video.results import Shown

Gate = Callable[[int, int], float]  # frame, keyframe -> how far the keyframe is out of date


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What one clip's frames get under one policy, one item a frame.

    shown: which mask. gate_scores: None where the gate did not run. begun: whether a keyframe
    began in the background.
    """

    paths: tuple[FramePath, ...]
    shown: tuple[Shown, ...]
    gate_scores: tuple[float | None, ...]
    begun: tuple[bool, ...]

    @property
    def ages(self) -> tuple[int, ...]:
        """How many frames old the keyframe is that each frame makes do with; 0 on a keyframe."""
        return tuple(t - shown.keyframe for t, shown in enumerate(self.shown))


def walk(frames: int, policy: Policy, gate: Gate, *, lag: int | None = None) -> Walk:
    """Return the walk of `policy` over a clip of so many `frames`.

    `lag`, in frames, is how long a keyframe takes in the background; None, and only then, where
    the policy knows no background.
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
        # On reuse the keyframe's mask: of all shown so far the one that the gate has spoken of.
        shown.append(Shown(t if path == "propagate" else keyframe, keyframe))
        if chooser.begins_keyframe:
            running = t
        paths.append(path)
        scores.append(score)
        begun.append(chooser.begins_keyframe)
    return Walk(
        paths=tuple(paths), shown=tuple(shown), gate_scores=tuple(scores), begun=tuple(begun)
    )
