"""The adb program, run for one phone: its exit codes and its standard error are the real ones.

Finds the phone that is meant and says what to do where there is none. Nothing here knows what is
measured.

Units: timeouts in seconds.
"""

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

from jejunet_nas.errors import DeviceAwayError, DeviceError, closest

ANSWER_S = 20.0  # what adb needs at most for a short answer, its server's start included
PUSH_S = 300.0
_ADDRESS = re.compile(r"[^\s/]+:\d+")  # of a phone on the network

_CURES = {
    "unauthorized": "Unlock it and allow USB debugging from this computer when it asks",
    "authorizing": "Unlock it and allow USB debugging from this computer when it asks",
    "offline": "Plug it in again, or run `adb reconnect`",
    "no permissions": "Add a udev rule for it, or see `adb devices`",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command on the phone wrote, and its exit code."""

    code: int
    stdout: str
    stderr: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Adb:
    """adb for the phone `serial`. Raises `DeviceAwayError` where the phone is not there (any more).

    A command on the phone that fails is no error here: its answer says so.
    """

    program: str
    serial: str

    def shell(self, command: str, *, timeout_s: float = ANSWER_S) -> Answer:
        """Return what `command`, a line for the phone's shell, came to.

        Raises `DeviceError` where it has not ended after `timeout_s`; it may then still be running.
        """
        try:
            # The marker tells the command's own end from a connection that broke in the middle.
            done = self._run("shell", f"{command}\necho {_END}$?", timeout_s=timeout_s)
        except subprocess.TimeoutExpired as expired:
            self.require()
            words = command if len(command) <= 80 else command[:77] + "..."
            raise DeviceError(
                f"`{words}` did not end on {self.serial} within {expired.timeout:.0f} s; allowed: "
                "to end. Restart the phone, or give it more time."
            ) from None
        stdout, marker, code = done.stdout.rpartition(_END)
        if not marker or not code.strip().isdigit():
            raise self.lost(done.stderr)
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
        """Raise `DeviceAwayError` where the phone is not ready."""
        state = _states(self.program).get(self.serial, "not connected")
        if state != "device":
            raise DeviceAwayError(_not_ready(self.serial, state))

    def lost(self, words: str) -> DeviceError:
        """Return what to raise where a command's end never came; raise where the phone is away."""
        self.require()
        return DeviceAwayError(
            f"the connection to {self.serial} broke in the middle of a command "
            f"({words.strip() or 'no reason given'}); allowed: a connection that holds. Check the "
            "cable."
        )

    def _transfer(self, *words: str) -> "subprocess.CompletedProcess[str]":
        try:
            return self._run(*words, timeout_s=PUSH_S)
        except subprocess.TimeoutExpired:
            self.require()
            raise DeviceError(
                f"adb {words[0]} of {Path(words[1]).name} did not end within {PUSH_S:.0f} s on "
                f"{self.serial}; allowed: to end. Plug the phone in again."
            ) from None

    def _run(self, *words: str, timeout_s: float) -> "subprocess.CompletedProcess[str]":
        return _adb(self.program, "-s", self.serial, *words, timeout_s=timeout_s)


_END = "@end of the command: "


def find_adb() -> str:
    """Return the path of the adb program. Raises `DeviceError` saying how to install it."""
    program = shutil.which("adb")
    if program is None:
        raise DeviceError(
            "adb is not installed; allowed: Android's adb on the PATH. Install it: "
            "`apt install adb`, `brew install android-platform-tools`, or Android's SDK "
            "platform tools."
        )
    return program


def find_phone(serial: str | None = None) -> Adb:
    """Return adb for the phone `serial`, or for the only one there is.

    Raises `DeviceAwayError` where it is not there or not ready, `DeviceError` where adb is missing
    or several phones are attached and none is named.
    """
    program = find_adb()
    states = _states(program)
    if serial is not None and _ADDRESS.fullmatch(serial):
        states = _found_again(program, serial, states)
    if serial is None:
        serial = _only(states)
    if serial not in states:
        raise DeviceAwayError(
            f"device is adb:{serial}, which is not attached; allowed: "
            f"{', '.join(states) or 'a phone that `adb devices` lists'}. Plug it in."
            f"{closest(serial, states)}"
        )
    if states[serial] != "device":
        raise DeviceAwayError(_not_ready(serial, states[serial]))
    return Adb(program=program, serial=serial)


def _found_again(program: str, serial: str, states: dict[str, str]) -> dict[str, str]:
    """Return the states once adb has looked for a phone on the network that left.

    adb forgets it, or takes it for offline for ten seconds after it is back.
    """
    if states.get(serial, "offline") != "offline":
        return states
    _answer(program, "disconnect", serial)
    _answer(program, "connect", serial)
    return _states(program)


def _only(states: dict[str, str]) -> str:
    """Return the serial of the phone to use where none was named."""
    ready = [serial for serial, state in states.items() if state == "device"]
    if len(ready) > 1:
        raise DeviceError(
            f"{len(ready)} phones are attached: {', '.join(ready)}; allowed: one, or one by name. "
            f"Use --device adb:{ready[0]}"
        )
    if not states:
        raise DeviceAwayError(
            "no phone is attached; allowed: one with USB debugging on. Plug it in, and look at "
            "`adb devices`."
        )
    return ready[0] if ready else next(iter(states))


def _states(program: str) -> dict[str, str]:
    """Return the state of each phone that adb lists, by serial."""
    lines = _answer(program, "devices").splitlines()
    pairs = (line.split("\t", 1) for line in lines if "\t" in line and not line.startswith("*"))
    return {serial: state.strip() for serial, state in pairs}


def _not_ready(serial: str, state: str) -> str:
    cure = next((words for known, words in _CURES.items() if state.startswith(known)), None)
    return (
        f"the phone {serial} is {state}; allowed: attached and authorised. {cure or 'Plug it in'}."
    )


def _answer(program: str, *words: str) -> str:
    """Return what adb says; where it fails or hangs, its server is at fault."""
    try:
        done = _adb(program, *words, timeout_s=ANSWER_S)
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"`adb {words[0]}` did not answer within {ANSWER_S:.0f} s; allowed: an adb server that "
            "answers. Run `adb kill-server`."
        ) from None
    if done.returncode and words[0] not in ("connect", "disconnect"):
        raise DeviceError(f"`adb {words[0]}` failed: {_reason(done)}. Run `adb kill-server`.")
    return done.stdout


def _adb(program: str, *words: str, timeout_s: float) -> "subprocess.CompletedProcess[str]":
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
            f"{program} cannot be run ({error.strerror}); allowed: Android's adb. Install it anew."
        ) from None


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the last line that tells of an error: after it, `adb push` counts files."""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line or "fail" in line]
    return [f"exit code {done.returncode}", *lines, *errors][-1].rstrip(".")
