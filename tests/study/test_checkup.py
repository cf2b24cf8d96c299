"""The checkup of a study: each kind of damage is named, and so is a command that mends it."""

import contextlib
import dataclasses
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from jejunet_nas.errors import MachineError, SettingError
from jejunet_nas.files import EXPORTS
from jejunet_nas.records import Repeat, to_json
from jejunet_nas.study import snapshot
from jejunet_nas.study.checkup import Checkup, check_up
from jejunet_nas.study.kept_data import repeat_key
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import is_locked, study_lock
from jejunet_nas.study.storage import storage_url
from jejunet_nas.study.study_file import read_study
from tests.builders import tiny_network
from tests.cli.commands import exit_code
from tests.search.build import FakeTrials, install, tiny_study, write_study
from tests.study.kept import MORE, execute, folder_of, kept_study, made_network, write_network
from tests.test_layers import loaded_after

Break = Callable[[Path], object]
REPAIR, SEARCH = "jejunet-nas search tiny --repair", "jejunet-nas search tiny"
DEAD = 2**22 + 1  # no process has this number


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept_study(tmp_path_factory.mktemp("healthy")).parent


@pytest.fixture
def state(healthy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of a study of one's own, as a relative path."""
    shutil.copytree(healthy, tmp_path / "studies")
    monkeypatch.chdir(tmp_path)
    return Path("studies") / "tiny"


def check() -> Checkup:
    return check_up("tiny", None, print)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the time and the content of each file."""
    return {
        str(file): (file.stat().st_mtime_ns, file.read_bytes())
        for file in folder.rglob("*")
        if file.is_file()
    }


def left_over(file: Path) -> Path:
    return file.with_name(f".jejunet-part.{DEAD}.{file.name}")


def ledger(state: Path) -> Ledger:
    return Ledger(read_study(state.parent / "tiny.yaml"), storage_url(state))


def test_a_healthy_study_has_no_findings_and_is_not_touched(state: Path) -> None:
    before = files(state.parent)

    found = check()

    assert found.findings == ()
    assert found.words() == "tiny: 3 trials and 2 networks checked, nothing is damaged"
    assert files(state.parent) == before


DAMAGE: dict[str, tuple[Break, str, str]] = {
    "no folder": (
        lambda state: folder_of(state, 2).rename(state / "lost"),
        "network of trial 2: studies/tiny/networks/.* is missing",
        REPAIR,
    ),
    "another graph": (
        lambda state: (folder_of(state, 0) / "key.tflite").write_text("other"),
        r"network of trials 0, 1: .*key\.tflite was changed after it was scored",
        REPAIR,
    ),
    "no record": (
        lambda state: (folder_of(state, 0) / "record.json").unlink(),
        r"network of trials 0, 1: .*record\.json is missing",
        REPAIR,
    ),
    "a cut record": (
        lambda state: (folder_of(state, 0) / "record.json").write_text("{"),
        r"network of trials 0, 1: .*record\.json cannot be read",
        REPAIR,
    ),
    "no weights": (
        lambda state: (folder_of(state, 0) / "weights.npz").unlink(),
        r"network of trials 0, 1: .*weights\.npz is missing",
        REPAIR,
    ),
    "cut weights": (
        lambda state: os.truncate(folder_of(state, 0) / "weights.npz", 100),
        r"network of trials 0, 1: .*weights\.npz is damaged",
        REPAIR,
    ),
    "a cut result": (
        lambda state: execute(
            state,
            "UPDATE trial_user_attributes SET value_json = '\"{\"' WHERE key = 'record' AND "
            "trial_id = 2",
        ),
        "the record of trial 1 cannot be read",
        REPAIR,
    ),
    "an architecture that is none": (
        lambda state: execute(
            state,
            "UPDATE trial_user_attributes SET value_json = '\"{}\"' WHERE key = 'architecture' "
            "AND trial_id = 2",
        ),
        "the record of trial 1 cannot be read",
        f"mv studies/tiny/study.db studies/tiny/study.db.damaged && {SEARCH}",
    ),
    "a number twice": (
        lambda state: execute(state, "UPDATE trials SET number = 0 WHERE number = 2"),
        "the number of trial 0 occurs twice",
        f"mv studies/tiny/study.db studies/tiny/study.db.damaged && {SEARCH}",
    ),
    "an added trial without the drawn one": (
        lambda state: execute(
            state,
            "DELETE FROM trial_user_attributes WHERE trial_id = 1",
            "DELETE FROM trials WHERE trial_id = 1",
        ),
        "trial 1 was added to a trial that is not in the database",
        f"mv studies/tiny/study.db studies/tiny/study.db.damaged && {SEARCH}",
    ),
    "no attributes": (  # Optuna makes missing tables again
        lambda state: execute(state, "DROP TABLE trial_user_attributes"),
        "the record of trials 0, 1, 2 cannot be read",
        f"mv studies/tiny/study.db studies/tiny/study.db.damaged && {SEARCH}",
    ),
    "no database": (
        lambda state: (state / "study.db").write_bytes(b"x" * 5000),
        r"studies/tiny/study\.db cannot be used: file is not a database",
        f"mv studies/tiny/study.db studies/tiny/study.db.damaged && {SEARCH}",
    ),
    "a lost database": (
        lambda state: (state / "study.db").unlink(),
        r"studies/tiny/study\.db has no trials of tiny, but studies/tiny has files",
        SEARCH,
    ),
    "no study.yaml": (
        lambda state: (state / "study.yaml").unlink(),
        r"studies/tiny/study\.yaml is missing",
        REPAIR,
    ),
    "a garbled study.yaml": (
        lambda state: (state / "study.yaml").write_text("given: ["),
        r"studies/tiny/study\.yaml",
        f"rm -r studies/tiny/study.yaml && {REPAIR}",
    ),
    "the study.yaml of another search": (
        lambda state: (state / "study.yaml").write_text("target_fps: 99.0\n"),
        r"studies/tiny/study\.yaml is not of the search that made the trials",
        REPAIR,
    ),
    "another target": (
        lambda state: tiny_study(state.parent, MORE.replace("25", "30")),
        "target_fps of tiny is 30.0, but its earlier trials were made with 25.0",
        "",
    ),
}


@pytest.mark.parametrize(("damage", "words", "command"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named_with_the_command_that_mends_it(
    damage: Break, words: str, command: str, state: Path
) -> None:
    damage(state)

    found = check()

    (first, *_) = (finding for finding in found.findings if finding.damaged)
    assert re.match(words, first.what), first.what
    assert (first.command, found.damages) == (command, 1)


def waits(state: Path) -> None:
    (state / "pictures").mkdir()
    left_over(state / "pictures" / "3").mkdir()


HARMLESS: dict[str, tuple[Break, str]] = {
    "a measurement that is none": (
        lambda state: write_text(folder_of(state, 0) / "measured" / "0-1.json"),
        r".*measured/0-1\.json is no measurement",
    ),
    "a score that is none": (
        lambda state: write_text(folder_of(state, 0) / "screens" / "again-1.json"),
        r".*screens/again-1\.json cannot be read",
    ),
    "a network of no trial": (
        lambda state: write_network(state / "networks", made_network(tiny_network(last_block=9))),
        "1 network of no trial in studies/tiny/networks, 0.0 MB",
    ),
    "a folder of pictures": (waits, r"1 half-written file .*pictures/\.jejunet-part"),
    "a chart": (
        lambda state: write_text(left_over(state.parents[1] / "reports" / "tiny" / "front.png")),
        r"1 half-written file .*: reports/tiny/\.jejunet-part",
    ),
    "a network in the making": (
        lambda state: (state / "networks" / "0123.part").mkdir(),
        r"1 half-written .*0123\.part",
    ),
    "an export": (
        lambda state: (state / EXPORTS / "ab").mkdir(parents=True),
        "trained export: studies/tiny/exports/ab is not finished",
    ),
}


def write_text(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{")


@pytest.mark.parametrize(("leave", "words"), HARMLESS.values(), ids=HARMLESS)
def test_what_a_kill_left_is_removed_by_the_command(leave: Break, words: str, state: Path) -> None:
    leave(state)
    (finding,) = check().findings
    assert re.match(words, finding.what), finding.what

    subprocess.run(["sh", "-c", finding.command], check=True)

    assert check().findings == ()


def test_a_trial_of_no_process_is_noted_and_that_of_a_search_is_not(state: Path) -> None:
    ledger(state).ask()
    (state / "networks" / "0123.part").mkdir()

    with FileLock(state / "lock"):
        now = check()
    trial, part = check().findings

    assert (now.findings, now.searching) == ((), True)
    assert now.words().endswith(
        "nothing is damaged; a search runs: its running trials are left out"
    )
    assert trial.what == "trial 3 still running, but nothing searches the study"
    assert (trial.command, trial.damaged) == (SEARCH, False)
    assert part.command == "rm -r studies/tiny/networks/0123.part"


def test_a_search_can_begin_while_the_study_is_checked(state: Path) -> None:
    with (state / "lock").open("ab"), study_lock(state, "tiny"):
        assert is_locked(state)
    assert not is_locked(state)
    with study_lock(state, "tiny"):
        pass


def test_a_search_takes_up_what_the_checkup_noted(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, FakeTrials(), ("background", "object"))
    ledger(state).ask()
    (finding,) = check().findings

    assert exit_code(*shlex.split(finding.command)[1:]) == 0

    assert check().findings == ()


def test_a_search_beside_a_damaged_database_is_healthy_but_for_networks_of_no_trial(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, FakeTrials(), ("background", "object"))
    (state / "study.db").write_bytes(b"x" * 5000)
    (finding,) = check().findings
    move, _, search = finding.command.partition(" && ")
    subprocess.run(["sh", "-c", move], check=True)
    assert exit_code(*shlex.split(search)[1:]) == 0

    after = check().findings

    assert "2 networks of no trial" in after[-1].what
    for each in after[:-1]:  # of made-up trials, which leave no files
        assert each.what.startswith("network of trial")


def test_a_transaction_of_a_killed_process_is_no_damage(state: Path) -> None:
    begin = (
        "import os, sqlite3\n"
        "database = sqlite3.connect('studies/tiny/study.db')\n"
        "database.execute('PRAGMA cache_size = 1')\n"
        "database.execute('UPDATE trial_user_attributes SET value_json = zeroblob(9999)')\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", begin], check=True)
    journal = (state / "study.db-journal").read_bytes()

    assert check().findings == ()
    assert (state / "study.db-journal").read_bytes() == journal


def test_a_database_that_stays_locked_is_a_fault_of_the_machine(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "PATIENCE_S", 0)
    with contextlib.closing(sqlite3.connect(state / "study.db")) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(MachineError, match=r"another program locks .*study\.db for more than"):
            check()


def test_a_storage_that_is_elsewhere_is_checked_there(state: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shutil.move(state / "study.db", tmp_path / "elsewhere")
    (found,) = check_up("tiny", f"sqlite:///{tmp_path}/nowhere.db", print).findings

    assert check_up("tiny", "sqlite:///elsewhere/study.db", print).findings == ()
    assert found.command == f"{SEARCH} --storage sqlite:///{tmp_path}/nowhere.db"


def test_a_server_that_cannot_be_reached_is_named_without_its_password(state: Path) -> None:
    with pytest.raises(MachineError, match=r"^postgresql://me:\*\*\*@.* cannot be used") as caught:
        check_up("tiny", "postgresql://me:secret@localhost:1/x", print)

    assert "secret" not in str(caught.value)


def test_a_network_at_a_lower_rung_or_with_another_seed_is_no_orphan(state: Path) -> None:
    record = dataclasses.replace(made_network(tiny_network()), network_id="0" * 12)
    write_network(state / "networks", record)

    assert check().findings == ()


def test_a_lost_network_of_a_repeat_is_named(state: Path) -> None:
    kept = ledger(state)
    result = kept.history().complete[0]
    repeat = Repeat(number=0, seed=3, network_id="ab" * 6, streamed=result.streamed)
    kept.note(repeat_key(0, 3), to_json(repeat))

    (found,) = check().findings

    assert found.what == f"trial 0, trained with seed 3: {state}/networks/{'ab' * 6} is missing"
    assert found.command == REPAIR


def test_a_study_without_trials_is_no_damage(tmp_path: Path) -> None:
    study = write_study(tmp_path)

    with pytest.raises(SettingError, match=r"tiny has no trials yet\. Run `jejunet-nas search"):
        check_up(str(study), None, print)


def test_the_checkup_loads_no_tensorflow(state: Path) -> None:
    code = "from jejunet_nas.study.checkup import check_up\ncheck_up('tiny', None, print)"

    assert loaded_after(code, fresh=("tensorflow", "tf_keras")) == set()
