"""The views users query: stable names, stable columns, described in docs/sql-cookbook.md.

Times stand twice: ``*_ms`` are epoch milliseconds, the others local ISO text in the policy's zone (rounds), or UTC.
"""

__all__ = ["NAMES", "SQL"]

NAMES = ("rounds", "messages", "escalations", "rates_daily", "rates_hourly", "agents_daily", "sessions", "gaps")

_SUMS = """
  sum(met + late + missed) AS rounds, sum(met) AS met, sum(late) AS late, sum(missed) AS missed,
  sum(pending) AS pending, sum(excluded) AS excluded,
  round(1.0 * sum(met) / nullif(sum(met + late + missed), 0), 6) AS rate,
  round(1.0 * sum(wait_ms) / nullif(sum(met + late), 0)) AS mean_wait_ms"""

_UTC = "strftime('%Y-%m-%dT%H:%M:%SZ', {0} / 1000, 'unixepoch')"

SQL = f"""
CREATE VIEW rounds AS SELECT
  score_set, policy, id, shop, channel, conversation, customer, customer_type, agent, status, reason, because, evidence,
  opened, due, closed, wait_ms, messages, day, hour, opened_ms, clock_ms, due_ms, closed_ms, policy_version
FROM round_rows;

CREATE VIEW messages AS SELECT
  e.seq, e.id, e.shop, e.channel, e.conversation, e.customer, e.sender, e.agent, e.mode, e.bot, e.evidence, e.rule,
  e.customer_type, e.tags, e.text, {_UTC.format("e.at_ms")} AS at, e.at_ms,
  v.score_set, v.policy, v.valid, v.effect, v.reason
FROM events e
LEFT JOIN verdicts v ON v.shop = e.shop AND v.channel = e.channel AND v.event = e.id
WHERE e.kind = 'message';

CREATE VIEW escalations AS SELECT
  o.id, o.round, o.policy, o.ladder, o.step, o.person, o.state, o.attempts, o.answer, o.reason,
  {_UTC.format("o.due_ms")} AS due, {_UTC.format("o.done_ms")} AS done, o.due_ms, o.done_ms, o.done_ms - o.due_ms AS took_ms
FROM outbox o;

CREATE VIEW rates_daily AS SELECT score_set, policy, shop, channel, day,{_SUMS}
FROM rate_hours GROUP BY score_set, policy, shop, channel, day;

CREATE VIEW rates_hourly AS SELECT score_set, policy, shop, channel, day, hour,{_SUMS}
FROM rate_hours GROUP BY score_set, policy, shop, channel, day, hour;

CREATE VIEW agents_daily AS SELECT score_set, policy, shop, channel, agent, day,{_SUMS}
FROM rate_hours GROUP BY score_set, policy, shop, channel, agent, day;

CREATE VIEW sessions AS
WITH marked AS (
  SELECT shop, channel, conversation, customer, sender, mode, at_ms,
    at_ms - lag(at_ms) OVER (PARTITION BY shop, channel, conversation ORDER BY at_ms, seq) >= 600000 AS fresh
  FROM events WHERE kind = 'message'
), numbered AS (
  SELECT *, sum(coalesce(fresh, 1)) OVER (PARTITION BY shop, channel, conversation ORDER BY at_ms
    ROWS UNBOUNDED PRECEDING) AS number FROM marked
)
SELECT shop, channel, conversation, max(customer) AS customer, number,
  {_UTC.format("min(at_ms)")} AS began, {_UTC.format("max(at_ms)")} AS ended,
  sum(sender = 'customer') AS customer_messages, sum(sender = 'merchant') AS merchant_messages,
  sum(sender = 'merchant' AND mode IN ('human', 'shortcut', 'action', 'assisted')) AS valid_messages,
  min(at_ms) AS began_ms, max(at_ms) AS ended_ms
FROM numbered GROUP BY shop, channel, conversation, number;

CREATE VIEW gaps AS SELECT
  id, channel, deliveries, reason, {_UTC.format("from_ms")} AS began, {_UTC.format("until_ms")} AS ended, from_ms, until_ms
FROM gap_rows;
"""
