"""A PostgreSQL server of the test run's own, in a folder for which nothing is configured."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

USER = "tester"
PATIENCE_S = 60.0


def program(name: str) -> str | None:
    """Return the newest PostgreSQL program of a name, as Debian installs it, or None."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or next(map(str, places), None)


class Server:
    """A running server. It may be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        """Create the files of a server in `folder`, which is made."""
        self._folder, self._server = folder, None
        folder.mkdir(mode=0o755)
        self._as: dict[str, str] = {}
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            user = "postgres" if _is_user("postgres") else "nobody"
            shutil.chown(folder, user)
            self._as = {"user": user}
        initdb = program("initdb")
        assert initdb is not None
        command = [initdb, "-D", f"{folder}/data", "-U", USER, "--auth=trust", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._as)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._databases = 0

    def start(self) -> None:
        """Start, and wait until it answers."""
        postgres = program("postgres")
        assert postgres is not None
        command = [postgres, "-D", f"{self._folder}/data", "-p", f"{self.port}", "-c", "fsync=off"]
        command += ["-c", "listen_addresses=127.0.0.1", "-k", str(self._folder)]
        command += ["-c", "max_connections=300"]
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(command, stderr=log, stdout=log, cwd="/", **self._as)
        ends = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert time.monotonic() < ends, (self._folder / "log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop at once; connections break."""
        if self._server is not None:
            self._server.kill() if self._server.poll() else self._server.send_signal(3)
            self._server.wait(PATIENCE_S)

    def new_database(self) -> str:
        """Return the URL of a new database; it has a password, which the server ignores."""
        import psycopg

        self._databases += 1
        name = f"study{self._databases}"
        address = f"postgresql://{USER}:hidden-word@127.0.0.1:{self.port}"
        ends = time.monotonic() + PATIENCE_S
        while True:
            try:
                with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {name}")
                return f"{address}/{name}"
            except psycopg.OperationalError:  # it starts up
                assert time.monotonic() < ends
                time.sleep(0.2)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server; the test is skipped where none is installed."""
    pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")
    if program("initdb") is None or program("postgres") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # Not among pytest's folders, which the server's user may not enter.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        server = Server(Path(name) / "server")
        server.start()
        yield server
        server.stop()


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
