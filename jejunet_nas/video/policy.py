"""Which path each frame takes: pure rules that see only what a phone could see."""

import dataclasses

from jejunet_nas.records import Path
from jejunet_nas.space.architecture import Policy


@dataclasses.dataclass(slots=True)
class PathChooser:
    """Applies a policy frame by frame; begins anew with every clip.

    Ask `wants_gate()` first: where it is true, the gate is run on the frame and its score handed
    to `choose`.
    """

    policy: Policy
    _frames_since_keyframe: int | None = None  # None: no keyframe has been seen

    def wants_gate(self) -> bool:
        """Whether the next frame's path depends on the gate's score."""
        return self.policy.gated and not self._keyframe_due()

    def choose(self, score: float | None = None) -> Path:
        """Return the path of the next frame; `score` in [0, 1] is what the gate said of it."""
        assert (score is not None) == self.wants_gate(), "the gate's score goes with its question"
        path = self._path(score)
        if path == "key":
            self._frames_since_keyframe = 0
        assert self._frames_since_keyframe is not None
        self._frames_since_keyframe += 1
        return path

    def _keyframe_due(self) -> bool:
        since = self._frames_since_keyframe
        return since is None or since >= self.policy.keyframe_interval

    def _path(self, score: float | None) -> Path:
        if self._keyframe_due():
            return "key"
        refresh, reuse = self.policy.refresh_above, self.policy.reuse_below
        if score is not None and refresh is not None and score > refresh:
            return "key"
        if score is not None and reuse is not None and score < reuse:
            return "reuse"
        return self.policy.between_keyframes
