"""Open the log. The only module that connects."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sanfen.errors import StoreError
from sanfen.store.lease import Lease
from sanfen.store.migrations import APPLICATION_ID, is_older, migrate, newer
from sanfen.store.trouble import foreign, newer_log, no_log, older_log, store_error, unwritable

__all__ = ["TROUBLE", "closed_if_refused", "connect_writer", "open_reader", "upgrade"]

_BUSY_MS = 1_000  # how long to wait for a lock another program holds
_WAL_BYTES = 64 << 20  # what a reader made it grow to is given back down to this
_CACHE_KIB = 32 << 10
_STATEMENTS = 256  # that stay prepared: those of many rows come in several sizes

TROUBLE = (sqlite3.Error, UnicodeError)
"""What goes wrong with a log: what a damaged schema says of itself may be no text."""
_CAREFUL = ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0")  # a file may have been tampered with


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection with rows by name.

    Raises StoreError if the file is missing, not a sanfen log, or one of another version.
    """
    if not path.is_file():
        raise no_log(path)
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_MS / 1000)
    except sqlite3.Error as error:
        raise store_error(path, error) from None
    with closed_if_refused(path, connection):
        connection.row_factory = sqlite3.Row
        for pragma in (*_CAREFUL, "query_only = ON"):
            connection.execute(f"PRAGMA {pragma}")
        _check_ours(path, connection, empty_too=False)
        if is_older(connection):
            raise older_log(path)
    return connection


def upgrade(path: Path) -> None:
    """Bring the log of an earlier version up to date; each step is one transaction. Raises InUseError, StoreError."""
    if not path.is_file():
        raise no_log(path)
    lease = Lease.take(path)
    try:
        connect_writer(path, migrating=True).close()
    finally:
        lease.close()


def connect_writer(path: Path, *, migrating: bool) -> sqlite3.Connection:
    """The connection that writes; a file that is not there is made. ``migrating``: bring it up to date. Raises StoreError."""
    try:
        # Only a file that was not there: closing a descriptor of one that is open drops SQLite's locks on it, and the
        # next program to look into it would fold the WAL back and remove it under us.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
        )
    except OSError as error:
        raise unwritable(path, error) from None
    except sqlite3.Error as error:
        raise store_error(path, error) from None
    with closed_if_refused(path, connection):
        for pragma in _CAREFUL:
            connection.execute(f"PRAGMA {pragma}")
        _check_ours(path, connection, empty_too=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        if migrating:
            migrate(connection)
        connection.execute("PRAGMA temp_store = MEMORY")  # what a savepoint keeps to go back to is no file
    return connection


@contextmanager
def closed_if_refused(path: Path, connection: sqlite3.Connection) -> Iterator[None]:
    """What goes wrong with a new connection closes it, and is said in our words."""
    try:
        yield
    except TROUBLE as error:
        try:
            raise store_error(
                path, error, connection
            ) from None  # in no variable: its traceback would keep the file open
        finally:
            connection.close()
    except StoreError:
        connection.close()
        raise


def _check_ours(path: Path, connection: sqlite3.Connection, *, empty_too: bool) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (
        application != APPLICATION_ID
        and not (empty_too and tables == 0 and application == 0)
        and not _known(connection)
    ):
        raise foreign(path, tables)
    unknown = newer(connection)
    if unknown:
        raise newer_log(path, unknown)


def _known(connection: sqlite3.Connection) -> bool:
    """Whether our tables are there although the header does not say so: a header can be damaged."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {"deliveries", "events", "round_rows", "_sqlite_migrations"} <= names
