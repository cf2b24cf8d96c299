"""The printer of all commands: results to standard output, messages to standard error.

Text from outside (names of classes, files, studies and phones, reasons of errors) is shown as it
is: brackets and colons are no markup, and control characters are spelt out. With --json, standard
output has the JSON alone, and what people read goes to standard error.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jejunet_nas.cli.streams import Stream, streams
from jejunet_nas.progress import Say, printable, printable_line

WIDE = 260  # columns where there is no terminal: a row of a table fits in one line


class PlainConsole(Console):
    """A console without markup, in which text stays text."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(file=stream, markup=False, emoji=False, highlight=False)  # type: ignore[arg-type]
        if not self.is_terminal:
            self.width = WIDE

    def render_str(self, text: str, **options: Any) -> Text:
        """Return `text` for a cell or a line, without control characters."""
        return super().render_str(printable_line(text), **options)


class Printer:
    """Prints what one command has to say."""

    def __init__(self, *, as_json: bool = False) -> None:
        ours = streams()
        self.messages = PlainConsole(ours.err)
        self._results = self.messages if as_json else PlainConsole(ours.out)
        self._out, self._as_json = ours.out, as_json

    def result(self, what: "str | Table" = "") -> None:
        """Print a part of the result: text of one or more lines, or a table."""
        if isinstance(what, str):
            self._results.print(Text(printable(what)), soft_wrap=True)
        else:
            self._results.print(what)

    def say(self, line: str) -> None:
        """Print a message: one line about the work."""
        self.messages.print(Text(printable_line(line)), soft_wrap=True)

    def json(self, plain: Any) -> None:
        """Print the result as JSON, if that is asked for."""
        if self._as_json:
            print_json(plain)

    @contextlib.contextmanager
    def status(self, what: str) -> Iterator[Say]:
        """Show `what` is being done, on a terminal only; the yielded function changes the words."""
        with self.messages.status(Text(printable_line(what))) as status:
            yield lambda words: status.update(Text(printable_line(words)))


def print_json(plain: Any) -> None:
    """Print `plain` as JSON on standard output; any terminal and encoding takes it."""
    out = streams().out
    text = json.dumps(plain, indent=2, ensure_ascii=False)
    if (out.encoding or "utf-8").lower().replace("-", "") != "utf8":
        text = json.dumps(plain, indent=2)
    out.write(
        "".join(
            letter if letter == "\n" or letter.isprintable() else json.dumps(letter)[1:-1]
            for letter in text
        )
        + "\n"
    )
    out.flush()


def print_error(line: str) -> None:
    """Print the line with which a command that failed ends."""
    err = streams().err
    err.write(f"jejunet-nas: {printable_line(line)}\n")
    err.flush()
