"""The views users query: stable names, stable columns, described in docs/sql-cookbook.md.

Times stand twice: ``*_ms`` are epoch milliseconds, the others local ISO text in the policy's zone (rounds), or UTC.
"""

import sqlite3

__all__ = ["NAMES", "refresh"]

_GAP_MS = 600_000  # silence that ends a session
_VALID = "mode IN ('human', 'shortcut', 'action', 'assisted')"

_KEY = "shop, channel, conversation"
_TALK_LOCAL = "at_ms / 1000 + offset_min * 60, 'unixepoch'"


# Messages, each marked: ``asks`` and ``valid`` (a person gave it) say what it is; ``opens``: the first question of an
# unanswered run; ``starts``: the first of its session; ``wait_ms``: until a valid reply came; ``held_by``: who gave it,
# sent the message, or holds the conversation. ``core.sessions`` says the same, and a test holds the two together.
_TALK = f"""
SELECT seq, id, {_KEY}, customer, customer_type, sender, agent, mode, tags, chars, at_ms, offset_min, day, hour, asks, valid,
  session, coalesce(CASE WHEN asks AND answered_ms IS NOT NULL THEN answered_by ELSE holder END, '') AS held_by,
  CASE WHEN asks THEN answered_ms - at_ms END AS wait_ms,
  CASE WHEN asks AND answered_in = session THEN answered_ms - at_ms END AS first_wait_ms,
  asks AND 1 = row_number() OVER (PARTITION BY {_KEY}, turn, asks ORDER BY at_ms, seq) AS opens,
  asks AND 1 = row_number() OVER (PARTITION BY {_KEY}, session, asks ORDER BY at_ms, seq) AS starts
FROM (
  SELECT *,
    max(CASE WHEN valid THEN at_ms END) OVER (PARTITION BY {_KEY}, turn) AS answered_ms,
    max(CASE WHEN valid THEN agent END) OVER (PARTITION BY {_KEY}, turn) AS answered_by,
    max(CASE WHEN valid THEN session END) OVER (PARTITION BY {_KEY}, turn) AS answered_in,
    max(agent) OVER (PARTITION BY {_KEY}, hand) AS holder
  FROM (
    SELECT *,
      sum(fresh) OVER (PARTITION BY {_KEY} ORDER BY at_ms, seq) AS session,
      coalesce(sum(valid) OVER (PARTITION BY {_KEY} ORDER BY at_ms, seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
        AS turn,
      sum(agent IS NOT NULL) OVER (PARTITION BY {_KEY} ORDER BY at_ms, seq) AS hand
    FROM (
      SELECT seq, id, {_KEY}, customer, customer_type, sender, agent, mode, tags, chars, at_ms, offset_min,
        strftime('%Y-%m-%d', {_TALK_LOCAL}) AS day, CAST(strftime('%H', {_TALK_LOCAL}) AS INTEGER) AS hour,
        sender = 'customer' AS asks, sender = 'merchant' AND {_VALID} AS valid,
        coalesce(at_ms - lag(at_ms) OVER (PARTITION BY {_KEY} ORDER BY at_ms, seq) >= {_GAP_MS}, 1) AS fresh
      FROM events WHERE kind = 'message'
    )
  )
)"""

_SUMS = """
  sum(met + late + missed) AS rounds, sum(met) AS met, sum(late) AS late, sum(missed) AS missed,
  sum(pending) AS pending, sum(excluded) AS excluded,
  round(1.0 * sum(met) / nullif(sum(met + late + missed), 0), 6) AS rate,
  round(1.0 * sum(wait_ms) / nullif(sum(met + late), 0)) AS mean_wait_ms"""

# Whether deliveries of that day were lost (``store.gaps`` says the same of any question).
_INCOMPLETE = """
  score_set = 'live' AND EXISTS (SELECT 1 FROM gap_rows g WHERE g.deliveries > 0
    AND g.channel IN (rate_hours.channel, 'events', '*')
    AND rate_hours.day BETWEEN strftime('%Y-%m-%d', g.from_ms / 1000 + g.offset_min * 60, 'unixepoch')
      AND strftime('%Y-%m-%d', g.until_ms / 1000 + g.offset_min * 60, 'unixepoch')) AS incomplete"""

_UTC = "strftime('%Y-%m-%dT%H:%M:%SZ', {0} / 1000, 'unixepoch')"
_LOCAL_DAY = "strftime('%Y-%m-%d', {0} / 1000 + offset_min * 60, 'unixepoch')"

_VIEWS = {
    "rounds": """
SELECT
  score_set, policy, id, shop, channel, conversation, customer, customer_type, agent, status, reason, because, evidence,
  opened, due, closed, wait_ms, mark, messages, day, hour, opened_ms, clock_ms, due_ms, closed_ms, taken_by,
  policy_version, suspect
FROM round_rows""",
    "messages": f"""
SELECT
  e.seq, e.id, e.shop, e.channel, e.conversation, e.customer, e.sender, e.agent, e.mode, e.bot, e.evidence, e.rule,
  e.customer_type, e.tags, e.text, e.chars, {_UTC.format("e.at_ms")} AS at, e.at_ms, e.said_ms,
  v.score_set, v.policy, v.valid, v.effect, v.reason
FROM events e
LEFT JOIN verdicts v ON v.shop = e.shop AND v.channel = e.channel AND v.event = e.id
WHERE e.kind = 'message'""",
    "escalations": f"""
SELECT
  o.id, o.round, o.policy, o.ladder, o.step, o.turn, o.kind, o.wanted, o.person, o.state, o.attempts, o.answer, o.reason,
  {_UTC.format("o.due_ms")} AS due, {_UTC.format("o.done_ms")} AS done, o.due_ms, o.done_ms, o.done_ms - o.due_ms AS took_ms
FROM outbox o""",
    "rates_daily": f"""
SELECT score_set, policy, shop, channel, day,{_SUMS},{_INCOMPLETE}
FROM rate_hours GROUP BY score_set, policy, shop, channel, day""",
    "rates_hourly": f"""
SELECT score_set, policy, shop, channel, day, hour,{_SUMS},{_INCOMPLETE}
FROM rate_hours GROUP BY score_set, policy, shop, channel, day, hour""",
    "agents_daily": f"""
SELECT score_set, policy, shop, channel, agent, day,{_SUMS},{_INCOMPLETE}
FROM rate_hours GROUP BY score_set, policy, shop, channel, agent, day""",
    "waits": f"""
SELECT shop, channel, conversation, customer, held_by AS agent, session, starts AS first, day, hour,
  {_UTC.format("at_ms")} AS asked, {_UTC.format("(at_ms + wait_ms)")} AS answered, wait_ms, at_ms AS asked_ms,
  at_ms + wait_ms AS answered_ms
FROM ({_TALK}) WHERE opens""",
    "sessions": f"""
SELECT shop, channel, conversation, max(customer) AS customer, session AS number, min(day) AS day,
  {_UTC.format("min(at_ms)")} AS began, {_UTC.format("max(at_ms)")} AS ended,
  sum(asks) AS customer_messages, sum(sender = 'merchant') AS merchant_messages, sum(valid) AS valid_messages,
  max(CASE WHEN starts THEN first_wait_ms END) AS first_reply_ms,
  max(CASE WHEN starts AND first_wait_ms IS NOT NULL THEN held_by END) AS first_reply_by, min(at_ms) AS began_ms, max(at_ms) AS ended_ms
FROM ({_TALK}) GROUP BY shop, channel, conversation, session""",
    "customers_daily": f"""
SELECT shop, channel, customer, day, sum(asks) AS buyer_msg_num, sum(valid) AS seller_msg_num, sum(valid) > 0 AS replied,
  sum(opens AND wait_ms > 120000) >= 3 AS slow,
  sum(CASE WHEN opens THEN wait_ms END) AS reply_ms, sum(opens AND wait_ms IS NOT NULL) AS replies
FROM ({_TALK}) GROUP BY shop, channel, customer, day HAVING sum(asks) > 0""",
    "orders": f"""
SELECT shop, channel, conversation, order_id, {_LOCAL_DAY.format("coalesce(created_ms, paid_ms, received_ms)")} AS day,
  {_UTC.format("created_ms")} AS created, {_UTC.format("paid_ms")} AS paid, {_UTC.format("received_ms")} AS received,
  amount, silent, order_by, paid_by,
  (SELECT e.agent FROM events e WHERE e.shop = o.shop AND e.channel = o.channel AND e.conversation = o.conversation
    AND e.at_ms > o.received_ms AND e.sender = 'merchant' AND e.agent IS NOT NULL AND e.{_VALID}
    ORDER BY e.at_ms, e.seq LIMIT 1) AS aftersale_by,
  created_ms, paid_ms, received_ms
FROM order_rows o""",
    "changes": f"""
SELECT id, {_UTC.format("at_ms")} AS at, cause, event, policy, round, shop, channel, conversation, before, after, at_ms
FROM change_rows""",
    "onward": f"""
SELECT number, channel, direction, conversation, state, attempts, reason, {_UTC.format("created_ms")} AS created,
  {_UTC.format("done_ms")} AS done, created_ms, done_ms
FROM onward_rows""",
    "unread": f"""
SELECT seq AS number, channel, direction, path, error AS reason, {_UTC.format("received_ms")} AS received, received_ms
FROM deliveries WHERE error IS NOT NULL""",
    "clock_steps": f"""
SELECT id, {_UTC.format("at_ms")} AS at, step_ms, rounds, at_ms FROM clock_rows""",
    "audit": f"""
SELECT id, act, {_UTC.format("at_ms")} AS at, shop, by, round, customer, messages, notices, at_ms
FROM (
  SELECT id, 'unmask' AS act, at_ms, shop, by, round, NULL AS customer, NULL AS messages, NULL AS notices FROM unmask_rows
  UNION ALL
  SELECT id, 'erase', at_ms, shop, by, NULL, customer, messages, notices FROM erasure_rows
)""",
    "gaps": f"""
SELECT
  id, channel, deliveries, kept, reason, {_UTC.format("from_ms")} AS began, {_UTC.format("until_ms")} AS ended, from_ms, until_ms
FROM gap_rows""",
}

NAMES = tuple(_VIEWS)


def refresh(connection: sqlite3.Connection) -> None:
    """Make the views of this version, in the caller's transaction; nothing happens where they are there already."""
    for name in stale(connection):
        connection.execute(f"DROP VIEW IF EXISTS {name}")
        connection.execute(_sql(name))


def stale(connection: sqlite3.Connection) -> list[str]:
    """The views that are not there, or are those of another version."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall()
    there = {str(row[0]): str(row[1]) for row in rows}
    return [name for name in NAMES if there.get(name) != _sql(name)]


def _sql(name: str) -> str:
    return f"CREATE VIEW {name} AS{_VIEWS[name]}"
