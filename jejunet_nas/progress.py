"""Progress of long work: callbacks that report it, its words, and the seconds of each stage."""

import dataclasses
import time
import unicodedata
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


def printable(text: str) -> str:
    r"""Return `text` for a terminal: control characters are spelt out, say `\x1b`; lines stay."""
    return text if text.isprintable() else "".join(map(_spelt, text))


def printable_line(text: str) -> str:
    """Return `text` as `printable` does, on one line."""
    return printable(" ".join(text.split("\n")))


def _spelt(letter: str) -> str:
    # Scripts such as Persian join letters by invisible ones; wide spaces are harmless.
    harmless = letter in "\n\u200c\u200d" or unicodedata.category(letter) == "Zs"
    if harmless or letter.isprintable():
        return letter
    return letter.encode("unicode_escape").decode("ascii")
