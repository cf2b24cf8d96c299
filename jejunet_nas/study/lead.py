"""The lead of a study: one process at a time draws its trials and writes what they scored.

Where the study is in a database that several machines reach, the lead is a lock in that database,
which ends with the connection of the process that has it. For a SQLite file see `study.lock`.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import sqlalchemy
from sqlalchemy.engine import Connection

from jejunet_nas.errors import SettingError
from jejunet_nas.study.lock import searched_elsewhere
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


# In seconds, but for the count of probes without an answer.
_KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}


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
        engine = open_engine(self._url, isolation_level="AUTOCOMMIT", connect_args=_KEEPALIVES)
        connection = engine.connect()
        for name, value in _KEEPALIVES.items():
            if name != "keepalives":  # the server, too, notices a machine that lost its power
                connection.execute(sqlalchemy.text(f"SET tcp_{name} = {value}"))
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


@contextlib.contextmanager
def sole_lead(url: str, study: str) -> Iterator[Callable[[], None]]:
    """Hold the lead of a study in the block; yield what checks that it is still held.

    Raises `SettingError` if another process leads. A SQLite file has no lead.
    """
    if not is_shared(url):
        yield lambda: None
        return
    lead = SharedLead(url, study)
    if not lead.acquire():
        raise searched_elsewhere(study)
    try:
        yield lead.check
    finally:
        lead.release()
