"""The lead of a study: one process at a time draws its trials and writes what they scored.

Where the study is in a database that several machines reach, the lead is a lock in that database,
which ends with the connection of the process that has it. For a SQLite file see `study.lock`.
"""

import hashlib

import sqlalchemy
from sqlalchemy.engine import Connection

from jejunet_nas.errors import SettingError
from jejunet_nas.study.storage import checked_url, open_engine
from jejunet_nas.study.storage_errors import place_of, sqlite_file


def is_shared(url: str) -> bool:
    """Whether several machines may reach the database at `url`: it has a server that locks.

    Raises `SettingError` for a server other than PostgreSQL's.
    """
    parsed = checked_url(url)
    if sqlite_file(parsed) is not None:
        return False
    if parsed.get_backend_name() != "postgresql":
        raise SettingError(
            f"--storage is {place_of(url)}; allowed: sqlite and postgresql. Use a PostgreSQL "
            "server to share a study, or leave --storage out."
        )
    return True


class SharedLead:
    """The lead of a study in a database that several machines reach."""

    def __init__(self, url: str, study: str) -> None:
        """Hold nothing yet."""
        digest = hashlib.sha256(f"jejunet_nas {study}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)
        self._url = url
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Take the lead unless another process has it; return whether this one has it now."""
        self.release()
        engine = open_engine(self._url, isolation_level="AUTOCOMMIT")
        connection = engine.connect()
        lock = sqlalchemy.text("SELECT pg_try_advisory_lock(:key)")
        if connection.execute(lock, {"key": self._key}).scalar():
            self._connection = connection
            return True
        connection.close()
        engine.dispose()
        return False

    def check(self) -> None:
        """Raise the database's error if the connection that holds the lead broke."""
        if self._connection is not None:
            self._connection.execute(sqlalchemy.text("SELECT 1"))

    def release(self) -> None:
        """Give the lead up; it ends with its connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.engine.dispose()
