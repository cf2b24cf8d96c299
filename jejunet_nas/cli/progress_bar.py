"""A progress bar for commands that read many files or frames."""

import contextlib
from collections.abc import Iterator

from rich.console import Console

from jejunet_nas.progress import Tell, printable_line


@contextlib.contextmanager
def progress_bar(console: Console) -> Iterator[Tell]:
    """Show how much is done, how fast, and the time left; only on a terminal.

    The yielded function takes the description, the count so far and the total, 0 if unknown.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    speed_text = TextColumn("{task.fields[speed_text]}", markup=False)
    what_text = TextColumn("{task.description}", markup=False)
    columns = (what_text, BarColumn(), MofNCompleteColumn(), speed_text)
    shown = Progress(
        *columns, TimeLeft(), console=console, transient=True, disable=not console.is_terminal
    )
    with shown:
        task = shown.add_task("", total=None, speed_text="")

        def tell(what: str, done: int, total: int) -> None:
            speed = shown.tasks[0].speed
            shown.update(
                task,
                description=printable_line(what),
                completed=done,
                total=total or None,
                speed_text=f"{speed:.1f} fps" if speed else "",
            )

        yield tell
