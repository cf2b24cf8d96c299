import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jejunet_nas.records import StudyHistory
from jejunet_nas.space.architecture import canonical_json
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.storage import storage_url
from jejunet_nas.study.study_file import read_study
from tests.search.build import SPACE, write_study

TRIALS = 2
SMALL = """\
data: {options: {clips: 2, val_clips: 1, frames: 6, height: 64, width: 64}}
training: {steps: 4, pairs_per_step: 2, gate_pairs: 10, gate_steps: 2}
compression: {post_training: {calibration_frames: 4}}
"""
# Two of these networks, each to be trained: what is killed in the middle is training.
NETWORKS = SPACE.replace("[64, 96]", "[64]").replace("[0.25, 0.5]", "[0.25]")
NETWORKS = NETWORKS.replace("{from: 1, to: 3}", "[1, 2]")
PATIENCE_S = 120.0  # both cores may be busy


def start(study: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "jejunet_nas", "search", str(study)]
    return subprocess.Popen([*command, "--trials", str(TRIALS)], stderr=subprocess.PIPE)


def history(study: Path) -> StudyHistory:
    settings = read_study(study)
    return Ledger(settings, storage_url(study.parent / "studies" / "tiny")).history()


def kill_in_the_second_trial(
    search: subprocess.Popen[bytes], networks: Path, number: int = signal.SIGKILL
) -> str:
    """Wait until a second network is being made beside the first; return what was shown."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends and search.poll() is None:
        if [*networks.glob("*.part")] and [*networks.glob("*/record.json")]:
            search.send_signal(number)
            break
        time.sleep(0.02)
    return search.communicate()[1].decode()


@pytest.mark.slow
def test_a_search_killed_in_a_trial_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    study = write_study(tmp_path, SMALL, NETWORKS)
    networks = tmp_path / "studies" / "tiny" / "networks"
    search = start(study)
    kill_in_the_second_trial(search, networks)
    assert search.returncode == -signal.SIGKILL
    assert len([*networks.glob("*.part")]) == 1
    assert len(history(study).drawn) == 1

    again = start(study)
    shown = again.communicate(timeout=PATIENCE_S)[1].decode()

    assert again.returncode == 0, shown
    assert "1 interrupted trial of tiny will be tried again" in shown
    complete = [canonical_json(trial.architecture) for trial in history(study).complete]
    assert len(set(complete)) == len(complete)
    assert len(history(study).drawn) == TRIALS
    assert [*networks.glob("*.part")] == []
    assert len([*networks.iterdir()]) == TRIALS


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_search_that_is_asked_to_end_says_so_and_is_resumed(
    number: signal.Signals, tmp_path: Path
) -> None:
    study = write_study(tmp_path, SMALL, NETWORKS)
    search = start(study)
    networks = tmp_path / "studies" / "tiny" / "networks"

    shown = kill_in_the_second_trial(search, networks, number)

    assert search.returncode == 128 + number, shown
    assert f"jejunet-nas: Ended by {number.name}. Finished work is kept; run the same" in shown
    assert [*networks.glob("*.part")] == []
    again = start(study)
    assert "1 interrupted trial of tiny will be tried again" in again.communicate()[1].decode()
    assert len(history(study).drawn) == TRIALS
