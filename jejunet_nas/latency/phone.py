"""The phone: which one it is, its state, the files in our folder on it, and a lock on it.

A layer over `adb`: it knows Android's commands and nothing of graphs or benchmarks. All files on
the phone are in one folder and named by their checksums: a file that is there already is not copied
again, and no file's name reaches the phone's shell.

Units: see `records.measurements`; timeouts in seconds.
"""

import contextlib
import hashlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from jejunet_nas.errors import DeviceError, SettingError
from jejunet_nas.files import sha256_of
from jejunet_nas.latency.adb import Adb, Answer, find_phone
from jejunet_nas.progress import Say
from jejunet_nas.records.measurements import Core, PhoneInfo, PhoneState

FOLDER = "/data/local/tmp/jejunet_nas"
WAKE_UP = "input keyevent 224"  # KEYCODE_WAKEUP: does nothing if the screen is on
LOCK_POLL_S = 1.0
START_S = 30.0  # to start a program and load a graph, at most

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
for clock in /sys/devices/system/cpu/cpu[0-9]*/cpufreq; do
  echo "clock $clock" $(cat $clock/scaling_cur_freq $clock/scaling_max_freq \
    $clock/cpuinfo_max_freq 2>/dev/null)
done"""
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
        return parse_state(self._adb.shell(_STATE).stdout)

    def wake(self) -> None:
        """Turn the screen on: with the screen off, Android slows the cores down."""
        self._adb.shell(WAKE_UP)

    def install(self, file: Path, *, executable: bool = False) -> str:
        """Copy `file` to the phone unless it is there already; return its path on the phone."""
        checksum = sha256_of(file)
        target = f"{FOLDER}/{checksum[:16]}{'' if executable else '.tflite'}"
        if self._checksum(target) != checksum:
            self._done(f"mkdir -p {FOLDER}", "make its folder")
            self._adb.push(file, target)
            if self._checksum(target) != checksum:
                raise DeviceError(
                    f"{file.name} was damaged while it was copied to {self.serial}. Check the "
                    "cable and the phone's free space."
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

    def fetch(self, path: str, file: Path) -> None:
        """Copy `path` on the phone to `file`."""
        self._adb.pull(path, file)

    def remove(self, path: str) -> None:
        """Remove one file from our folder."""
        self._adb.shell(f"rm -f {shlex.quote(path)}")

    def clean(self) -> None:
        """Remove our folder and everything in it."""
        self._adb.shell(f"rm -rf {FOLDER}")

    def _checksum(self, path: str) -> str:
        return self._adb.shell(f"sha256sum {path} 2>/dev/null", timeout_s=60).stdout[:64]

    def _done(self, command: str, what: str) -> None:
        answer = self._adb.shell(command)
        if answer.code:
            words = (answer.stderr or answer.stdout).strip() or f"exit code {answer.code}"
            raise DeviceError(
                f"the phone {self.serial} cannot {what} ({words}). Try: "
                f"adb -s {shlex.quote(self.serial)} shell {command}"
            )


def parse_state(text: str) -> PhoneState:
    """Return the state in the phone's reports; what they leave out is None."""
    level, tenths_c = _number(r"^\s*level: (\d+)", text), _number(r"^\s*temperature: (-?\d+)", text)
    plugs = re.findall(rf"^\s*(?:{'|'.join(_PLUGS)}) powered: (true|false)", text, re.MULTILINE)
    wakefulness = re.search(r"mWakefulness=(\w+)", text)
    return PhoneState(
        screen_on=wakefulness[1] == "Awake" if wakefulness else None,
        battery=None if level is None else level / 100,
        battery_c=None if tenths_c is None else tenths_c / 10,
        charging="true" in plugs if plugs else None,
        thermal_status=_number(r"Thermal Status: (\d+)", text),
        cores=_cores(text),
    )


def core_mask(cores: tuple[Core, ...], threads: int) -> str:
    """Return the hexadecimal mask of the fastest cores, in whole clusters, enough for `threads`.

    On a Pixel 2 that is f0, its four big cores. "" if the phone's clocks cannot be read.
    """
    chosen: list[Core] = []
    for max_khz in sorted({core.max_khz for core in cores}, reverse=True):
        if len(chosen) < threads:
            chosen += [core for core in cores if core.max_khz == max_khz]
    return f"{sum(1 << core.number for core in chosen):x}" if len(chosen) >= threads else ""


def choose_mask(cores: tuple[Core, ...], threads: int, given: str | None, phone: str) -> str:
    """Return the mask to pin to: `given`, or the fastest cores.

    Raises `SettingError` if `phone` has too few cores for `threads`, or none of `given`.
    """
    if cores and threads > len(cores):
        raise SettingError(
            f"threads is {threads}; allowed on {phone}: at most {len(cores)}, the number of its "
            "cores. Use 1, 2 or 4."
        )
    if given is None:
        return core_mask(cores, threads)
    if cores and not in_mask(cores, given):
        numbers = ", ".join(str(core.number) for core in cores)
        raise SettingError(
            f"core mask is {given}, which has no core of {phone}; allowed: some of {numbers}. Use "
            f"{core_mask(cores, threads) or 'ff'}."
        )
    return given


def in_mask(cores: tuple[Core, ...], mask: str) -> tuple[Core, ...]:
    """Return the cores of a hexadecimal mask; all of them if it is empty."""
    return tuple(core for core in cores if not mask or int(mask, 16) >> core.number & 1)


def last_line(text: str) -> str:
    """Return the last line of a command's output, for a message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"


def _identify(adb: Adb) -> PhoneInfo:
    ask = "; ".join(f"echo {key}=$(getprop {name})" for key, name in _PROPERTIES.items())
    lines = adb.shell(ask).stdout.splitlines()
    told = dict(line.strip().split("=", 1) for line in lines if "=" in line)
    serial = told.pop("serial", "") or adb.serial
    return PhoneInfo(
        serial_hash=hashlib.sha256(serial.encode()).hexdigest()[:12],
        **{key: told.get(key, "") for key in _PROPERTIES if key != "serial"},
    )


def _cores(text: str) -> tuple[Core, ...]:
    found = re.findall(r"^clock \S*/cpu(\d+)/cpufreq (\d+) (\d+) (\d+)\s*$", text, re.MULTILINE)
    cores = [
        Core(number=number, now_khz=now, limit_khz=limit, max_khz=most)
        for number, now, limit, most in (map(int, row) for row in found)
    ]
    return tuple(sorted(cores, key=lambda core: core.number))


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text, re.MULTILINE)
    return int(found[1]) if found else None
