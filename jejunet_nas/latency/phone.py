"""The phone: which one it is, its state, the files in our folder on it, and a lock on it.

A layer over `adb`: it knows Android's commands and nothing of graphs or benchmarks. All files on
the phone are in one folder and named by their checksums: a file that is there already is not copied
again, and no file's name reaches the phone's shell.

Units: see `records.measurements`; timeouts in seconds.
"""

import contextlib
import functools
import hashlib
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from jejunet_nas.errors import DeviceError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.adb import Adb, Answer, find_phone
from jejunet_nas.latency.cores import CLOCKS, offline_cores, read_cores, unread_cores
from jejunet_nas.progress import Say
from jejunet_nas.records.measurements import PhoneInfo, PhoneState

FOLDER = "/data/local/tmp/jejunet_nas"
WAKE_UP = "input keyevent 224"  # KEYCODE_WAKEUP: does nothing if the screen is on
LOCK_POLL_S = 1.0
START_S = 30.0  # to start a program and load a graph, at most
# The phone's program for checksums, the best first, and hashlib's name of what it prints.
_CHECKSUMS = {"sha256sum": "sha256", "sha1sum": "sha1", "md5sum": "md5"}

_PROPERTIES = {
    "serial": "ro.serialno",
    "manufacturer": "ro.product.manufacturer",
    "model": "ro.product.model",
    "build": "ro.build.fingerprint",
    "android": "ro.build.version.release",
    "abi": "ro.product.cpu.abi",
}
_STATE = """\
dumpsys battery 2>/dev/null
dumpsys power 2>/dev/null | grep mWakefulness=
dumpsys thermalservice 2>/dev/null | grep 'Thermal Status:'
"""
_PLUGS = ("AC", "USB", "Wireless", "Dock")


class Phone:
    """An attached phone. Every method raises `DeviceAwayError` if it is disconnected."""

    def __init__(self, adb: Adb) -> None:
        self._adb = adb
        self.serial = adb.serial
        self.info = _identify(adb)

    @classmethod
    def attached(cls, serial: str | None = None) -> "Phone":
        """Return the phone `serial`, or the only one that is attached."""
        return cls(find_phone(serial))

    @contextlib.contextmanager
    def turn(self, say: Say) -> Iterator[None]:
        """Lock the phone for this process inside the block; wait while another one holds it."""
        file = platformdirs.user_cache_path("jejunet_nas") / "phones" / self.info.serial_hash
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"another process measures on {self.info.name}: waiting for it to finish")
            lock.acquire(poll_interval=LOCK_POLL_S)
        try:
            yield
        finally:
            lock.release()

    def state(self) -> PhoneState:
        """Return the phone's current state."""
        return parse_state(self._adb.shell(_STATE + CLOCKS).stdout)

    def wake(self) -> None:
        """Turn the screen on: with the screen off, Android slows the cores down."""
        self._adb.shell(WAKE_UP)

    def install(self, file: Path, *, executable: bool = False) -> str:
        """Copy `file` to the phone unless it is there already; return its path on the phone."""
        target = f"{FOLDER}/{sha256_of(file)[:16]}{'' if executable else '.tflite'}"
        if not self._holds(target, file):
            self._done(f"mkdir -p {FOLDER}", "make its folder")
            self._adb.push(file, target)
            if not self._holds(target, file):
                raise DeviceError(
                    f"{file.name} was damaged while it was copied to {self.serial} (by "
                    f"{self.checked_by}). Check the cable and the phone's free space."
                )
        if executable:
            self._done(f"chmod 755 {target}", "make the program executable")
        return target

    def run(self, command: str, *, timeout_s: float) -> Answer:
        """Run `command` on the phone. After the timeout it is killed and `DeviceError` is raised.

        An earlier command that still runs, since the phone was unplugged meanwhile, is killed too.
        """
        pid = f"{FOLDER}/pid"
        ours = f"grep -qs {FOLDER} /proc/$(cat {pid} 2>/dev/null)/cmdline"
        # `exec` keeps the process number that was written down.
        script = f"{ours} && kill -9 $(cat {pid}); echo $$ > {pid}; exec {command}"
        line = f"sh -c {shlex.quote(script)}"
        try:
            return self._adb.shell(line, timeout_s=timeout_s)
        except DeviceError:
            with contextlib.suppress(DeviceError):
                self._adb.shell(f"kill -9 $(cat {pid})")
            raise

    def pinning_fault(self, mask: str) -> str | None:
        """Return why `taskset` cannot pin to the cores of `mask`; None if it can."""
        answer = self._adb.shell(f"taskset {mask} true")
        code = f"exit code {answer.code}"
        return last_line(answer.stderr or answer.stdout, code) if answer.code else None

    def fetch(self, path: str, file: Path) -> None:
        """Copy `path` on the phone to `file`."""
        self._adb.pull(path, file)

    def remove(self, path: str) -> None:
        """Remove one file from our folder."""
        self._adb.shell(f"rm -f {shlex.quote(path)}")

    def clean(self) -> None:
        """Remove our folder and everything in it."""
        self._adb.shell(f"rm -rf {FOLDER}")

    @functools.cached_property
    def checked_by(self) -> str:
        """How copies on this phone are checked: the best program for checksums that it has.

        Android 6 and later have sha256sum, older ones one of the others, or none: a copy is then
        pulled back and compared.
        """
        tried = " || ".join(f"has {tool}" for tool in _CHECKSUMS)
        has = "has() { echo | $1 >/dev/null 2>&1 && echo $1; }"
        return self._adb.shell(f"{has}; {tried}").stdout.strip() or "pulling it back"

    def _holds(self, path: str, file: Path) -> bool:
        """Whether `path` on the phone has the content of `file`."""
        if algorithm := _CHECKSUMS.get(self.checked_by):
            words = self._adb.shell(f"{self.checked_by} {path} 2>/dev/null", timeout_s=60).stdout
            with file.open("rb") as opened:
                return words.split()[:1] == [hashlib.file_digest(opened, algorithm).hexdigest()]
        if self._adb.shell(f"[ -f {path} ]").code:
            return False
        with tempfile.TemporaryDirectory(prefix="jejunet-pulled-") as folder:
            self._adb.pull(path, Path(folder) / "copy")
            return sha256_of(Path(folder) / "copy") == sha256_of(file)

    def _done(self, command: str, what: str) -> None:
        answer = self._adb.shell(command)
        if answer.code:
            raise DeviceError(
                f"the phone {self.serial} cannot {what} "
                f"({last_line(answer.stderr or answer.stdout, f'exit code {answer.code}')}). Try: "
                f"adb -s {shlex.quote(self.serial)} shell {command}"
            )


def parse_state(text: str) -> PhoneState:
    """Return the state in the phone's reports; what they leave out is None."""
    level, tenths_c = _number(r"^\s*level: ", text), _number(r"^\s*temperature: ", text)
    plugs = re.findall(rf"^\s*(?:{'|'.join(_PLUGS)}) powered: (true|false)", text, re.MULTILINE)
    wakefulness = re.search(r"mWakefulness=(\w+)", text)
    return PhoneState(
        screen_on=wakefulness[1] == "Awake" if wakefulness else None,
        battery=None if level is None else level / 100,
        battery_c=None if tenths_c is None else tenths_c / 10,
        charging="true" in plugs if plugs else None,
        thermal_status=_number("Thermal Status: ", text),
        cores=read_cores(text),
        unread_cores=unread_cores(text),
        offline_cores=offline_cores(text),
    )


def last_line(text: str, empty: str = "no reason given") -> str:
    """Return the last line of a command's output, for a message; `empty` if it has none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else empty


def _identify(adb: Adb) -> PhoneInfo:
    ask = "; ".join(f"echo {key}=$(getprop {name})" for key, name in _PROPERTIES.items())
    lines = adb.shell(ask).stdout.splitlines()
    told = dict(line.strip().split("=", 1) for line in lines if "=" in line)
    serial = told.pop("serial", "") or adb.serial
    return PhoneInfo(
        serial_hash=hashlib.sha256(serial.encode()).hexdigest()[:12],
        **{key: told.get(key, "") for key in _PROPERTIES if key != "serial"},
    )


def _number(before: str, text: str) -> int | None:
    """Return the whole number of up to nine digits behind the pattern `before`, None without."""
    found = re.search(rf"{before}(-?\d{{1,9}})\b", text, re.MULTILINE | re.ASCII)
    return int(found[1]) if found else None
