"""What this process trains with: processor, threads, versions, data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jejunet_nas.training.provenance import processor, provenance_of, threads, use_threads
from jejunet_nas.version import __version__
from tests.builders import tiny_splits

CPUINFO = """\
processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8481C
stepping\t: 8

processor\t: 1
model name\t: another kind of core
"""
# In a process of its own: threads are fixed once TensorFlow has computed.
CHANGED = """
import tensorflow as tf
from jejunet_nas.training.provenance import threads, use_threads
before = threads()
use_threads(3)
changed = threads()
tf.constant(1) + 1
use_threads(5)
print(before, changed, threads())
"""


def test_seed_data_and_versions_are_those_of_the_training() -> None:
    train, val = tiny_splits()

    found = provenance_of(7, train, val)

    assert found.seed == 7
    assert found.fingerprints == {"train": train.fingerprint, "val": val.fingerprint}
    assert found.versions["jejunet-nas"] == __version__
    assert found.versions["tensorflow"].startswith("2.")
    assert 1 <= found.cores <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CPUINFO, "Intel(R) Xeon(R) Platinum 8481C (cpu family 6, model 143, stepping 8)"),
        ("model name : a\x1b[31m\n", "a\\x1b[31m"),
        ("CPU part : 0xd0c\n", os.uname().machine),
    ],
)
def test_the_processor_is_the_first_with_its_model_numbers(
    text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(text)

    assert processor(tmp_path / "cpuinfo") == words


def test_without_a_list_of_processors_there_is_a_name(tmp_path: Path) -> None:
    assert processor(tmp_path / "cpuinfo")


def test_the_environment_says_how_many_threads_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    assert threads() == 5
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "all")
    assert threads() == len(os.sched_getaffinity(0))


@pytest.mark.slow
def test_threads_can_be_changed_before_the_first_operation() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", CHANGED],
        env={**os.environ, "TF_NUM_INTRAOP_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout.split() == ["2", "3", "3"]


def test_the_same_number_of_threads_changes_nothing() -> None:
    before = threads()

    use_threads(before)

    assert threads() == before
