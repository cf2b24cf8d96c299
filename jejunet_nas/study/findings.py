"""Findings: what is wrong with a study's state, what that means, and the command that mends it."""

import dataclasses
import shlex
from collections.abc import Iterable
from pathlib import Path

from jejunet_nas.faults import masked
from jejunet_nas.study.storage import checked_url
from jejunet_nas.study.storage_errors import sqlite_file


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault. what: names the file or the trial. means: for the user.

    command: mends it; empty where `what` says what to do. damaged: False where nothing is lost.
    """

    what: str
    means: str
    command: str = ""
    damaged: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """The commands that mend a study, for a shell. word: names the study. url: its storage."""

    word: str
    url: str
    storage: str | None  # where it was given; otherwise it is the study's own

    @property
    def search(self) -> str:
        """Take up interrupted trials, or begin again with the networks that are there."""
        storage = f" --storage {shlex.quote(masked(self.storage))}" if self.storage else ""
        return f"jejunet-nas search {shlex.quote(self.word)}{storage}"

    @property
    def repair(self) -> str:
        """Make lost networks again."""
        return f"{self.search} --repair"

    @property
    def restart(self) -> str:
        """Search again beside the trained networks; empty where the database is a server's."""
        file = sqlite_file(checked_url(self.url))
        if file is None:
            return ""
        away = file.with_name(f"{file.name}.damaged")
        return f"mv {shlex.quote(str(file))} {shlex.quote(str(away))} && {self.search}"


def removal(paths: Iterable[Path]) -> str:
    """Return the command that removes files or folders."""
    return f"rm -r {' '.join(shlex.quote(str(path)) for path in paths)}"


def numbers_words(numbers: Iterable[int]) -> str:
    """Return, say, `trial 3` or `trials 3, 4`."""
    listed = [*numbers]
    return f"trial{'' if len(listed) == 1 else 's'} {', '.join(map(str, listed))}"
