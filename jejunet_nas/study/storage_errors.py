"""What a study's database raises, in one line that names the file or the URL, and the remedy."""

import sqlite3
from pathlib import Path
from urllib.parse import unquote

import optuna
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from jejunet_nas.errors import JejunetError, MachineError, SettingError, StorageError
from jejunet_nas.faults import masked

RESTORE = (
    "Restore it from a copy; or move it away and search again, which uses the trained networks "
    "beside it again"
)
_AFTERWARDS = "then run the same command again; finished work is kept"
# By words of the database's error: the class, what is wrong, and the remedy.
_FAULTS: tuple[tuple[tuple[str, ...], type[JejunetError], str], ...] = (
    (("is full",), MachineError, f"Free some space on its disk, {_AFTERWARDS}"),
    (("disk i/o error",), MachineError, f"Check its drive and the space on it, {_AFTERWARDS}"),
    (
        ("authentication failed", "no password supplied", "no pg_hba.conf entry"),
        SettingError,
        "Give a user and a password that the server knows, in the URL or in PGPASSWORD",
    ),
    (
        ("fatal:  database", "fatal:  role"),  # does not exist
        SettingError,
        "Create it, or give --storage another URL",
    ),
    (
        ("connection refused", "connection failed", "connection is closed", "shutting down"),
        StorageError,
        f"Check that the database's server runs and can be reached, {_AFTERWARDS}",
    ),
    (("is locked", "busy"), StorageError, f"Close the program that locks it, {_AFTERWARDS}"),
    (
        ("readonly", "read-only", "unable to open", "denied", "not authorized"),
        SettingError,
        "Check the permissions of the file and its folder, and that it is no folder",
    ),
    (
        ("malformed", "not a database", "no such table", "no such column", "no column", "corrupt"),
        SettingError,
        RESTORE,
    ),
)


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite database, or None for any other."""
    if url.get_backend_name() != "sqlite":
        return None
    name = url.database or ""
    return Path(unquote(name.removeprefix("file:")) if "uri" in url.query else name)


def place_of(url: str) -> str:
    """Return the file of a SQLite database, or the URL without its password."""
    try:
        file = sqlite_file(make_url(url))
    except (SQLAlchemyError, ValueError):
        file = None
    return masked(url) if file is None else str(file)


def storage_error(error: BaseException, url: str, *, opening: bool = False) -> JejunetError:
    """Return the one line about an error of the database at `url`."""
    words = " ".join(str(database_error(error) or error).splitlines()[:1]).rstrip(".")
    words = words.replace(url, masked(url))
    for known, kind, remedy in _FAULTS:
        if any(each in words.lower() for each in known):
            return kind(f"{place_of(url)} cannot be used: {words}. {remedy}.")
    if opening:
        return cannot_open(url, words)
    return StorageError(f"{place_of(url)} failed: {words}. Check the database, {_AFTERWARDS}.")


def cannot_open(url: str, words: str) -> SettingError:
    """Return the one line about a URL that no database can be opened by."""
    if "psycopg" in words and "No module" in words:
        words = "psycopg is missing: `pip install 'jejunet_nas[postgresql]'`"
    reason = words.splitlines()[0].replace(url, masked(url)) if words else "no reason given"
    return SettingError(
        f"--storage is {masked(url)}, which cannot be opened ({reason}). Use a database's URL, "
        "such as sqlite:///study.db."
    )


def another_version(words: str, url: str) -> SettingError:
    """Return the one line about tables of another version; words: Optuna's."""
    remedy = RESTORE
    if "storage upgrade" in words:
        remedy = f"Copy it, then run `optuna storage upgrade --storage {masked(url)}`"
    elif "updating optuna" in words:
        remedy = "Update Optuna: `pip install -U optuna`; or use the version that wrote it"
    return SettingError(
        f"{place_of(url)} does not have the tables of Optuna {optuna.__version__}. {remedy}."
    )


def database_error(error: BaseException | None) -> BaseException | None:
    """Return the error of the database's own library that `error` came from."""
    while error is not None:
        if isinstance(error, sqlite3.Error):
            return error
        if isinstance(error, SQLAlchemyError):
            return getattr(error, "orig", None) or error
        error = error.__cause__ or error.__context__
    return None
