"""SQLite's errors in our words."""

import sqlite3
from pathlib import Path

from sanfen.errors import DamagedError, StoreError
from sanfen.store import files
from sanfen.store.intact import is_altered

__all__ = ["store_error"]


def store_error(
    path: Path, error: sqlite3.Error | UnicodeError, connection: sqlite3.Connection | None = None
) -> StoreError:
    """SQLite's error as a sentence with a mend. Text that is none comes from a damaged file.

    ``connection``: to look whether a statement SQLite does not understand is its schema's fault.
    """
    text = str(error)
    if isinstance(error, UnicodeError) or "decode to UTF-8" in text:
        text = "malformed text"
    if text == "no such column: migration_set":  # every log has it: the schema itself was hit
        text = "malformed schema"
    if "locked" in text or "busy" in text:
        holder = files.holder(path)
        return StoreError(
            f"{path} is locked by {holder or 'another program'}", hint="close what has it open (an editor, a backup)"
        )
    if "not a database" in text or "malformed" in text or "corrupt" in text:
        kind = DamagedError if files.is_ours(path) else StoreError
        return kind(f"{path} is damaged or no database: {text}", hint="restore a copy, or name another file")
    if "full" in text:
        return StoreError(f"no space left for {path}", hint="free some disk: the chat flows on, its scoring is a gap")
    if "readonly" in text or "unable to open" in text:
        return StoreError(f"cannot write {path}: {text}", hint="check storage: and its rights")
    if "I/O" in text:
        return StoreError(f"{path}: {text}", hint="check the disk")
    if connection is not None and isinstance(error, sqlite3.OperationalError) and is_altered(connection):
        return DamagedError(f"{path} is damaged: the text of its schema was changed", hint="restore a copy")
    return StoreError(f"{path}: {text}")
