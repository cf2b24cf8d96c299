"""What a phone, its programs and adb print."""

import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

from tests.fuzz.attempt import Parser
from tests.fuzz.makers import of_text
from tests.latency.test_benchmark_model import (
    LITERT_STDERR,
    LITERT_STDOUT,
    OLD,
    PREFIXED,
    PROFILED,
    QUANTILES,
    REFUSED,
)

_STATE = b"""mWakefulness=Awake
  AC powered: false
  USB powered: true
  level: 87
  temperature: 291
Thermal Status: 0
cpus present 0-7
cpus online 0-3,4,6
clock /sys/devices/system/cpu/cpu0/cpufreq 1900800 1900800 1900800
clock /sys/devices/system/cpu/cpu4/cpufreq 2457600 2457600 2457600
clock /sys/devices/system/cpu/cpu6/cpufreq
"""
_DEVICES = b"""* daemon started successfully
List of devices attached
FA7\tdevice
192.168.0.2:5555\toffline
"""
_PROPERTIES = (
    b"serial=FA7\nmanufacturer=Google\nmodel=Pixel 2\nbuild=google/x\nandroid=11\nabi=arm64-v8a\n"
)
_OPERATORS = b"""Operator-wise Profiling Info for Regular Benchmark Runs:
= Run Order =
node type, first, avg_ms, %, cdf%, mem KB, times called, name
CONV_2D, 3.0, 3.0, 75%, 75%, 0, 1, [a]:0
RELU, 1.0, 1.0, 25%, 100%, 0, 1, [b]:1
"""


def _benchmark(data: bytes, _: Path) -> None:
    from jejunet_nas.latency.benchmark_model import parse_output

    parse_output(data.decode(errors="replace"))


def _operators(data: bytes, _: Path) -> None:
    from jejunet_nas.latency.benchmark_model import parse_operator_profile

    parse_operator_profile(data.decode(errors="replace"))


def _state(data: bytes, _: Path) -> None:
    from jejunet_nas.latency.cores import choose_mask, cores_words, in_mask
    from jejunet_nas.latency.phone import parse_state

    state = parse_state(data.decode(errors="replace"))
    for given in (None, "f0"):
        mask = choose_mask(state, 2, given, "Pixel 2")
        assert len(cores_words(state, mask)) < 3000
        in_mask(state.cores, mask)


def _properties(data: bytes, _: Path) -> None:
    from jejunet_nas.latency.adb import Answer
    from jejunet_nas.latency.phone import Phone

    text = data.decode(errors="replace")
    adb = mock.Mock(serial="FA7")
    adb.shell.return_value = Answer(code=0, stdout=text, stderr=text)
    assert Phone(adb).info.name is not None


def _devices(data: bytes, _: Path) -> None:
    from jejunet_nas.latency import adb

    text = data.decode(errors="replace")
    done: Any = subprocess.CompletedProcess(["adb"], 0, stdout=text, stderr="")
    with (
        mock.patch.object(adb.subprocess, "run", return_value=done),
        mock.patch.object(adb.shutil, "which", return_value="/usr/bin/adb"),
    ):
        adb.find_phone()


def parsers() -> list[Parser]:
    """Return the parsers of what phones print."""
    old = [text.encode() for text in (OLD, PROFILED, PREFIXED, QUANTILES, REFUSED)]
    litert = f"{LITERT_STDOUT}{LITERT_STDERR}".encode(), LITERT_STDERR.encode()
    return [
        Parser(name="benchmark_model", make=of_text(*old), feed=_benchmark),
        Parser(name="LiteRT's benchmark_model", make=of_text(*litert), feed=_benchmark),
        Parser(name="operator profile", make=of_text(_OPERATORS), feed=_operators),
        Parser(name="phone state", make=of_text(_STATE), feed=_state, share=1.5),
        Parser(name="properties", make=of_text(_PROPERTIES), feed=_properties),
        Parser(name="adb devices", make=of_text(_DEVICES), feed=_devices),
    ]
