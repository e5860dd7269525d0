"""Why a round got its outcome, as plain data: the round folded again from the journal under the version of the policy it
opened under, every test it went through, each message with its verdict and the clause that gave it, and what other
policies make of the same question. It holds what is needed to decide the round once more without this program.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sanfen.config import presets
from sanfen.config.frozen import as_written
from sanfen.core.checks import checks, clause_of
from sanfen.core.days import NEVER
from sanfen.core.drive import fold
from sanfen.core.events import Event, Key, Mode
from sanfen.core.facts import Conversation, Round
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.reasons import Reason
from sanfen.core.score import Score
from sanfen.store import journal, policies, queries, units
from sanfen.wire import event_fields, instant_text

__all__ = ["explain", "hide"]

_AROUND_MS = 3_600_000  # an explanation shows the messages this long before and after its round
_BY_MODE = frozenset({Reason.reply_counts, Reason.reply_ignored, Reason.reply_excuses, Reason.reply_voids})


def explain(
    connection: sqlite3.Connection,
    round_id: str,
    *,
    policy: str | None = None,
    score_set: str | None = None,
    others: Sequence[Policy] = (),
    now_ms: int | None = None,
) -> dict[str, Any] | None:
    """A round's row, policy, clauses, checks, messages, events, escalations. None if the log has no such round.

    ``others``: policies to look at the question under, besides those of its score set; as of ``now_ms``, or of the end of
    time: nobody answers any more.
    """
    row = queries.round_of(connection, round_id, policy=policy, score_set=score_set)
    if row is None:
        return None
    key = Key(row["shop"], row["channel"], row["conversation"])
    used = policies.of_version(connection, row["score_set"], row["policy"], row["policy_version"])
    used = used or units.known(connection, row["score_set"], row["policy"])
    events = journal.read(connection, key)
    one, scored = _folded(events, row, used, row["id"]) if used is not None else (None, None)
    beside = [units.known(connection, row["score_set"], name) for name in _beside(connection, row)]
    elsewhere = [
        under for other in (*filter(None, beside), *others) for under in _under(events, key, row, other, now_ms)
    ]
    proof = {name for found in (row, *elsewhere) for name in found["evidence"]}
    known = [row["opened_ms"], row["closed_ms"], row["due_ms"], one.last_ms if one else None]
    known += [under["closed_ms"] for under in elsewhere]
    known += [event.at_ms for event in events if event.id in proof]
    last_ms = max(at_ms for at_ms in known if at_ms is not None) + _AROUND_MS
    found: dict[str, Any] = {
        "round": row,
        "messages": _messages(connection, row, (row["opened_ms"] - _AROUND_MS, last_ms), used),
        "escalations": queries.escalations(connection, round_id=round_id),
        "events": [event_fields(event) for event in events if event.at_ms <= last_ms],
        "elsewhere": elsewhere,
    }
    if used is not None:
        found |= _decided(used, one, scored)
    return found


def hide(found: dict[str, Any]) -> None:
    """Show customers as far as they may be shown."""
    for one in (found["round"], *found["messages"], *found["events"]):
        for name in ("customer", "conversation"):
            if one.get(name):
                one[name] = queries.mask(one[name])


def _decided(policy: Policy, one: Round | None, scored: Score | None) -> dict[str, Any]:
    """The policy, its clauses with their sources, the facts of the round and every test it went through."""
    model = policies.fields(policy)
    out: dict[str, Any] = {
        "policy": model,
        "sources": presets.sources(policy.id),
        "clauses": [],
        "checks": [],
        "facts": {},
    }
    if one is None or scored is None:
        return out
    tests = checks(one, plan_of(policy), scored)
    out["checks"] = [{"name": test.name, "clause": test.clause, "holds": test.holds} for test in tests]
    named = dict.fromkeys([clause_of(scored.reason), *(test.clause for test in tests)])
    stated = presets.stated(policy)
    out["clauses"] = [
        {"key": clause, "value": stated[clause], "place": presets.place(policy.id, clause)}
        if clause in stated
        else {"key": clause, "value": as_written(model.get(clause)), "place": None}
        for clause in named
    ]
    out["facts"] = _facts(one)
    return out


def _facts(one: Round) -> dict[str, Any]:
    return {
        "opened_ms": one.opened_ms, "clock_ms": _known(one.clock_ms), "due_ms": _known(one.due_ms),
        "closed_ms": one.closed_ms, "wait_ms": one.wait_ms, "day": one.date, "day_end_ms": one.day_end_ms,
        "holiday": one.holiday, "opened_in_hours": one.inside, "replied_in_hours": one.replied_inside,
        "session_opened_ms": one.session.opened_ms, "session_opened_in_hours": one.session.inside,
        "session_by_merchant": one.session.by_merchant, "session_tags": dict(one.session.tags), "store": one.store,
        "customer_type": one.customer_type, "excused_by": one.excused_id, "voided": one.voided,
        "transferred_by": one.transferred_id, "left_behind": one.left, "last_question_ms": one.last_ms,
    }  # fmt: skip


def _folded(
    events: list[Event], row: dict[str, Any], policy: Policy, name: str | None = None
) -> tuple[Round | None, Score | None]:
    """The round of a name, or else of the same question, seen when the log saw it."""
    key = Key(row["shop"], row["channel"], row["conversation"])
    # What midnight will make of an open round is not known yet.
    open_until = {Reason.within_deadline: row["opened_ms"], Reason.no_valid_reply: (row["due_ms"] or 0) + 1}
    now_ms = open_until.get(Reason(row["because"]), NEVER - 1)
    folded = fold(Conversation(key), events, plan_of(policy), NEVER - 1 if now_ms == NEVER - 1 else None)
    for one, scored in folded.rounds(now_ms):
        if one.id == name or (name is None and one.opening_id == row["evidence"][0]):
            return one, scored
    return None, None


def _under(
    events: list[Event], key: Key, row: dict[str, Any], policy: Policy, now_ms: int | None
) -> list[dict[str, Any]]:
    """What a policy makes of the same question: a round of each agent where it splits; it may open none."""
    zone = ZoneInfo(policy.tz)
    found = [
        {
            "policy": policy.id, "status": str(scored.outcome), "because": str(scored.reason), "agent": one.agent,
            "wait_ms": one.wait_ms, "due": instant_text(_known(one.due_ms), zone), "closed_ms": one.closed_ms, "evidence": list(scored.evidence),
        }
        for one, scored in fold(Conversation(key), events, plan_of(policy), NEVER - 1 if now_ms is None else now_ms).rounds(
            NEVER if now_ms is None else now_ms
        )
        if one.opening_id == row["evidence"][0]
    ]  # fmt: skip
    none = {
        "policy": policy.id,
        "status": None,
        "because": None,
        "agent": None,
        "wait_ms": None,
        "due": None,
        "closed_ms": None,
    }
    return found or [none | {"evidence": []}]


def _beside(connection: sqlite3.Connection, row: dict[str, Any]) -> list[str]:
    return [name for _, name in queries.policies(connection, row["score_set"]) if name != row["policy"]]


def _messages(
    connection: sqlite3.Connection, row: dict[str, Any], span: tuple[int, int], policy: Policy | None
) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT e.seq, e.id, e.at_ms, e.kind, e.sender, e.customer, e.agent, e.mode, e.bot, e.evidence, e.rule, e.text, e.chars, "
        "e.fields, v.valid, v.effect, v.reason FROM events e LEFT JOIN verdicts v ON v.shop = e.shop "
        "AND v.channel = e.channel AND v.event = e.id AND v.score_set = ? AND v.policy = ? "
        "WHERE e.shop = ? AND e.channel = ? AND e.conversation = ? AND e.at_ms BETWEEN ? AND ? ORDER BY e.at_ms, e.seq",
        (row["score_set"], row["policy"], row["shop"], row["channel"], row["conversation"], *span),
    )
    return [dict(one) | {"clause": _clause(one, policy)} for one in rows]


def _clause(one: sqlite3.Row, policy: Policy | None) -> str | None:
    """The clause that gave a reply its effect: ``replies.auto: ignored``."""
    if one["reason"] is None:
        return None
    reason = Reason(one["reason"])
    if reason in _BY_MODE or reason == Reason.mode_unknown:
        mode = one["mode"] or Mode.unknown
        return f"replies.{mode}: {one['effect']}"
    if reason == Reason.unlisted_bot and policy is not None:
        return "bots: [" + ", ".join(sorted(policy.bots)) + "]"
    return clause_of(reason)


def _known(at_ms: int) -> int | None:
    return None if at_ms >= NEVER else at_ms
