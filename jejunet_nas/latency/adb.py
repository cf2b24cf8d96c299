"""The adb program, run for one phone, with its real exit codes and standard error.

Finds the phone, and says what to do if it is missing. Knows nothing of what is measured.

Units: timeouts in seconds.
"""

import dataclasses
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import DeviceAwayError, DeviceError, closest

ANSWER_S = 20.0  # timeout of a short answer, with the start of adb's server
PUSH_S = 300.0
_ADDRESS = re.compile(r"[^\s/]+:\d+")  # of a phone on the network
_LONGEST = 200  # characters of a serial, or of adb's words in a message
_MOST_NAMED = 8  # phones in a message
_END = "@end of the command: "

_UNLOCK = "Unlock it and allow USB debugging from this computer when it asks"
_ANDROID = "Start Android on it: adb -s {serial} reboot"
# By the state that `adb devices` lists, or the words that a command ends with.
_CURES = {
    "unauthorized": _UNLOCK,
    "authorizing": _UNLOCK,
    "connecting": "Wait a few seconds",
    "offline": "Replug it, or run `adb reconnect`",
    "no permissions": "Let your user open it: apt install android-sdk-platform-tools-common (udev "
    "rules) or your system's like, and replug it",
    "recovery": _ANDROID,
    "sideload": _ANDROID,
    "rescue": _ANDROID,
    "bootloader": "Start Android on it: fastboot -s {serial} reboot",
    "fastboot": "Start Android on it: fastboot -s {serial} reboot",
    "detached": "Attach it: adb -s {serial} attach",
    "closed": "It gives no shell, as in recovery mode. " + _ANDROID,
    "not connected": "Plug it in",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The output of a command on the phone, and its exit code."""

    code: int
    stdout: str
    stderr: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Adb:
    """adb for the phone `serial`. Every method raises `DeviceAwayError` if it is disconnected.

    A command that fails on the phone raises nothing: its answer has the exit code.
    """

    serial: str

    def shell(self, command: str, *, timeout_s: float = ANSWER_S) -> Answer:
        """Run `command`, a line for the phone's shell.

        Raises `DeviceError` after `timeout_s`; the command may then still be running.
        """
        # The marker tells the command's own end from a connection that broke in the middle.
        script = f"{command}\necho {_END}$?"
        try:
            done = _adb("-s", self.serial, "shell", script, timeout_s=timeout_s)
        except subprocess.TimeoutExpired as expired:
            self.require()
            words = command if len(command) <= 80 else command[:77] + "..."
            raise DeviceError(
                f"`{words}` did not end on {self.serial} within {expired.timeout:.0f} s. Restart "
                "the phone, or allow more time."
            ) from None
        stdout, marker, code = done.stdout.rpartition(_END)
        if not marker or not code.strip().isdigit():
            self.require()
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            reason = said[0].rstrip(".") if said else "no reason given"
            cure = _cure(reason.removeprefix("error: "), self.serial) or "Check the cable"
            raise DeviceAwayError(
                f"the connection to {self.serial} broke during a command ({reason}). {cure}."
            )
        return Answer(code=int(code), stdout=stdout, stderr=done.stderr)

    def push(self, file: Path, target: str) -> None:
        """Copy `file` to the path `target` on the phone."""
        done = self._transfer("push", str(file.absolute()), target)  # a name may begin with -
        if done.returncode:
            self.require()
            raise DeviceError(
                f"{file.name} cannot be copied to {target} on {self.serial}: {_reason(done)}. "
                f"Free some space there: adb -s {self.serial} shell df /data/local/tmp"
            )

    def pull(self, source: str, file: Path) -> None:
        """Copy the path `source` on the phone to `file`."""
        done = self._transfer("pull", source, str(file))
        if done.returncode:
            self.require()
            raise DeviceError(f"{source} cannot be copied from {self.serial}: {_reason(done)}.")

    def require(self) -> None:
        """Raise `DeviceAwayError` if the phone is not ready."""
        state = _states().get(self.serial, "not connected")
        if state != "device":
            raise _not_ready(self.serial, state)

    def _transfer(self, *words: str) -> "subprocess.CompletedProcess[str]":
        try:
            return _adb("-s", self.serial, *words, timeout_s=PUSH_S)
        except subprocess.TimeoutExpired:
            self.require()
            raise DeviceError(
                f"adb {words[0]} of {Path(words[1]).name} did not end within {PUSH_S:.0f} s on "
                f"{self.serial}. Replug the phone."
            ) from None


def find_adb() -> str:
    """Return the path of the adb program. Raises `DeviceError` saying how to install it."""
    program = shutil.which("adb")
    if program is None:
        raise DeviceError(
            "adb is not installed, or not on the PATH. Install it: `apt install adb`, `brew "
            "install android-platform-tools`, or Android's SDK platform tools."
        )
    return program


def find_phone(serial: str | None = None) -> Adb:
    """Return adb for the phone `serial`, or for the only one that is attached.

    Raises `DeviceAwayError` if it is not attached or not ready, `DeviceError` if adb is missing, or
    if several phones are attached and `serial` is None.
    """
    states = _states()
    if serial is not None and _ADDRESS.fullmatch(serial):
        states = _reconnected(serial, states)
    if serial is None:
        serial = _only(states)
    if serial not in states:
        attached = f" Attached: {_few(states)}." if states else ""
        raise DeviceAwayError(
            f"device is adb:{serial}, which is not attached.{attached} Plug it in, and look at "
            f"`adb devices`.{closest(serial, states)}"
        )
    if states[serial] != "device":
        raise _not_ready(serial, states[serial])
    return Adb(serial=serial)


def _reconnected(serial: str, states: dict[str, str]) -> dict[str, str]:
    """Return the states after reconnecting to a phone on the network that left.

    adb forgets such a phone, or lists it as offline for ten seconds after it is back.
    """
    if states.get(serial, "offline") != "offline":
        return states
    _answer("disconnect", serial)
    _answer("connect", serial)
    return _states()


def _only(states: dict[str, str]) -> str:
    ready = [serial for serial, state in states.items() if state == "device"]
    if len(ready) > 1:
        raise DeviceError(
            f"{len(ready)} phones are attached: {_few(ready)}. Choose one: --device adb:{ready[0]}"
        )
    if not states:
        raise DeviceAwayError(
            "no phone is attached. Plug one in with USB debugging on, and look at `adb devices`."
        )
    return ready[0] if ready else next(iter(states))


def _few(serials: Iterable[str]) -> str:
    """Return the first serials of many."""
    shown = [*serials]
    more = len(shown) - _MOST_NAMED
    return ", ".join(shown[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _states() -> dict[str, str]:
    """Return the state of each phone that adb lists, by serial; a line of anything else is none."""
    lines = _answer("devices").splitlines()
    pairs = (line.split("\t", 1) for line in lines if "\t" in line and not line.startswith("*"))
    return {
        serial: shortened(state, _LONGEST)
        for serial, state in pairs
        if len(serial) <= _LONGEST and serial.isprintable()
    }


def _not_ready(serial: str, state: str) -> DeviceAwayError:
    cure = _cure(state, serial) or "See `adb devices`, and restart the phone"
    return DeviceAwayError(f"the phone {serial} is {state.partition(' (')[0].rstrip(';')}. {cure}.")


def _cure(state: str, serial: str) -> str | None:
    """Return what to do about a phone in `state`; None if that is not known."""
    named = next((words for known, words in _CURES.items() if state.startswith(known)), None)
    # adb's words begin with "device" where a command meets a state: "device unauthorized."
    named = named or next((w for known, w in _CURES.items() if f"device {known}" in state), None)
    return named and named.format(serial=shlex.quote(serial))


def _answer(*words: str) -> str:
    """Return adb's answer; if it fails or hangs, its server is at fault."""
    try:
        done = _adb(*words, timeout_s=ANSWER_S)
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"`adb {words[0]}` did not answer within {ANSWER_S:.0f} s. Run `adb kill-server`."
        ) from None
    if done.returncode and words[0] not in ("connect", "disconnect"):
        raise DeviceError(f"`adb {words[0]}` failed: {_reason(done)}. Run `adb kill-server`.")
    return done.stdout


def _adb(*words: str, timeout_s: float) -> "subprocess.CompletedProcess[str]":
    program = find_adb()
    try:
        return subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except OSError as error:
        raise DeviceError(
            f"{program} cannot be run ({error.strerror}). Install Android's adb again."
        ) from None


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the last line that names an error: `adb push` prints other lines after it."""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line or "fail" in line]
    last = [f"exit code {done.returncode}", *lines, *errors][-1]
    return last[-_LONGEST:].rstrip(".")  # the cause is at its end
