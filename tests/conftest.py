"""Settings of the whole test run, and the phone that any test may ask for."""

import contextlib
import signal
import sqlite3

from hypothesis import settings
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.phone.fixtures import adb_server, phone
from tests.postgresql import postgresql

__all__ = ["adb_server", "phone", "postgresql"]

# Both cores may be busy with training: a law is judged by its examples, not by their time.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


@event.listens_for(Engine, "connect")
def _without_sync(connection: object, _: object) -> None:
    """Leave SQLite's files to the system: no test has a power cut, and each commit waits 15 ms."""
    if isinstance(connection, sqlite3.Connection):
        with contextlib.suppress(sqlite3.OperationalError):  # another program locks it
            connection.execute("PRAGMA synchronous = OFF")


# What is started in the background of a shell ignores Ctrl-C, and with `nohup` a hang-up; so would
# the tests of them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
