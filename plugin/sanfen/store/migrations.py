"""The schema, as migrations that are only ever added to. What users query are the views (``views.py``)."""

import sqlite3

import sqlite_utils
from sqlite_utils.migrations import Migrations

from sanfen.store import views

__all__ = ["APPLICATION_ID", "known", "migrate", "newer"]

APPLICATION_ID = 0x73616E66
"""``sanf``, in the header of every log."""

schema = Migrations("sanfen")

_TABLES = """
CREATE TABLE deliveries (
  seq INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, channel TEXT NOT NULL, direction TEXT NOT NULL,
  method TEXT NOT NULL, path TEXT NOT NULL, events INTEGER NOT NULL, error TEXT, body BLOB
) STRICT;
CREATE INDEX deliveries_received ON deliveries (received_ms) WHERE body IS NOT NULL;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY, delivery INTEGER, at_ms INTEGER NOT NULL, shop TEXT NOT NULL, channel TEXT NOT NULL,
  conversation TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, sender TEXT NOT NULL, customer TEXT NOT NULL,
  agent TEXT, mode TEXT, bot TEXT, evidence TEXT, rule TEXT, credential TEXT, customer_type TEXT, tags TEXT,
  fields TEXT, text TEXT,
  UNIQUE (shop, channel, id)
) STRICT;
CREATE INDEX events_conversation ON events (shop, channel, conversation, at_ms, seq);
CREATE INDEX events_time ON events (at_ms);
CREATE INDEX events_store ON events (shop, at_ms) WHERE kind = 'store';

CREATE TABLE round_rows (
  score_set TEXT NOT NULL, policy TEXT NOT NULL, id TEXT NOT NULL, policy_version TEXT NOT NULL,
  shop TEXT NOT NULL, channel TEXT NOT NULL, conversation TEXT NOT NULL, customer TEXT NOT NULL,
  customer_type TEXT NOT NULL, agent TEXT, opened_ms INTEGER NOT NULL, clock_ms INTEGER, due_ms INTEGER,
  closed_ms INTEGER, wait_ms INTEGER, status TEXT NOT NULL, reason TEXT, because TEXT NOT NULL, evidence TEXT NOT NULL,
  messages INTEGER NOT NULL, session_ms INTEGER NOT NULL, day TEXT NOT NULL, hour INTEGER NOT NULL,
  opened TEXT NOT NULL, due TEXT, closed TEXT, next_ms INTEGER, step INTEGER NOT NULL,
  PRIMARY KEY (score_set, policy, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX round_rows_next ON round_rows (score_set, next_ms) WHERE next_ms IS NOT NULL;
CREATE INDEX round_rows_conversation ON round_rows (score_set, shop, channel, conversation, opened_ms);
CREATE INDEX round_rows_day ON round_rows (score_set, policy, day, status);

CREATE TABLE verdicts (
  score_set TEXT NOT NULL, policy TEXT NOT NULL, shop TEXT NOT NULL, channel TEXT NOT NULL, event TEXT NOT NULL,
  valid INTEGER NOT NULL, effect TEXT NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (shop, channel, event, score_set, policy)
) STRICT, WITHOUT ROWID;

CREATE TABLE rate_hours (
  score_set TEXT NOT NULL, policy TEXT NOT NULL, shop TEXT NOT NULL, channel TEXT NOT NULL, agent TEXT NOT NULL,
  day TEXT NOT NULL, hour INTEGER NOT NULL, met INTEGER NOT NULL DEFAULT 0, late INTEGER NOT NULL DEFAULT 0,
  missed INTEGER NOT NULL DEFAULT 0, pending INTEGER NOT NULL DEFAULT 0, excluded INTEGER NOT NULL DEFAULT 0,
  wait_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (score_set, policy, day, hour, shop, channel, agent)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY, round TEXT NOT NULL, policy TEXT NOT NULL, ladder TEXT NOT NULL, step INTEGER NOT NULL,
  person TEXT NOT NULL, due_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
  way INTEGER NOT NULL DEFAULT 0, unknown INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
  next_try_ms INTEGER NOT NULL, done_ms INTEGER, answer TEXT, reason TEXT, facts TEXT NOT NULL,
  UNIQUE (round, ladder, step, person)
) STRICT;
CREATE INDEX outbox_next ON outbox (next_try_ms) WHERE state IN ('waiting', 'sending');

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY, outbox INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE, at_ms INTEGER NOT NULL,
  way TEXT NOT NULL, result TEXT NOT NULL, answer TEXT, took_ms INTEGER
) STRICT;
CREATE INDEX attempts_outbox ON attempts (outbox);

CREATE TABLE gap_rows (
  id INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL, until_ms INTEGER, channel TEXT NOT NULL, deliveries INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;
"""

_COUNTS = ("met", "late", "missed", "pending", "excluded")


def _roll_up(prefix: str, sign: str) -> str:
    """The statement that adds or takes a round's row to or from its hour."""
    added = ", ".join(f"{name} = {name} {sign} ({prefix}.status = '{name}')" for name in _COUNTS)
    counted = f"({prefix}.status IN ('met', 'late')) * coalesce({prefix}.wait_ms, 0)"
    where = " AND ".join(
        f"{name} = {prefix}.{name}" for name in ("score_set", "policy", "shop", "channel", "day", "hour")
    )
    return (
        f"UPDATE rate_hours SET {added}, wait_ms = wait_ms {sign} {counted} "
        f"WHERE {where} AND agent = coalesce({prefix}.agent, '');"
    )


# Not INSERT OR IGNORE: inside a trigger the conflict rule of the statement that fired it would hold instead.
_HOUR = (
    "INSERT INTO rate_hours (score_set, policy, shop, channel, agent, day, hour) "
    "SELECT new.score_set, new.policy, new.shop, new.channel, coalesce(new.agent, ''), new.day, new.hour "
    "WHERE NOT EXISTS (SELECT 1 FROM rate_hours WHERE score_set = new.score_set AND policy = new.policy "
    "AND day = new.day AND hour = new.hour AND shop = new.shop AND channel = new.channel "
    "AND agent = coalesce(new.agent, ''));"
)
_MOVED = "old.status IS NOT new.status OR old.agent IS NOT new.agent OR old.wait_ms IS NOT new.wait_ms"

_TRIGGERS = f"""
CREATE TRIGGER round_rows_insert AFTER INSERT ON round_rows BEGIN {_HOUR} {_roll_up("new", "+")} END;
CREATE TRIGGER round_rows_delete AFTER DELETE ON round_rows BEGIN {_roll_up("old", "-")} END;
CREATE TRIGGER round_rows_update AFTER UPDATE ON round_rows WHEN {_MOVED}
  BEGIN {_HOUR} {_roll_up("old", "-")} {_roll_up("new", "+")} END;
"""


@schema()
def first(db: sqlite_utils.Database) -> None:
    """Journal, projections and outbox."""
    for script in (_TABLES, _TRIGGERS):
        for statement in _statements(script):
            db.execute(statement)


_FIGURES = """
ALTER TABLE events ADD COLUMN offset_min INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN chars INTEGER;
ALTER TABLE round_rows ADD COLUMN mark INTEGER;
CREATE INDEX events_orders ON events (shop, channel, conversation) WHERE kind = 'order';

CREATE TABLE order_rows (
  shop TEXT NOT NULL, channel TEXT NOT NULL, conversation TEXT NOT NULL, order_id TEXT NOT NULL,
  created_ms INTEGER, paid_ms INTEGER, received_ms INTEGER, amount INTEGER, silent INTEGER NOT NULL,
  order_by TEXT, paid_by TEXT, offset_min INTEGER NOT NULL,
  PRIMARY KEY (shop, channel, conversation, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_rows (
  score_set TEXT NOT NULL, policy TEXT NOT NULL, since_ms INTEGER NOT NULL, version TEXT NOT NULL, facts TEXT NOT NULL,
  PRIMARY KEY (score_set, policy, since_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE change_rows (
  id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, cause TEXT NOT NULL, event TEXT NOT NULL, policy TEXT NOT NULL,
  round TEXT NOT NULL, shop TEXT NOT NULL, channel TEXT NOT NULL, conversation TEXT NOT NULL, before TEXT, after TEXT
) STRICT;
CREATE INDEX change_rows_round ON change_rows (round);
"""


@schema()
def figures(db: sqlite_utils.Database) -> None:
    """What the figures without a policy need: local days, lengths, orders; and what corrections changed."""
    for (view,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        db.execute(f"DROP VIEW {view}")  # views of an older version; ``views.refresh`` makes today's
    for statement in _statements(_FIGURES):
        db.execute(statement)


@schema()
def unknown_replies(db: sqlite_utils.Database) -> None:
    """What nobody is known to have written is counted aloud whenever rates are asked: few rows, found at once."""
    db.execute(
        "CREATE INDEX verdicts_unknown ON verdicts (score_set, policy, shop, channel, event) WHERE reason = 'mode_unknown'"
    )


_GAPS = """
ALTER TABLE gap_rows ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap_rows ADD COLUMN offset_min INTEGER NOT NULL DEFAULT 0;
"""


@schema()
def gaps(db: sqlite_utils.Database) -> None:
    """What was kept aside while the journal could not take it, and the local days of what was lost."""
    for statement in _statements(_GAPS):
        db.execute(statement)


_LADDERS = """
ALTER TABLE round_rows ADD COLUMN taken_by TEXT;
ALTER TABLE round_rows ADD COLUMN rests_ms INTEGER;

ALTER TABLE attempts RENAME TO attempts_before;
ALTER TABLE outbox RENAME TO outbox_before;
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY, round TEXT NOT NULL, policy TEXT NOT NULL, ladder TEXT NOT NULL, step INTEGER NOT NULL,
  turn INTEGER NOT NULL DEFAULT 0, kind TEXT NOT NULL DEFAULT 'notify', wanted TEXT NOT NULL, person TEXT NOT NULL,
  due_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
  way INTEGER NOT NULL DEFAULT 0, unknown INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
  next_try_ms INTEGER NOT NULL, done_ms INTEGER, answer TEXT, reason TEXT, condition TEXT, facts TEXT NOT NULL,
  UNIQUE (round, ladder, step, turn, kind, person)
) STRICT;
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY, outbox INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE, at_ms INTEGER NOT NULL,
  way TEXT NOT NULL, result TEXT NOT NULL, answer TEXT, took_ms INTEGER
) STRICT;
INSERT INTO outbox (
  id, round, policy, ladder, step, wanted, person, due_ms, created_ms, state, way, unknown, attempts, next_try_ms,
  done_ms, answer, reason, facts
) SELECT
  id, round, policy, ladder, step, person, person, due_ms, created_ms, state, way, unknown, attempts, next_try_ms,
  done_ms, answer, reason, facts
FROM outbox_before;
INSERT INTO attempts SELECT id, outbox, at_ms, way, result, answer, took_ms FROM attempts_before;
DROP TABLE attempts_before;
DROP TABLE outbox_before;
CREATE INDEX outbox_next ON outbox (next_try_ms) WHERE state IN ('waiting', 'sending');
CREATE INDEX attempts_outbox ON attempts (outbox);
CREATE INDEX attempts_time ON attempts (at_ms);

CREATE TABLE quiet_rows (
  id INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL
) STRICT;
"""


@schema()
def ladders(db: sqlite_utils.Database) -> None:
    """Steps told again, rounds taken and snoozed, silences begun by hand."""
    for (view,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        db.execute(f"DROP VIEW {view}")
    for statement in _statements(_LADDERS):
        db.execute(statement)


@schema()
def rounds_in_order(db: sqlite_utils.Database) -> None:
    """Rounds in the order they came: what is written at a time stands together, and a commit touches fewer pages."""
    (table,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'round_rows'").fetchone()
    others = db.execute(
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'round_rows' AND type IN ('index', 'trigger') AND sql IS NOT NULL"
    ).fetchall()
    for (view,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        db.execute(f"DROP VIEW {view}")
    db.execute("ALTER TABLE round_rows RENAME TO round_rows_before")
    columns = table[table.index("(") :].replace("PRIMARY KEY", "UNIQUE").replace(", WITHOUT ROWID", "")
    db.execute(f"CREATE TABLE round_rows {columns}")
    db.execute("INSERT INTO round_rows SELECT * FROM round_rows_before ORDER BY opened_ms")
    db.execute("DROP TABLE round_rows_before")
    for (statement,) in others:
        db.execute(statement)


_SECURITY = """
CREATE TABLE replays (
  channel TEXT NOT NULL, key BLOB NOT NULL, received_ms INTEGER NOT NULL, UNIQUE (channel, key)
) STRICT;
CREATE INDEX replays_received ON replays (received_ms);
ALTER TABLE outbox ADD COLUMN quotes INTEGER NOT NULL DEFAULT 1;
CREATE INDEX outbox_quotes ON outbox (created_ms) WHERE quotes = 1;

CREATE TABLE erasure_rows (
  id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, shop TEXT NOT NULL, customer TEXT NOT NULL, messages INTEGER NOT NULL,
  notices INTEGER NOT NULL, by TEXT NOT NULL
) STRICT;
"""


@schema()
def security(db: sqlite_utils.Database) -> None:
    """By what replays are known, and what was erased on request."""
    for statement in _statements(_SECURITY):
        db.execute(statement)


@schema()
def link_keys(db: sqlite_utils.Database) -> None:
    """Keys the service makes for itself."""
    db.execute("CREATE TABLE key_rows (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID")


_LEASE = """
CREATE TABLE lease_rows (
  one INTEGER PRIMARY KEY CHECK (one = 1), fence INTEGER NOT NULL, pid INTEGER NOT NULL, probes INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


@schema()
def lease(db: sqlite_utils.Database) -> None:
    """Who may write."""
    for statement in _statements(_LEASE):
        db.execute(statement)


_CLOCK = """
CREATE TABLE clock_rows (
  id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, step_ms INTEGER NOT NULL, rounds INTEGER NOT NULL
) STRICT;
ALTER TABLE lease_rows ADD COLUMN boot TEXT;
ALTER TABLE lease_rows ADD COLUMN ahead_ms INTEGER;
ALTER TABLE round_rows ADD COLUMN suspect INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN said_ms INTEGER;
"""


@schema()
def clock(db: sqlite_utils.Database) -> None:
    """Steps of the machine's clock; rounds that were under way then; the time a message claimed, where we take another."""
    for statement in _statements(_CLOCK):
        db.execute(statement)


_ONWARD = """
CREATE TABLE onward_rows (
  number INTEGER PRIMARY KEY, channel TEXT NOT NULL, direction TEXT NOT NULL, conversation TEXT NOT NULL,
  method TEXT NOT NULL, head TEXT NOT NULL, body BLOB, created_ms INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
  attempts INTEGER NOT NULL DEFAULT 0, next_try_ms INTEGER NOT NULL, done_ms INTEGER, reason TEXT
) STRICT;
CREATE INDEX onward_rows_open ON onward_rows (channel, direction, conversation, number)
  WHERE state IN ('waiting', 'sending');
CREATE INDEX onward_rows_next ON onward_rows (next_try_ms) WHERE state = 'waiting';
"""


@schema()
def onward(db: sqlite_utils.Database) -> None:
    """Deliveries to be passed on after they were answered."""
    for statement in _statements(_ONWARD):
        db.execute(statement)


_NOTES = """
CREATE TABLE alias_rows (
  channel TEXT NOT NULL, alias TEXT NOT NULL, conversation TEXT NOT NULL, until_ms INTEGER NOT NULL, UNIQUE (channel, alias)
) STRICT;
CREATE INDEX alias_rows_until ON alias_rows (until_ms);
CREATE TABLE pull_rows (
  channel TEXT NOT NULL, name TEXT NOT NULL, token TEXT NOT NULL, cursor TEXT, asked INTEGER NOT NULL,
  done INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, next_try_ms INTEGER NOT NULL, reason TEXT,
  PRIMARY KEY (channel, name)
) STRICT, WITHOUT ROWID;
"""


@schema()
def notes(db: sqlite_utils.Database) -> None:
    """Other names of conversations, and what is to be fetched from channels that only say that there is something."""
    for statement in _statements(_NOTES):
        db.execute(statement)


@schema()
def unmasking(db: sqlite_utils.Database) -> None:
    """Who was shown a customer's name."""
    db.execute(
        "CREATE TABLE unmask_rows (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, shop TEXT NOT NULL, round TEXT NOT NULL, "
        "by TEXT NOT NULL) STRICT"
    )


@schema()
def alias_targets(db: sqlite_utils.Database) -> None:
    """The names a conversation has, found by the conversation."""
    db.execute("CREATE INDEX alias_rows_conversation ON alias_rows (channel, conversation)")


_SAID = """
CREATE TABLE said_rows (channel TEXT NOT NULL, said BLOB NOT NULL, at_ms INTEGER NOT NULL) STRICT;
CREATE INDEX said_rows_said ON said_rows (channel, said, at_ms);
CREATE INDEX said_rows_time ON said_rows (at_ms);
"""


@schema()
def said(db: sqlite_utils.Database) -> None:
    """What the merchant's side says again and again, where a rule asks."""
    for statement in _statements(_SAID):
        db.execute(statement)


_HOUR_KEY = "score_set, policy, day, hour, shop, channel, agent"


def _counted(prefix: str) -> str:
    """The statement that adds a round's row to its hour."""
    counts = [f"{prefix}.status = '{name}'" for name in _COUNTS]
    group = f"{prefix}.score_set, {prefix}.policy, {prefix}.day, {prefix}.hour, {prefix}.shop, {prefix}.channel"
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in (*_COUNTS, "wait_ms"))
    return (
        f"INSERT INTO rate_hours ({_HOUR_KEY}, {', '.join(_COUNTS)}, wait_ms) "
        f"VALUES ({group}, coalesce({prefix}.agent, ''), {', '.join(counts)}, "
        f"({prefix}.status IN ('met', 'late')) * coalesce({prefix}.wait_ms, 0)) "
        f"ON CONFLICT ({_HOUR_KEY}) DO UPDATE SET {added};"
    )


_ROLL_UPS = f"""
DROP TRIGGER round_rows_insert;
DROP TRIGGER round_rows_update;
CREATE TRIGGER round_rows_insert AFTER INSERT ON round_rows BEGIN {_counted("new")} END;
CREATE TRIGGER round_rows_update AFTER UPDATE OF status, agent, wait_ms, hour, day ON round_rows WHEN {_MOVED}
  OR old.hour IS NOT new.hour OR old.day IS NOT new.day
  BEGIN {_roll_up("old", "-")} {_counted("new")} END;
"""


@schema()
def roll_ups(db: sqlite_utils.Database) -> None:
    """A round is added to its hour by one statement; one whose question turns out to be of another hour moves there."""
    for statement in _statements(_ROLL_UPS):
        db.execute(statement)


@schema()
def told_before(db: sqlite_utils.Database) -> None:
    """When somebody was last told anything, and of whom they were told, without reading through all there was."""
    db.execute("CREATE INDEX attempts_at ON attempts (at_ms)")
    db.execute("CREATE INDEX outbox_told ON outbox (person, done_ms) WHERE state = 'told'")


@schema()
def unread_deliveries(db: sqlite_utils.Database) -> None:
    """What could not be read, without reading through all that could."""
    db.execute("CREATE INDEX deliveries_unread ON deliveries (received_ms) WHERE error IS NOT NULL")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a log to today's schema; each step is one transaction. Raises sqlite3.Error."""
    schema.apply(sqlite_utils.Database(connection))
    connection.execute("BEGIN IMMEDIATE")
    views.refresh(connection)
    connection.execute("COMMIT")


def known() -> set[str]:
    """The names of all migrations."""
    return {str(migration.name) for migration in schema._migrations}  # noqa: SLF001  # it has no public list


def newer(connection: sqlite3.Connection) -> str | None:
    """A migration the file has and this version does not know."""
    return next((name for name in _applied(connection) if name not in known()), None)


def is_older(connection: sqlite3.Connection) -> bool:
    """Whether the file lacks something of this version's schema."""
    return bool(known().difference(_applied(connection)) or views.stale(connection))


def _applied(connection: sqlite3.Connection) -> list[str]:
    try:
        rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'sanfen'").fetchall()
    except sqlite3.OperationalError:
        return []
    return [str(row[0]) for row in rows]


def _statements(script: str) -> list[str]:
    out, part = [], ""
    for line in script.splitlines():
        part += line + "\n"
        if sqlite3.complete_statement(part):
            out.append(part)
            part = ""
    return out
