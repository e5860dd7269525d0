"""Why a file cannot be the log, in our words: SQLite's errors, and what we find ourselves."""

import sqlite3
from pathlib import Path

from sanfen.errors import DamagedError, Phrase, StoreError
from sanfen.store import files
from sanfen.store.intact import is_altered

__all__ = ["foreign", "newer_log", "no_log", "older_log", "store_error", "unwritable"]


def store_error(
    path: Path, error: sqlite3.Error | UnicodeError, connection: sqlite3.Connection | None = None
) -> StoreError:
    """SQLite's error as a sentence with a mend. Text that is none comes from a damaged file.

    ``connection``: to look whether a statement SQLite does not understand is its schema's fault.
    """
    text = str(error)
    if isinstance(error, UnicodeError) or "decode to UTF-8" in text:
        text = "malformed text"
    if text == "no such column: migration_set" or text.endswith(
        "already exists"
    ):  # the schema was hit, or what says how far it is
        text = "malformed schema"
    if "locked" in text or "busy" in text:
        holder = files.holder(path)
        return StoreError(
            Phrase("{path} is locked by {holder}", path=path, holder=holder or Phrase("another program")),
            hint="close what has it open (an editor, a backup)",
        )
    if "not a database" in text or "malformed" in text or "corrupt" in text:
        kind = DamagedError if files.is_ours(path) else StoreError
        sentence = Phrase("{path} is damaged or no database: {text}", path=path, text=text)
        return kind(sentence, hint="restore a copy, or name another file")
    if "full" in text:
        return StoreError(
            Phrase("no space left for {path}", path=path),
            hint="free some disk: the chat flows on, its scoring is a gap",
        )
    if "readonly" in text or "unable to open" in text:
        return StoreError(
            Phrase("cannot write {path}: {text}", path=path, text=text), hint="check storage: and its rights"
        )
    if "I/O" in text:
        return StoreError(Phrase("{place}: {sentence}", place=path, sentence=text), hint="check the disk")
    if connection is not None and isinstance(error, sqlite3.OperationalError) and is_altered(connection):
        return DamagedError(
            Phrase("{path} is damaged: the text of its schema was changed", path=path), hint="restore a copy"
        )
    return StoreError(Phrase("{place}: {sentence}", place=path, sentence=text))


def no_log(path: Path) -> StoreError:
    """There is no file of this name."""
    hint = "give the file that storage: names, or that --out wrote"
    return StoreError(Phrase("no such log: {path}", path=path), hint=hint)


def foreign(path: Path, tables: int) -> StoreError:
    """A database that is not ours; ``tables``: how many it holds."""
    sentence = (
        Phrase("{path} is not a sanfen log: it is another program's database", path=path)
        if tables
        else Phrase("{path} holds no log yet", path=path)
    )
    return StoreError(sentence, hint="name another file; this one is left untouched")


def newer_log(path: Path, unknown: str) -> StoreError:
    """A log that knows migrations this release does not."""
    sentence = Phrase("{path} was written by a newer sanfen (it has {unknown})", path=path, unknown=unknown)
    return StoreError(sentence, hint="upgrade sanfen, or name another file")


def older_log(path: Path) -> StoreError:
    """A log that lacks something of today's schema."""
    hint = Phrase("bring it up to date: sanfen check --upgrade {path}, or start sanfen serve with it", path=path)
    return StoreError(Phrase("{path} was written by an earlier sanfen", path=path), hint=hint)


def unwritable(path: Path, error: OSError) -> StoreError:
    """The system does not let us write it."""
    sentence = Phrase("cannot write {path}: {error}", path=path, error=error.strerror)
    return StoreError(sentence, hint="check storage: and its rights")
