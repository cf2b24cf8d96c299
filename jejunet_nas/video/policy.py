"""Which path each frame takes: pure rules that see only what a phone could see.

Two kinds of keyframes. One that is waited for is a path of its frame. One that runs in the
background begins on a frame that takes another path, and arrives some frames later; only a
stream's first frame, which has nothing to make do with, waits for its keyframe.
"""

import dataclasses

from jejunet_nas.records import FramePath
from jejunet_nas.space.architecture import Policy


@dataclasses.dataclass(slots=True)
class PathChooser:
    """Applies a policy frame by frame; begins anew with every clip.

    Ask `wants_gate()` first: where it is true, the gate is run on the frame and its score handed to
    `choose`. Where keyframes run in the background, `begins_keyframe` tells after `choose` whether
    one begins on this frame, and `keyframe_arrived()` is to be called when it is done, before the
    next frame is asked about.
    """

    policy: Policy
    begins_keyframe: bool = False
    _frames_since_keyframe: int | None = None  # None: no keyframe has been seen
    _running: bool = False  # a keyframe, in the background

    def wants_gate(self) -> bool:
        """Whether anything about the next frame depends on the gate's score."""
        if not self.policy.asynchronous:
            return self.policy.gated and not self._keyframe_due()
        may_refresh = self.policy.refresh_above is not None and not (
            self._running or self._keyframe_due()
        )
        seen = self._frames_since_keyframe is not None
        return seen and (self.policy.reuse_below is not None or may_refresh)

    def choose(self, score: float | None = None) -> FramePath:
        """Return the path of the next frame; `score` in [0, 1] is what the gate said of it."""
        assert (score is not None) == self.wants_gate(), "the gate's score goes with its question"
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
        """Take note that the keyframe in the background is done."""
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
