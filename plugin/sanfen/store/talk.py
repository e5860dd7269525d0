"""Messages marked with what no policy decides: sessions, who answered, how long it took. SQL shared by views and figures.

A reply is *valid* here when a person gave it (human, shortcut, action, assisted): the seed articles' figures follow no
policy. A *session* ends by ten minutes of silence. A question's *answer* is the next valid reply of its conversation.
"""

__all__ = ["GAP_MS", "TALK", "VALID"]

GAP_MS = 600_000
"""Silence that ends a session."""

VALID = "mode IN ('human', 'shortcut', 'action', 'assisted')"

_KEY = "shop, channel, conversation"
_LOCAL = "at_ms / 1000 + offset_min * 60, 'unixepoch'"


TALK = f"""
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
        strftime('%Y-%m-%d', {_LOCAL}) AS day, CAST(strftime('%H', {_LOCAL}) AS INTEGER) AS hour,
        sender = 'customer' AS asks, sender = 'merchant' AND {VALID} AS valid,
        coalesce(at_ms - lag(at_ms) OVER (PARTITION BY {_KEY} ORDER BY at_ms, seq) >= {GAP_MS}, 1) AS fresh
      FROM events WHERE kind = 'message'
    )
  )
)"""
"""A SELECT of messages. ``asks`` and ``valid`` say what each is; ``opens``: the first question of an unanswered run;
``starts``: the first of its session; ``wait_ms``: until a valid reply came; ``held_by``: who gave it, sent the message, or
holds the conversation. ``core.sessions`` says the same, and a test holds the two together.
"""
