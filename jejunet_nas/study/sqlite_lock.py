"""A SQLite connection that waits while another program locks the database.

SQLite gives up after five seconds; a search must not end because somebody looks at its database.
"""

import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar

from jejunet_nas.progress import Say

AGAIN_S = 0.1  # between two attempts
SAY_AFTER_S = 5.0  # a writer usually releases its lock sooner
GIVE_UP_S = 3600.0

_Result = TypeVar("_Result")


class PatientConnection(sqlite3.Connection):
    """A connection that waits while another program locks the database."""

    def __init__(self, *given: Any, say: Say, **named: Any) -> None:
        super().__init__(*given, **named)
        self._say = say

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor that waits as well."""
        return super().cursor(_PatientCursor)

    def commit(self) -> None:
        """End the transaction."""
        self.patiently(super().commit)

    def patiently(self, act: Callable[[], _Result]) -> _Result:
        """Return what `act` returns, once the database is not locked."""
        began_s, said = time.monotonic(), False
        while True:
            try:
                result = act()
            except sqlite3.OperationalError as error:
                waited_s = time.monotonic() - began_s
                if not _is_locked(error) or waited_s > GIVE_UP_S:
                    raise
                if waited_s > SAY_AFTER_S and not said:
                    said = True
                    self._say("another program locks the study's database: waiting for it")
                time.sleep(AGAIN_S)
                continue
            if said:
                self._say("the study's database is free again")
            return result


class _PatientCursor(sqlite3.Cursor):
    connection: PatientConnection

    def execute(self, *given: Any) -> Any:
        return self.connection.patiently(lambda: super(_PatientCursor, self).execute(*given))


def _is_locked(error: sqlite3.OperationalError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
