"""Signals that end a command, sent to a real process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jejunet_nas.faults import ENDING

# A command that starts a program, works until it is ended, and then closes its outputs.
WORK = """\
import subprocess, sys, time
from jejunet_nas import cli

def work(**_):
    child = subprocess.Popen(["sleep", "60"])
    try:
        print(child.pid, flush=True)
        time.sleep(60)
    finally:
        print("closing", flush=True)
        time.sleep({closing_s})
        print("closed", flush=True)

cli.app = work
cli.main([])
"""


def start(closing_s: float = 0.0, prepare: Callable[[], object] | None = None) -> "Command":
    process = subprocess.Popen(
        [sys.executable, "-c", WORK.format(closing_s=closing_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )
    assert process.stdout is not None
    return Command(process, int(process.stdout.readline()))


class Command:
    """The running command, and the number of the program that it started."""

    def __init__(self, process: "subprocess.Popen[str]", child: int) -> None:
        self.process, self.child = process, child

    def end(self, *signals: int) -> tuple[int, str, str]:
        """Send signals, one after the other; return exit code and outputs."""
        with self.process:
            for number in signals:
                self.process.send_signal(number)
                time.sleep(0.3)
            out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err

    @property
    def child_runs(self) -> bool:
        time.sleep(0.1)
        status = Path(f"/proc/{self.child}/stat")
        return status.exists() and status.read_text().split()[2] != "Z"


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_a_command_with_a_line_after_its_outputs_are_closed(
    number: signal.Signals,
) -> None:
    command = start()

    code, out, err = command.end(number)

    how = "Interrupted" if number == signal.SIGINT else f"Ended by {number.name}"
    assert code == 128 + number
    assert out == "closing\nclosed\n"
    again = "Finished work is kept; run the same command to resume."
    assert err == f"jejunet-nas: {how}. {again}\n"
    assert not command.child_runs


def test_a_second_signal_ends_a_command_at_once() -> None:
    command = start(closing_s=60.0)

    code, out, _ = command.end(signal.SIGTERM, signal.SIGTERM)

    assert (code, out) == (-signal.SIGTERM, "closing\n")
    assert not command.child_runs


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    command = start(prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))

    code, _, err = command.end(signal.SIGHUP, signal.SIGTERM)

    assert code == 128 + signal.SIGTERM
    assert "Ended by SIGTERM" in err


@pytest.mark.parametrize("number", ENDING)
def test_the_handlers_of_a_caller_are_restored(number: signal.Signals) -> None:
    from jejunet_nas.cli.signals import ending_signals

    before = signal.getsignal(number)
    with ending_signals() as ending:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert ending.exit_code == 128 + number

    assert signal.getsignal(number) is before
