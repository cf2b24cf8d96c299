"""The times of frames, without the jumps of a file's clock.

It may jump by hours, where a recorder was restarted, or back to 0, where files were joined. A step
of more than `LONGEST_GAP_S`, or back by more than a second, is replaced by one frame's duration.

Units: seconds.
"""

import dataclasses
import math

from jejunet_nas.records.words import counted

LONGEST_GAP_S = 600.0  # between frames: a recording of slides has one only where something moves
_BACK_S = 1.0  # a smaller step back is an error of one frame


@dataclasses.dataclass(slots=True)
class Clock:
    """Times that only increase, without the jumps of a file's own. gaps: time and size of each."""

    step_s: float
    time_s: float = -math.inf  # of the frame before
    gaps: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    shift_s: float = 0.0  # to add to the file's times

    def at(self, stated_s: float | None) -> float:
        """Return the time of the next frame, of which the file says `stated_s`, or nothing."""
        first = self.time_s == -math.inf
        following = 0.0 if first else self.time_s + self.step_s
        if stated_s is None:
            self.time_s = following
            return following
        seen_s = stated_s + self.shift_s
        jump_s = seen_s - following
        if jump_s > LONGEST_GAP_S or (not first and jump_s < -_BACK_S - self.step_s):
            self.gaps.append((following, jump_s))
            self.shift_s -= jump_s
            seen_s = following
        self.time_s = seen_s if seen_s > self.time_s else following
        return self.time_s

    @property
    def cut_s(self) -> float:
        """The sum of the jumps."""
        return sum(jump for _, jump in self.gaps)

    @property
    def words(self) -> str:
        """The jumps, in words that follow a file's name."""
        at_s, jump_s = max(self.gaps, key=lambda gap: abs(gap[1]))
        span = f"{jump_s / 3600:.1f} h" if abs(jump_s) >= 3600 else f"{jump_s:.1f} s"
        times = counted(len(self.gaps), "time")
        return f"has a clock that jumps {times}, by {span} at {at_s:.1f} s"
