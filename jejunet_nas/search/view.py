"""The progress of a running search: a live panel on a terminal, plain lines elsewhere."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jejunet_nas.progress import printable_line
from jejunet_nas.records.words import counted, per_cent

LINE_EVERY_S = 20.0  # between two plain lines about one stage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SearchProgress:
    """The progress of a search.

    added: trials of further policies. held: networks of a round that is under way. best_miou: of
    feasible trials, None without one.
    """

    study: str
    complete: int
    wanted: int
    refused: int
    failed: int
    target_fps: float
    best_miou: float | None
    hypervolume: float
    left_s: float | None
    held: int = 0
    added: int = 0

    def words(self) -> str:
        """Return the progress in one line."""
        best = "none yet"
        if self.best_miou is not None:
            area = f"hypervolume {self.hypervolume:.2f} mIoU x ms"
            best = f"{per_cent(self.best_miou)} mIoU; {area}"
        left = "" if self.left_s is None else left_words(self.left_s)
        counts = {
            " added": self.added,
            " more in this round": self.held,
            " refused": self.refused,
            " failed": self.failed,
        }
        beside = ", ".join(f"{count}{what}" for what, count in counts.items() if count)
        return (
            f"{self.complete} of {self.wanted} trials{f' ({beside})' if beside else ''}; "
            f"best at {self.target_fps:g} fps: {best}{left}"
        )


class _Pace:
    """How fast a stage goes on, since it began or was taken up again after another stage."""

    def __init__(self) -> None:
        self._name = ""
        self._began_s, self._began_at = 0.0, 0

    def note(self, what: str, done: int) -> None:
        """Note that `done` steps of the stage `what` are done."""
        if (name := what.split(",")[0]) != self._name:
            self._name, self._began_s, self._began_at = name, time.monotonic(), done

    def left_words(self, done: int, total: int) -> str:
        """Return the time left as `left_words` does; nothing before a step is done."""
        steps = done - self._began_at
        if steps <= 0:
            return ""
        return left_words((time.monotonic() - self._began_s) / steps * (total - done))


class View:
    """Shows the progress of a search while it is open, as plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pace = _Pace()
        self._next_s, self._workers_s = time.monotonic() + LINE_EVERY_S, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def stage(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of the stage `what` are done, now and then."""
        self._pace.note(what, done)
        if total > 1 and (now := time.monotonic()) >= self._next_s:
            self._next_s = now + LINE_EVERY_S
            self.say(f"  {what}: {done} of {total}{self._pace.left_words(done, total)}")

    def workers(self, stages: Sequence[str]) -> None:
        """Show what each worker does."""
        if stages and time.monotonic() >= self._workers_s + LINE_EVERY_S:
            self._workers_s = time.monotonic()
            self.say(f"  {counted(len(stages), 'worker')}: {'; '.join(stages)}")

    def say(self, line: str) -> None:
        """Show one line about something that ended, such as a trial."""
        self._console.print(Text(printable_line(line)), soft_wrap=True)

    def progress(self, progress: SearchProgress) -> None:
        """Show the progress of the search."""
        self.say(f"{progress.study}: {progress.words()}")


class _LiveView(View):
    """Keeps the progress and the stage at the bottom, while lines of events scroll above."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._progress: SearchProgress | None = None
        self._stage = ("prepare", 0, 1)
        self._workers: Sequence[str] = ()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        if self._progress:
            super().progress(self._progress)

    def stage(self, what: str, done: int, total: int) -> None:
        self._pace.note(what, done)
        self._stage = (what, done, total)
        self._live.update(self._picture())

    def workers(self, stages: Sequence[str]) -> None:
        self._workers = stages
        self._live.update(self._picture())

    def progress(self, progress: SearchProgress) -> None:
        self._progress = progress
        self._live.update(self._picture())

    def _stage_words(self) -> str:
        what, done, total = self._stage
        if total <= 1 or done == 0:
            return what
        return f"{what}, {done} of {total}{self._pace.left_words(done, total)}"

    def _picture(self) -> Group:
        _, done, total = self._stage
        rows = Table.grid(padding=(0, 2))
        if self._progress:
            rows.add_row(
                Text(self._progress.study, style="bold"),
                ProgressBar(self._progress.wanted, self._progress.complete, width=30),
                Text(self._progress.words()),
            )
        for number, stage in enumerate(self._workers):
            rows.add_row(Text(f"worker {number + 1}", style="dim"), "", Text(printable_line(stage)))
        if self._workers:
            return Group(rows)
        rows.add_row(
            Text("this trial", style="dim"),
            ProgressBar(total, done, width=30),
            Text(printable_line(self._stage_words()), style="dim"),
        )
        return Group(rows)


def make_view(console: Console) -> View:
    """Return a live panel if `console` is a terminal, plain lines otherwise."""
    return _LiveView(console) if console.is_terminal else View(console)


def left_words(seconds: float) -> str:
    """Return, for example, `, about 12 min left`; nothing for less than a second."""
    return f", about {duration(seconds)} left" if seconds >= 1 else ""


def duration(seconds: float) -> str:
    """Return, for example, `45 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
