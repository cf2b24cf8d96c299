"""An adb server of the tests' own: its port, its keys and its log are nobody else's."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from tests.phone.stand_in import StandIn, free_port

ADB_TIMEOUT_S = 20
# What a developer may have set, and what would lead adb away from the tests' server.
FOREIGN = ("ANDROID_SERIAL", "ANDROID_ADB_SERVER_ADDRESS", "ADB_SERVER_SOCKET", "ADB_TRACE")


class AdbServer:
    """A context manager; the server starts with the first adb command and is killed at the end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="jejunet-adb-"))
        self.environment = {
            "ANDROID_ADB_SERVER_PORT": str(free_port()),
            "HOME": str(self.folder),  # where adb keeps its keys
            "ANDROID_USER_HOME": str(self.folder / ".android"),  # the same, to adb 34
            "ANDROID_ADB_LOG_PATH": str(self.folder / "adb.log"),
            "ADB_MDNS": "0",
            "ADB_MDNS_AUTO_CONNECT": "0",
            "ADB_USB": "0",
            "ADB_LOCAL_TRANSPORT_MAX_PORT": "5554",  # looks for no emulators
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if shutil.which("adb") is not None:
            self.adb("kill-server")
        shutil.rmtree(self.folder, ignore_errors=True)

    def adb(
        self, *arguments: str | Path, timeout_s: float = ADB_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run adb with this server; whatever it says, it does not raise."""
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return subprocess.run(
            ["adb", *map(str, arguments)],
            env=inherited | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )

    def connect(self, phone: StandIn) -> subprocess.CompletedProcess[str]:
        """Connect `phone`; an exit code of 0 does not mean that it worked, in adb 29 nor in 36."""
        return self.adb("connect", phone.serial)

    def reconnect(self, phone: StandIn) -> subprocess.CompletedProcess[str]:
        """Connect `phone` after it was replugged.

        To adb it is "already connected", though offline, for up to ten seconds more.
        """
        self.disconnect(phone)
        return self.connect(phone)

    def disconnect(self, phone: StandIn) -> subprocess.CompletedProcess[str]:
        """Forget `phone`, so that adb does not try to reach it again."""
        return self.adb("disconnect", phone.serial)
