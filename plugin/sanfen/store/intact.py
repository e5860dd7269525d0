"""Whether the text of a log's schema is what our migrations give."""

import sqlite3
from functools import lru_cache

from sanfen.store.migrations import APPLICATION_ID, known, migrate

__all__ = ["is_altered"]


def is_altered(connection: sqlite3.Connection) -> bool:
    """Whether a log of today's schema has another text for it than our migrations give: a byte of it was hit.

    It asks the connection: opening and closing the file would drop the locks that SQLite holds on it.
    """
    try:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            return False
        rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'sanfen'").fetchall()
        found = _texts(connection)
    except sqlite3.Error:
        return True
    return {row[0] for row in rows} == known() and any(found.get(name) != text for name, text in _made().items())


@lru_cache(maxsize=1)
def _made() -> dict[str, str]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection)
        return _texts(connection)
    finally:
        connection.close()


def _texts(connection: sqlite3.Connection) -> dict[str, str]:
    """What everything but views, which are made anew at each start, was made by."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'view'").fetchall()
    return {str(row[0]): str(row[1]) for row in rows if not str(row[0]).startswith("sqlite_")}
