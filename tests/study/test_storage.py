"""The database of a study: locked, damaged, of another version, in memory, with a password."""

import contextlib
import gc
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from sqlalchemy import Engine, event

from jejunet_nas.errors import JejunetError, MachineError, SettingError, StorageError
from jejunet_nas.study import sqlite_lock
from jejunet_nas.study.interrupted import take_up_interrupted
from jejunet_nas.study.kept_rounds import rounds_of
from jejunet_nas.study.known import known_architectures, known_networks
from jejunet_nas.study.ledger import Ledger
from jejunet_nas.study.lock import study_lock
from jejunet_nas.study.storage import has_study, open_storage, storage_url
from jejunet_nas.study.storage_errors import storage_error
from tests.search.build import tiny_study
from tests.study.test_ledger import begin, result


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a study with a complete trial and one that was interrupted."""
    folder = tmp_path_factory.mktemp("searched")
    ledger = Ledger(tiny_study(folder), storage_url(folder))
    ledger.keep_identity(ledger.settings.identity())
    trial, architecture = begin(ledger)
    ledger.complete(trial, result(0, architecture))
    begin(ledger)
    return folder / "study.db"


@pytest.fixture
def database(searched: Path, tmp_path: Path) -> Path:
    """A copy of that database."""
    return Path(shutil.copy(searched, tmp_path))


def found(database: Path, say: Callable[[str], None] = print) -> Ledger | None:
    folder = database.parent
    return Ledger.find(tiny_study(folder), storage_url(folder), say)


def resume(database: Path) -> None:
    """Read all that a search reads when it is resumed."""
    ledger = found(database)
    if ledger is not None:
        ledger.history()
        known_architectures(ledger)
        known_networks(ledger)
        take_up_interrupted(ledger)
        with ledger.readable():
            rounds_of(ledger.trials())


def change(database: Path, *statements: str) -> None:
    with sqlite3.connect(database) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def locked(database: Path, seconds: float) -> threading.Thread:
    """Return a running thread that locks the database as another program does."""
    begun = threading.Event()

    def lock() -> None:
        other = sqlite3.connect(database)
        other.execute("BEGIN EXCLUSIVE")
        begun.set()
        time.sleep(seconds)
        other.close()

    thread = threading.Thread(target=lock)
    thread.start()
    assert begun.wait(10)
    return thread


def test_a_locked_database_is_waited_for_with_a_line_to_open_to_read_and_to_write(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_lock, "SAY_AFTER_S", 0.2)
    said: list[str] = []
    lock = locked(database, 0.7)
    ledger = found(database, said.append)
    assert ledger is not None
    lock.join()
    for act in (ledger.history, ledger.ask, lambda: ledger.propose({})):
        lock = locked(database, 0.5)
        act()
        lock.join()

    assert len(ledger.history().complete) == 1
    assert said[:2] == [
        "another program locks the study's database: waiting for it",
        "the study's database is free again",
    ]
    assert len(said) >= 8


def test_a_database_that_stays_locked_is_named_in_the_end(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_lock, "GIVE_UP_S", 0.2)
    lock = locked(database, 1.0)

    with pytest.raises(MachineError, match=r"study\.db cannot be used: .* locked\. Close the prog"):
        found(database)
    lock.join()


def test_a_file_that_is_no_database_is_named_with_the_remedy(database: Path) -> None:
    database.write_bytes(b"garbage " * 1000)

    with pytest.raises(SettingError, match=r"study\.db cannot be used: .*not a database\. Restore"):
        found(database)


def test_a_cut_database_raises_no_error_but_ours(database: Path) -> None:
    content = database.read_bytes()
    for size in range(0, len(content), len(content) // 8):
        database.write_bytes(content[:size] + b"\xa5" * 4096)
        with contextlib.suppress(JejunetError):
            resume(database)


def test_a_folder_in_the_place_of_the_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "study.db").mkdir()

    with pytest.raises(SettingError, match=r"study\.db cannot be used: unable to open .*no folder"):
        found(tmp_path / "study.db")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE trial_user_attributes SET value_json = '{' WHERE key = 'record'",
        "UPDATE trial_user_attributes SET value_json = '\"{cut\"' WHERE key = 'record'",
        "UPDATE trial_user_attributes SET value_json = '\"{cut\"' WHERE key = 'architecture'",
        "DELETE FROM trial_user_attributes WHERE key = 'record'",
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) "
        "VALUES (1, 'round', '0'), (2, 'round', '[]')",
        "UPDATE trial_params SET distribution_json = 'x'",
        "UPDATE study_user_attributes SET value_json = '['",
        "UPDATE trials SET state = 'NONSENSE'",
    ],
)
def test_damaged_rows_end_in_one_line_without_their_content(database: Path, damage: str) -> None:
    change(database, damage)

    with pytest.raises(JejunetError, match=r"study\.db .*Restore it from a copy") as caught:
        resume(database)
    assert len(str(caught.value)) < 400
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("revision", "remedy"),
    [
        ("v99.0.0.z", r"Update Optuna: `pip install -U optuna`"),
        ("v2.4.0.a", r"Copy it, then run `optuna storage upgrade --storage sqlite:///"),
    ],
)
def test_a_database_of_another_optuna_is_named_with_the_remedy(
    database: Path, revision: str, remedy: str
) -> None:
    change(database, f"UPDATE alembic_version SET version_num = '{revision}'")

    with pytest.raises(SettingError, match=rf"does not have the tables of Optuna .*{remedy}"):
        found(database)


@pytest.mark.parametrize(
    "url",
    [
        *("sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite+pysqlite:///:memory:"),
        *("sqlite:///file::memory:?cache=shared&uri=true", "sqlite:///file:a?mode=memory&uri=true"),
    ],
)
def test_a_database_in_memory_is_refused(url: str, tmp_path: Path) -> None:
    for act in (open_storage, lambda url: has_study(url, "tiny")):
        with pytest.raises(SettingError, match=r"^--storage is .* lost at the end\. Name a file"):
            act(url)


@pytest.mark.parametrize("name", ["a?b=c", "{x}", "a%20b", "a#b", "ü @x:y", "file:a"])
def test_a_folder_of_any_name_may_hold_a_study(name: str, searched: Path, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(searched, folder)

    ledger = Ledger.find(tiny_study(tmp_path), storage_url(folder))

    assert ledger is not None
    assert len(ledger.history().complete) == 1
    assert [*folder.iterdir()] == [folder / "study.db"]
    assert {*tmp_path.iterdir()} == {folder, tmp_path / "tiny.yaml"}


def test_an_unreachable_server_is_named_without_its_password() -> None:
    url = "postgresql+psycopg://me:s3cret@127.0.0.1:1/nas"

    with pytest.raises(
        StorageError, match=r"^postgresql.*me:\*\*\*@127.* cannot be used"
    ) as caught:
        open_storage(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ('FATAL:  password authentication failed for user "me"', "that the server knows"),
        ('FATAL:  database "nas" does not exist', "Create it"),
        ('FATAL:  role "me" does not exist', "Create it"),
    ],
)
def test_what_no_waiting_mends_is_the_users(words: str, remedy: str) -> None:
    error = sqlalchemy.exc.OperationalError(
        "SELECT 1", {}, Exception(f"connection failed: connection to server at x, {words}")
    )

    found = storage_error(error, "postgresql://me:s3cret@host/nas")

    assert type(found) is SettingError
    assert remedy in str(found)
    assert "s3cret" not in str(found)


# Optuna leaves the connection of a storage that it could not open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_open_a_new_database_at_once_all_succeed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for number in range(4):
        url = f"sqlite:///{tmp_path}/study{number}.db"
        if kind == "postgresql":
            url = request.getfixturevalue("postgresql").new_database()
        with ThreadPoolExecutor(6) as pool:
            storages = [*pool.map(lambda _, url=url: open_storage(url), range(6))]  # type: ignore[misc]
        for each in storages:
            assert each.get_all_studies() == []
            each.remove_session()
            each.engine.dispose()
    gc.collect()  # its warnings belong to this test


def test_one_study_in_a_sqlite_file_elsewhere_has_one_search_at_a_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with (
        study_lock(tmp_path / "one", "tiny", url),
        pytest.raises(SettingError, match="tiny is being searched by another process"),
        study_lock(tmp_path / "two", "tiny", url),
    ):
        pass
    with study_lock(tmp_path / "one", "tiny", url), study_lock(tmp_path / "two", "other", url):
        pass


def test_a_full_disk_is_no_fault_of_the_database() -> None:
    error = sqlalchemy.exc.OperationalError(
        "INSERT", {}, sqlite3.OperationalError("database or disk is full")
    )

    fault = storage_error(error, "sqlite:////data/study.db")

    assert isinstance(fault, MachineError)
    assert str(fault).startswith("/data/study.db cannot be used: database or disk is full. Free")


def test_a_study_killed_at_any_statement_of_its_creation_is_created_again(tmp_path: Path) -> None:
    class Killed(BaseException):
        """No `except Exception` sees it, as none sees a kill."""

    settings = tiny_study(tmp_path, "start_with: [{resolution: 96}, {resolution: 64}]\n")
    left = -1

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    def create(url: str) -> None:
        ledger = Ledger(settings, url)
        ledger.note_class_names(("a", "b"))
        ledger.keep_identity({**settings.identity(), "made_from": {"data": "0"}})

    statement, done = 0, False
    while not done:
        statement += 31  # of about 400
        url, left = storage_url(tmp_path / f"at-{statement}"), statement
        (tmp_path / f"at-{statement}").mkdir()
        event.listen(Engine, "before_cursor_execute", count)
        try:
            create(url)
            done = True
        except Killed:
            pass
        finally:
            event.remove(Engine, "before_cursor_execute", count)
        if not done:
            assert Ledger.find(settings, url) is None
            create(url)
        study = optuna.load_study(study_name="tiny", storage=url)
        assert len(study.get_trials(deepcopy=False)) == 2
        assert study.user_attrs["identity"]["made_from"] == {"data": "0"}
    assert statement > 50


def test_an_identity_that_a_reader_once_wrote_is_completed_while_there_is_no_trial(
    tmp_path: Path,
) -> None:
    settings = tiny_study(tmp_path)
    ledger = Ledger(settings, storage_url(tmp_path))
    ledger.keep_identity(settings.identity())

    ledger.keep_identity({**settings.identity(), "made_from": {"data": "0"}})

    with pytest.raises(SettingError, match=r"^made_from\.data of tiny is 1, .* with 0\."):
        ledger.keep_identity({"made_from": {"data": "1"}})
