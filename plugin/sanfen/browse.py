"""The plugin for Datasette 0.65: the log's views with customers masked, questions ready to ask, links back to the board.

Only what stands in the views can be read, by whatever SQL: SQLite's authorizer gives NULL for every column of a table that is
read past them. What was said is left out; a customer is a few letters and a mark that is the same in every view, made with a key
that stays here. ``plugins: {sanfen: {board: URL}}`` in Datasette's metadata says where the board is.
"""

import re
import sqlite3
from hashlib import blake2b
from secrets import token_bytes, token_hex
from typing import Any
from urllib.parse import quote

from datasette import hookimpl
from markupsafe import Markup

from sanfen.store.queries import mask
from sanfen.store.views import NAMES

__all__ = ["QUERIES"]

_BOARD = "http://127.0.0.1:8971"
_ROUND = re.compile(r"r[0-9a-f]{12}")
_MASKED = ("customer", "conversation")
_LEFT_OUT = ("text",)
_OURS = token_bytes(32)
_TABLES = ("_rows", "_hours", "_migrations", "events", "verdicts", "deliveries", "outbox", "attempts", "replays")
_HIDDEN_PRAGMAS = ("table_list", "table_info", "table_xinfo")
_SCORES = "score_set = (SELECT score_set FROM rates_daily ORDER BY score_set <> 'live', score_set LIMIT 1)"

QUERIES: dict[str, tuple[str, str, str]] = {
    "rate_by_day": (
        "Rate by day",
        "每天的响应率",
        f"SELECT day, policy, shop, rounds, met, late, missed, round(100 * rate, 2) AS rate FROM rates_daily WHERE {_SCORES} ORDER BY day DESC",
    ),
    "worst_hours": (
        "Hours by rate, the worst first",
        "各时段响应率，最差的在前",
        (
            f"SELECT hour, sum(rounds) AS rounds, sum(met) AS met, round(100.0 * sum(met) / sum(rounds), 2) AS rate FROM rates_hourly "
            f"WHERE {_SCORES} AND rounds > 0 GROUP BY hour ORDER BY rate"
        ),
    ),
    "agents": (
        "Agents over the last 30 days of the log",
        "各客服最近 30 天",
        (
            f"SELECT agent, sum(rounds) AS rounds, sum(met) AS met, sum(late) AS late, sum(missed) AS missed, "
            f"round(100.0 * sum(met) / sum(rounds), 2) AS rate FROM agents_daily WHERE {_SCORES} AND rounds > 0 "
            "AND day > date((SELECT max(day) FROM agents_daily), '-30 days') GROUP BY agent ORDER BY rate"
        ),
    ),
    "longest_waits": (
        "The longest waits, and why",
        "等得最久的轮次及原因",
        (
            f"SELECT id, opened, customer, agent, wait_ms / 1000 AS seconds, status, because FROM rounds WHERE {_SCORES} "
            "AND wait_ms IS NOT NULL ORDER BY wait_ms DESC LIMIT 50"
        ),
    ),
    "missed": (
        "Rounds nobody answered",
        "没有人回复的轮次",
        f"SELECT id, opened, customer, agent, messages, because FROM rounds WHERE {_SCORES} AND status = 'missed' ORDER BY opened_ms DESC",
    ),
    "left_out": (
        "What was left out, and why",
        "不计的轮次及原因",
        f"SELECT reason, count(*) AS rounds FROM rounds WHERE {_SCORES} AND status = 'excluded' GROUP BY reason ORDER BY rounds DESC",
    ),
    "evidence": (
        "How we know who answered",
        "判定回复的依据",
        (
            f"SELECT evidence, mode, count(*) AS replies, sum(valid) AS valid FROM messages WHERE {_SCORES} AND sender = 'merchant' "
            "GROUP BY evidence, mode ORDER BY replies DESC"
        ),
    ),
    "told": (
        "Who was told, and how fast",
        "通知了谁，多快",
        "SELECT person, state, count(*) AS notices, round(avg(took_ms) / 1000.0, 1) AS seconds FROM escalations GROUP BY person, state",
    ),
    "unanswered": (
        "Customers without any valid reply, by day",
        "每天没有有效回复的顾客",
        "SELECT day, count(*) AS customers FROM customers_daily WHERE NOT replied GROUP BY day ORDER BY day DESC",
    ),
}
"""By name: what it asks in English and Chinese, and the SQL."""


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Put masked views before the log's own, and close the way past them."""
    rows = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall()
    made = {str(row[0]): str(row[1]) for row in rows if row[0] in NAMES}
    if "rounds" not in made:
        return  # not a log of ours
    key, secret = _key(conn), f"sanfen_{token_hex(16)}"
    conn.create_function("sanfen_masked", 1, lambda name: _masked(name, key), deterministic=True)
    for name, sql in made.items():
        columns = [str(row[1]) for row in conn.execute(f"PRAGMA main.table_info({name})")]
        conn.execute(f"CREATE TEMP VIEW {secret}_{name} AS {sql.partition(' AS')[2]}")
        conn.execute(f"CREATE TEMP VIEW {name} AS SELECT {', '.join(map(_shown, columns))} FROM {secret}_{name}")

    def allow(action: int, table: str | None, _column: str | None, _database: str | None, source: str | None) -> int:
        if action == sqlite3.SQLITE_PRAGMA and table in _HIDDEN_PRAGMAS and _column is None:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_READ and table is not None:
            if table.startswith("sqlite_temp"):
                return sqlite3.SQLITE_DENY
            is_past = not table.startswith(("sqlite_", "sanfen_", "pragma_", "json_")) and table not in NAMES
            if is_past and not (source or "").startswith(secret):
                return sqlite3.SQLITE_IGNORE
        return sqlite3.SQLITE_OK

    conn.set_authorizer(allow)


def _key(conn: sqlite3.Connection) -> bytes:
    """The log's own, so that a mark is the same tomorrow; a log without one has this process's."""
    row = conn.execute("SELECT value FROM key_rows WHERE name = 'links'").fetchone()
    return _OURS if row is None else bytes(row[0])[:64]


def _masked(name: Any, key: bytes) -> str | None:
    if name is None:
        return None
    mark = blake2b(str(name).encode("utf-8", "surrogatepass"), key=key, digest_size=3).hexdigest()
    return f"{mask(str(name))} {mark}"


def _shown(column: str) -> str:
    if column in _MASKED:
        return f"sanfen_masked({column}) AS {column}"
    return f"NULL AS {column}" if column in _LEFT_OUT else column


@hookimpl
async def canned_queries(datasette: Any, database: str) -> dict[str, Any]:
    """The questions, titled in both languages."""
    found = await datasette.get_database(database).execute("SELECT 1 FROM sqlite_master WHERE name = 'round_rows'")
    if not found.rows:
        return {}
    return {name: {"sql": sql, "title": f"{english} · {chinese}"} for name, (english, chinese, sql) in QUERIES.items()}


@hookimpl
def render_cell(value: Any, column: str, datasette: Any) -> Markup | None:
    """A round's id leads to its page on the board."""
    if column not in ("id", "round") or not isinstance(value, str) or not _ROUND.fullmatch(value):
        return None
    board = _board(datasette)
    return Markup('<a href="{}/rounds/{}">{}</a>').format(board, quote(value), value)


@hookimpl
def menu_links(datasette: Any) -> list[dict[str, str]]:
    """The way back."""
    return [{"href": _board(datasette), "label": "sanfen 三分"}]


@hookimpl
def permission_allowed(action: str, resource: Any) -> bool | None:
    """Tables are none of the reader's business: what they hold stands in the views."""
    if action == "view-table" and isinstance(resource, tuple) and str(resource[1]).endswith(_TABLES):
        return False
    return None


def _board(datasette: Any) -> str:
    config = datasette.plugin_config("sanfen") or {}
    return str(config.get("board", _BOARD)).rstrip("/")
