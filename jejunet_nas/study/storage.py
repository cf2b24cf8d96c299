"""Storage: opens Optuna's database of a study, and words its errors.

Whatever a database raises later, in any statement, becomes one line that names the
file or the URL, without its password, and the remedy.
"""

import contextlib
import functools
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import sqlalchemy
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from jejunet_nas.documents.bounds import shortened
from jejunet_nas.errors import SettingError
from jejunet_nas.faults import masked
from jejunet_nas.progress import Say
from jejunet_nas.study.sqlite_lock import AGAIN_S, PatientConnection
from jejunet_nas.study.storage_errors import (
    RESTORE,
    another_version,
    cannot_open,
    database_error,
    place_of,
    sqlite_file,
    storage_error,
)

_OPENINGS = 10  # while another process creates the tables
_MEMORY = "sqlite keeps it in memory, and all trials would be lost at the end"


def storage_url(folder: Path) -> str:
    """Return the URL of the SQLite storage in a study's folder."""
    file = str(folder / "study.db")
    # Signs of URLs, and of Optuna's templates.
    return f"sqlite:///{quote(file) if set('?{}%') & set(file) else file}"


def to_standard_error(line: str) -> None:
    """Print a line for the user on standard error."""
    print(line, file=sys.stderr, flush=True)


def open_storage(url: str, say: Say = to_standard_error) -> RDBStorage:
    """Return the storage at `url`; create its tables if it has none.

    say: receives a line while another program locks the database. Raises `SettingError` if it
    cannot be opened, is damaged, or was written by another version of Optuna.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    parsed = checked_url(url)
    try:
        storage = _opened(parsed, say)
    except ImportError as reason:
        raise cannot_open(url, str(reason)) from None
    except SQLAlchemyError as reason:
        raise storage_error(reason, url, opening=True) from None
    except (RuntimeError, AssertionError) as reason:
        # Optuna's words about its version; the assertion: of a file without a version.
        raise another_version(str(reason), url) from None
    except Exception as reason:
        fault = database_error(reason)
        if fault is None:
            raise
        raise storage_error(reason, url, opening=True) from None
    _word_errors(storage.engine, url)
    return storage


def _opened(url: URL, say: Say) -> RDBStorage:
    """Open the storage, again if another process is just creating its tables."""
    for left in reversed(range(_OPENINGS)):
        try:
            return RDBStorage(_text(url), engine_kwargs=_engine_options(url, say))
        except (SQLAlchemyError, AssertionError) as reason:
            created = isinstance(reason, IntegrityError | AssertionError)
            if not left or not (created or "already exists" in str(reason)):
                raise
            time.sleep(AGAIN_S)
    raise AssertionError("the last attempt returns or raises")


def has_study(url: str, name: str, say: Say = to_standard_error) -> bool:
    """Whether the database at `url` has the study `name`. Nothing is created. Errors: as above."""
    parsed = checked_url(url)
    file = sqlite_file(parsed)
    if file is not None and not file.exists():
        return False
    engine = open_engine(url, say)
    try:
        with engine.connect() as connection:
            tables = sqlalchemy.inspect(connection)
            # The last that Optuna writes when it creates its tables.
            if not tables.has_table("alembic_version") or not tables.has_table("studies"):
                return False
            finished = connection.execute(sqlalchemy.text("SELECT * FROM alembic_version")).first()
            found = connection.execute(
                sqlalchemy.text("SELECT 1 FROM studies WHERE study_name = :name"), {"name": name}
            ).first()
    finally:
        engine.dispose()
    return finished is not None and found is not None


def open_engine(url: str, say: Say = to_standard_error, **options: Any) -> sqlalchemy.Engine:
    """Return an engine of the database at `url`, which raises its errors in our words.

    options: of `sqlalchemy.create_engine`.
    """
    parsed = checked_url(url)
    try:
        engine = sqlalchemy.create_engine(parsed, **_engine_options(parsed, say), **options)
    except (SQLAlchemyError, ImportError) as reason:
        raise cannot_open(url, str(reason)) from None
    _word_errors(engine, url)
    return engine


def optuna_study(name: str, storage: BaseStorage) -> optuna.Study:
    """Return the study of a name; create it if it is new."""
    if name in optuna.get_all_study_names(storage):
        return optuna.load_study(study_name=name, storage=storage)
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        directions=["maximize", "minimize"],
        load_if_exists=True,  # another process may have just created it
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(["mIoU", "mean ms a frame"])
    return study


@contextlib.contextmanager
def readable(url: str) -> Iterator[None]:
    """Word an error that Optuna or JSON raises in the block because rows are damaged."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        words = shortened(str(error)) if isinstance(error, ValueError) else type(error).__name__
        raise SettingError(f"{place_of(url)} has a damaged row ({words}). {RESTORE}.") from error


def checked_url(url: str) -> URL:
    """Return the parsed URL. Raises `SettingError` if it is none, or a database in memory."""
    try:
        parsed = make_url(url)
        file = sqlite_file(parsed)
    except (SQLAlchemyError, ValueError) as reason:
        raise cannot_open(url, str(reason)) from None
    if file is not None and (
        str(file) in (".", ":memory:")
        or parsed.query.get("mode") == "memory"
        or "mode=memory" in str(file)
    ):
        raise SettingError(
            f"--storage is {masked(url)}: {_MEMORY}. Name a file, such as sqlite:///study.db."
        )
    if parsed.drivername == "postgresql":  # the extra `postgresql` has this driver
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _word_errors(engine: sqlalchemy.Engine, url: str) -> None:
    """Have every later error of `engine` raised in our words."""

    def word(context: Any) -> None:
        error = context.sqlalchemy_exception
        if error is not None and not isinstance(error, IntegrityError):
            raise storage_error(error, url) from context.original_exception

    sqlalchemy.event.listen(engine, "handle_error", word)


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _engine_options(url: URL, say: Say) -> dict[str, Any]:
    if url.get_backend_name() != "sqlite":
        return {
            "pool_pre_ping": True
        }  # a connection that a restart of the server broke is replaced
    patient = functools.partial(PatientConnection, say=say)
    return {"connect_args": {"factory": patient, "timeout": AGAIN_S}}
