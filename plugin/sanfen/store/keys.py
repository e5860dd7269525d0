"""Keys the service makes for itself and keeps in its log."""

import secrets
import sqlite3

__all__ = ["link_key"]


def link_key(connection: sqlite3.Connection) -> bytes:
    """The key links are signed with: 32 random bytes, made when first asked for."""
    connection.execute("INSERT OR IGNORE INTO key_rows (name, value) VALUES ('links', ?)", (secrets.token_bytes(32),))
    return bytes(connection.execute("SELECT value FROM key_rows WHERE name = 'links'").fetchone()[0])
