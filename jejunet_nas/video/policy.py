"""The rules that choose each frame's path, from what a phone knows at that frame.

A synchronous keyframe is the path of its frame. A keyframe in the background starts on a frame that
takes another path, and is ready some frames later; only a stream's first frame waits for it.
"""

import dataclasses

from jejunet_nas.records import FramePath
from jejunet_nas.space.architecture import Policy


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
