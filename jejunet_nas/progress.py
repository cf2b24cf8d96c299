"""Progress of long work: callbacks that report it, and the seconds that each stage took."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[str], None]  # one line for the user
Tell = Callable[[str, int, int], None]  # the activity, steps done, steps in total


@dataclasses.dataclass(slots=True)
class Clock:
    """Seconds spent in each stage."""

    stage_s: dict[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stage_s = dict(self.stage_s)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the block to the stage `name`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.stage_s[name] = self.stage_s.get(name, 0.0) + spent

    def move(self, source: str, target: str, seconds: float) -> None:
        """Move `seconds` from the stage `source` to the stage `target`."""
        self.stage_s[source] -= seconds
        self.stage_s[target] = self.stage_s.get(target, 0.0) + seconds
