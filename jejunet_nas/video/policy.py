"""The rules that choose each frame's path, and their walk over a whole clip.

A synchronous keyframe is the path of its frame. A keyframe in the background starts on a frame that
takes another path, and is ready some frames later; only a stream's first frame waits for it.
"""

import dataclasses
from collections.abc import Callable

from jejunet_nas.records import FramePath
from jejunet_nas.space.architecture import Policy
from jejunet_nas.video.results import Shown, shown_on

Gate = Callable[[int, int], float]  # frame, keyframe -> score in [0, 1]


@dataclasses.dataclass(slots=True)
class PathChooser:
    """Applies a policy to the frames of one clip, in their order.

    For each frame, call `wants_gate()`; if it is true, run the gate on the frame. Then call
    `choose` with its score. `begins_keyframe` is then whether a keyframe starts in the background
    on this frame. Call `keyframe_arrived()` when it is ready, before the next `wants_gate()`.
    """

    policy: Policy
    begins_keyframe: bool = False
    _frames_since_keyframe: int | None = None  # None before the first keyframe
    _running: bool = False  # a keyframe, in the background

    def wants_gate(self) -> bool:
        """Whether the choice for the next frame depends on the gate's score."""
        if not self.policy.asynchronous:
            return self.policy.gated and not self._keyframe_due()
        may_refresh = self.policy.refresh_above is not None and not (
            self._running or self._keyframe_due()
        )
        seen = self._frames_since_keyframe is not None
        return seen and (self.policy.reuse_below is not None or may_refresh)

    def choose(self, score: float | None = None) -> FramePath:
        """Return the path of the next frame; `score` in [0, 1] is the gate's, if it was wanted."""
        assert (score is not None) == self.wants_gate(), (
            "a score is given exactly where it is wanted"
        )
        wanted = self._keyframe_due() or self._is_far(score)
        waits = self._frames_since_keyframe is None or not self.policy.asynchronous
        self.begins_keyframe = wanted and not waits and not self._running
        self._running |= self.begins_keyframe
        path: FramePath = "key" if wanted and waits else self._cheap_path(score)
        if path == "key" or self.begins_keyframe:
            self._frames_since_keyframe = 0
        assert self._frames_since_keyframe is not None
        self._frames_since_keyframe += 1
        return path

    def keyframe_arrived(self) -> None:
        """Record that the keyframe in the background is ready."""
        assert self._running, "no keyframe was begun"
        self._running = False

    def _keyframe_due(self) -> bool:
        since = self._frames_since_keyframe
        return since is None or since >= self.policy.keyframe_interval

    def _is_far(self, score: float | None) -> bool:
        refresh = self.policy.refresh_above
        return score is not None and refresh is not None and score > refresh

    def _cheap_path(self, score: float | None) -> FramePath:
        reuse = self.policy.reuse_below
        if score is not None and reuse is not None and score < reuse:
            return "reuse"
        return self.policy.between_keyframes


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
        shown.append(shown_on(path, t, keyframe, range(t + 1)))
        if chooser.begins_keyframe:
            running = t
        paths.append(path)
        scores.append(score)
        begun.append(chooser.begins_keyframe)
    return Walk(
        paths=tuple(paths), shown=tuple(shown), gate_scores=tuple(scores), begun=tuple(begun)
    )
