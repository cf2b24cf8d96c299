"""A few hundred fuzzed inputs, and the fuzzer itself: it finds the faults that are planted."""

import json
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jejunet_nas.errors import SettingError
from tests.fuzz import attempt
from tests.fuzz.attempt import Parser, minimised, outcome, run
from tests.fuzz.parsers import all_parsers

PARSERS = {parser.name: parser for parser in all_parsers()}
SLOW = {"weights npz", "weights h5", "database"}  # they load TensorFlow or Optuna
INPUTS = 12


def take(data: bytes, _: Path) -> None:
    """A parser with faults: the first letter chooses one."""
    match data[:1]:
        case b"s":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"w":
            time.sleep(60)
        case b"m":
            bytearray(3 << 30)
        case b"k":
            raise KeyError("key")
        case b"l":
            raise SettingError("two\nlines")
        case b"r":
            raise SettingError("refused")


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[list[str], int]]:
    """Failures and peak bytes of each parser that is not slow.

    Each is forked from a new process: one that ran other tests has threads, whose locks a fork
    would never get.
    """
    code = (
        "import json\nfrom tests.fuzz.test_fuzz import INPUTS, PARSERS, SLOW, run\n"
        "found = {n: run(PARSERS[n], range(INPUTS), 0) for n in sorted({*PARSERS} - SLOW)}\n"
        "print(json.dumps({n: [[*map(str, each[0])], each[1]] for n, each in found.items()}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", sorted({*PARSERS} - SLOW))
def test_no_input_surprises_a_parser(name: str, found: dict[str, tuple[list[str], int]]) -> None:
    failures, peak = found[name]

    assert failures == []
    assert peak < 2e9


def test_a_parser_that_cannot_be_prepared_fails_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "PREPARING_SECONDS", 0.2)
    stuck = Parser(name="stuck", make=lambda _: b"", feed=take, prepare=lambda _: time.sleep(60))

    failures, _, _ = run(stuck, range(3), seed=0)

    assert [(each.number, each.kind) for each in failures] == [(-1, "more than 0.2 s")]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"s", "ended by SIGSEGV"),
        (b"w", "more than 1 s"),
        (b"m", "memory"),
        (b"k", r"KeyError at .*test_fuzz\.py:\d+ in take"),
        (b"l", "a message that is long, or has several lines"),
    ],
)
def test_a_planted_fault_is_found_and_what_follows_is_still_tried(data: bytes, kind: str) -> None:
    inputs = (b"fine", data, b"refused", b"fine")
    left = multiprocessing.Value("i", 0)  # shared, since a process may die on the way

    def make(_: random.Random) -> bytes:
        left.value += 1
        return inputs[left.value - 1]

    failures, _, accepted = run(
        Parser(name="planted", make=make, feed=take, seconds=1.0), range(4), seed=0
    )

    assert [failure.number for failure in failures] == [1]
    assert re.match(kind, failures[0].kind)
    assert accepted == 2


def test_an_input_has_the_same_bytes_for_the_same_seed() -> None:
    for parser in PARSERS.values():
        if parser.name not in SLOW:
            assert parser.input(3, 7) == parser.input(3, 7)


def test_a_failing_input_is_shortened(tmp_path: Path) -> None:
    parser = Parser(name="planted", make=lambda _: b"", feed=take)
    kind = outcome(parser, b"k and more", tmp_path)

    assert kind is not None
    assert minimised(parser, b"k and more than is needed", kind, seconds=60.0) == b"k"
