"""What the verbs that read a log share."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sanfen.clock import SystemClock
from sanfen.config import presets
from sanfen.core.periods import span
from sanfen.errors import InputError
from sanfen.store import queries
from sanfen.store.db import open_reader, store_error

__all__ = ["asked", "period_days"]


@contextmanager
def asked(log: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection. Raises StoreError, InputError."""
    connection = open_reader(log)
    try:
        yield connection
    except sqlite3.DatabaseError as error:
        raise store_error(log, error) from None
    finally:
        connection.close()


def period_days(connection: sqlite3.Connection, filters: Mapping[str, str | None]) -> tuple[str, str]:
    """First and last day of the policy's own period, as it stands today. Raises InputError, PolicyError."""
    known = [policy for _, policy in queries.policies(connection, filters.get("score_set"))]
    name = filters.get("policy") or (known[0] if known else None)
    if name is None:
        raise InputError("the log holds no rounds yet", hint="leave --period out")
    if len(set(known)) > 1 and not filters.get("policy"):
        raise InputError("the log holds several policies", hint="say which: --policy " + " | ".join(sorted(set(known))))
    policy = presets.policy(name)
    if policy.period is None:
        raise InputError(f"policy {name} states no period", hint="give --from and --to")
    now = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)
    first, last = span(policy.period, now.astimezone(ZoneInfo(policy.tz)).date())
    return first.isoformat(), last.isoformat()
