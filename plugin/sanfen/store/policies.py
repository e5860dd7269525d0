"""The policies a log was scored under, each with the instant it came into force: a round keeps the one it opened under."""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from sanfen.core.policy import Policy

__all__ = ["Epoch", "epochs", "fields", "latest", "of_version", "remember"]

_POLICY = TypeAdapter(Policy)


class Epoch(NamedTuple):
    """A policy's version and the instant from which rounds open under it."""

    since_ms: int
    policy: Policy


def remember(connection: sqlite3.Connection, score_set: str, policies: Iterable[Policy], now_ms: int) -> None:
    """Note the versions in force from now on; those that are in force already stay as they are."""
    for policy in policies:
        row = connection.execute(
            "SELECT version, since_ms FROM policy_rows WHERE score_set = ? AND policy = ? ORDER BY since_ms DESC LIMIT 1",
            (score_set, policy.id),
        ).fetchone()
        since_ms = now_ms if row else 0  # the first holds for whatever comes, however late
        if row and row[0] == policy.version:  # the same version may have other targets
            since_ms = row[1]
        facts = _POLICY.dump_json(replace(policy, ladders=())).decode()
        connection.execute(
            "INSERT INTO policy_rows (score_set, policy, since_ms, version, facts) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET version = excluded.version, facts = excluded.facts",
            (score_set, policy.id, since_ms, policy.version, facts),
        )


def epochs(connection: sqlite3.Connection, score_set: str, policy: str) -> list[Epoch]:
    """A policy's versions, oldest first. One that this version of sanfen cannot read any more is left out."""
    out = []
    rows = connection.execute(
        "SELECT since_ms, facts FROM policy_rows WHERE score_set = ? AND policy = ? ORDER BY since_ms",
        (score_set, policy),
    )
    for since_ms, facts in rows:
        found = _read(facts)
        if found is not None:
            out.append(Epoch(since_ms, found))
    return out


@lru_cache(maxsize=256)
def _read(facts: str) -> Policy | None:
    """Remembered: who goes to and fro between two versions a thousand times has two policies."""
    try:
        return _POLICY.validate_json(facts)
    except ValidationError:
        return None


def of_version(connection: sqlite3.Connection, score_set: str, policy: str, version: str) -> Policy | None:
    """The policy as it was in a version; None if the log does not know it."""
    return next((one.policy for one in epochs(connection, score_set, policy) if one.policy.version == version), None)


def fields(policy: Policy) -> dict[str, Any]:
    """A policy as plain data, in the words of the core."""
    found: dict[str, Any] = _POLICY.dump_python(replace(policy, ladders=()), mode="json")
    return found


def latest(connection: sqlite3.Connection, score_set: str, policy: str) -> Policy | None:
    """The version in force; None if the log does not know the policy."""
    found = epochs(connection, score_set, policy)
    return found[-1].policy if found else None
