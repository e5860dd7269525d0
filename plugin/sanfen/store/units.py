"""Rounds of the log counted as their policy counts them (units hit, a late share, a mean), and the error budget."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sanfen.config import presets
from sanfen.core.budget import Day, budget, burn_rate, running_span
from sanfen.core.days import NEVER
from sanfen.core.events import Key
from sanfen.core.metrics import Tally
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.core.reasons import Reason
from sanfen.core.score import Outcome
from sanfen.errors import InputError, Phrase, PolicyError
from sanfen.store import policies, queries
from sanfen.store.filters import where
from sanfen.store.gaps import marked
from sanfen.store.projection import LIVE
from sanfen.wire import instant_text

__all__ = ["WHO", "asked_policies", "assessed", "budgets", "budgets_left", "known", "rates"]

WHO = ("shop", "channel", "agent")
"""What a policy's period can be grouped by."""

_HOUR_MS = 3_600_000
_BEFORE_DAYS = 31  # the pace, and units filed under another day than their rounds opened on
_BY_THE_END = frozenset({Reason.cross_midnight, Reason.gap_cut, Reason.non_human, Reason.zero_second})
_ROUNDS = (
    "SELECT score_set, policy, id, shop, channel, conversation, customer, agent, day, session_ms, opened_ms, due_ms, wait_ms, "
    "status, hour, closed_ms, because FROM round_rows"
)


class _Opened(NamedTuple):
    opened_ms: int


class _Row(NamedTuple):
    """A round as the log has it."""

    id: str
    key: Key
    customer: str
    agent: str | None
    date: str
    session: _Opened
    opened_ms: int
    due_ms: int
    wait_ms: int | None


def known(connection: sqlite3.Connection, score_set: str, policy: str) -> Policy | None:
    """The policy of a score set: as the log noted it, or the preset of that name; None if it is neither."""
    found = policies.latest(connection, score_set, policy)
    if found is None:
        try:
            found = presets.policy(policy)
        except PolicyError:
            return None
    return found


def asked_policies(
    connection: sqlite3.Connection, score_set: str | None = None, policy: str | None = None
) -> list[tuple[str, Policy]]:
    """Score sets and policies of a log: of the live set if there is one, else of all. Raises InputError."""
    found = queries.policies(connection, score_set)
    if score_set is None and any(name == LIVE for name, _ in found):
        found = [(name, one) for name, one in found if name == LIVE]
    names = sorted({one for _, one in found})
    if policy is not None and policy not in names:
        raise InputError(
            Phrase("the log holds no rounds under {policy}", policy=policy),
            hint=Phrase("it holds {names}", names=", ".join(names) or Phrase("none yet")),
        )
    used = [(name, known(connection, name, one)) for name, one in found if policy in (None, one)]
    return [(name, one) for name, one in used if one is not None]


def rates(connection: sqlite3.Connection, *, by: Sequence[str] = (), **filters: str | None) -> list[dict[str, Any]]:
    """Counts of rounds as ``queries.rates`` gives them, and beside them the policy's own: ``units``, ``hits``, ``value``.

    ``value`` is the number the policy reports: a share, or a mean in seconds. Raises InputError.
    """
    rows = queries.rates(connection, by=by, **filters)
    tallies: dict[tuple[Any, ...], Tally] = {}
    for score_set, name in {(row["score_set"], row["policy"]) for row in rows}:
        policy = known(connection, score_set, name)
        if policy is not None and not _plain(policy):
            wanted = {**filters, "score_set": score_set, "policy": name}
            for facts, one, outcome in _rounds(connection, wanted, by):
                group = (score_set, name, *(facts[key] for key in by))
                if group not in tallies:
                    tallies[group] = Tally(plan_of(policy))
                tallies[group].add(one, outcome)
    for row in rows:
        tally = tallies.get((row["score_set"], row["policy"], *(row[name] for name in by)))
        if tally is None:
            row |= {"units": row["rounds"], "hits": row["met"], "value": row["rate"]}
        else:
            value = tally.value
            row |= {"units": tally.denominator, "hits": tally.numerator}
            row["value"] = None if value is None else float(value)
    return marked(connection, rows, filters)


def _plain(policy: Policy) -> bool:
    """Whether a policy's number is the share of its rounds that were met."""
    return policy.unit in ("round", "message") and policy.report.kind == "share" and policy.report.recent_share is None


def _by_days(policy: Policy) -> bool:
    """Whether a day's units are its rounds that were met, late or missed."""
    return _plain(policy) and (policy.period is None or policy.period.assign_by == "opened")


def _rolled_up(connection: sqlite3.Connection, filters: Mapping[str, str | None]) -> dict[str, Day]:
    clause, values = where(filters)
    rows = connection.execute(
        f"SELECT day, sum(met + late + missed), sum(late + missed) FROM rate_hours {clause} GROUP BY day", values
    )
    return {day: Day(units, misses) for day, units, misses in rows if units}


def assessed(
    connection: sqlite3.Connection,
    policy: Policy,
    score_set: str,
    now_ms: int,
    *,
    by: Sequence[str] = (),
    **filters: str | None,
) -> list[dict[str, Any]]:
    """The policy's own period as it stands: its days, units, value, whether it is assessed, each target met or not.

    ``by``: shop, channel, agent, each with a number of their own. Raises InputError for other groups.
    """
    for name in by:
        if name not in WHO:
            raise InputError(
                Phrase("a period has its own days: it is not grouped by {name!r}", name=name),
                hint=Phrase("choose from {names}", names=", ".join(WHO)),
            )
    tallies: dict[tuple[str, ...], Tally] = {} if by else {(): _kept(policy)}
    for facts, one, outcome in _rounds(connection, {**filters, "score_set": score_set, "policy": policy.id}, by):
        group = tuple(facts[name] for name in by)
        if group not in tallies:
            tallies[group] = _kept(policy)
        tallies[group].add(one, outcome)
    out = []
    for group, tally in sorted(tallies.items()):
        found = tally.assess(_today(policy, now_ms))
        row: dict[str, Any] = {"score_set": score_set, "policy": policy.id, **dict(zip(by, group, strict=True))}
        row |= {"first": found.first_day, "last": found.last_day, "units": found.units, "hits": found.numerator}
        row |= {"value": _number(found.value), "assessed": found.assessed, "targets": found.targets}
        out.append(row)
    return marked(connection, out, filters)


def budgets(
    connection: sqlite3.Connection, policy: Policy, score_set: str, now_ms: int, **filters: str | None
) -> list[dict[str, Any]]:
    """The error budget of each target of a policy, its burn rates, forecast, and how today's units stand.

    ``now_ms`` may lie in the past: what came later is then not seen.
    ``standing``: the units of several rounds that are lost already or can still go either way, by name.
    """
    today = _today(policy, now_ms)
    wanted = _of_budget(policy, score_set, today, filters)
    later = _goes_on(connection, {**wanted, "first_day": today.isoformat()}, now_ms)
    if _by_days(policy) and not later:  # the roll-up knows; of single rounds only those of the last day are asked
        days = _rolled_up(connection, wanted)
        wanted["first_day"] = (today - timedelta(days=2)).isoformat()
        tally = _tally(connection, policy, wanted)
    else:
        tally = _tally(connection, policy, wanted, now_ms if later else None)
        days = _days(tally)
    out = _budget_rows(policy, score_set, days, today)
    for target, row in zip(policy.targets, out, strict=True):
        for name, span_ms in (("burn_hour", _HOUR_MS), ("burn_day", 24 * _HOUR_MS)):
            part = _since(tally, now_ms - span_ms, now_ms)
            row[name] = _number(burn_rate(part, target, policy.report))
        row |= {"today": tally.standings(today.isoformat()), "standing": _standing(tally, today.isoformat())}
    return marked(connection, out, filters)


def budgets_left(
    connection: sqlite3.Connection, policy: Policy, score_set: str, now_ms: int, **filters: str | None
) -> list[dict[str, Any]]:
    """The same without burn rates and today's units, for whoever asks often."""
    today = _today(policy, now_ms)
    wanted = _of_budget(policy, score_set, today, filters)
    later = _goes_on(connection, {**wanted, "first_day": today.isoformat()}, now_ms)
    if _by_days(policy) and not later:
        days = _rolled_up(connection, wanted)
    else:
        days = _days(_tally(connection, policy, wanted, now_ms if later else None))
    return marked(connection, _budget_rows(policy, score_set, days, today), filters)


def _of_budget(policy: Policy, score_set: str, today: date, filters: Mapping[str, str | None]) -> dict[str, str | None]:
    """Which rounds a budget looks at: those of its period, and some before for the pace."""
    first, _ = running_span(policy, today)
    since = min(first, today) - timedelta(days=_BEFORE_DAYS)
    return {**filters, "score_set": score_set, "policy": policy.id, "first_day": since.isoformat()}


def _budget_rows(policy: Policy, score_set: str, days: Mapping[str, Day], today: date) -> list[dict[str, Any]]:
    return [
        found._asdict()
        | {"wanted": float(found.wanted), "value": _number(found.value), "leaves": found.leaves._asdict()}
        | {"policy": policy.id, "score_set": score_set}
        for found in budget(policy, days, today)
    ]


def _standing(tally: Tally, day: str) -> list[dict[str, Any]]:
    """Whose units of a day are lost already, and whose are open."""
    out = []
    for key, word in tally.standing_units(day):
        if word != "won" and isinstance(key, tuple):
            if tally.plan.policy.unit == "session":
                place, who, agent = key[0][:2], key[0].conversation, key[2]
            else:
                place, who, agent = key[:2], key[2], key[4] if len(key) > 4 else None
            out.append({"stands": word, "shop": place[0], "channel": place[1], "customer": who, "agent": agent})
    return sorted(
        out, key=lambda one: (one["stands"], one["shop"], one["channel"], one["customer"], one["agent"] or "")
    )


def _today(policy: Policy, now_ms: int) -> date:
    return date.fromisoformat((instant_text(now_ms, ZoneInfo(policy.tz)) or "")[:10])


def _kept(policy: Policy) -> Tally:
    tally = Tally(plan_of(policy))
    tally.keep_units()
    return tally


def _tally(
    connection: sqlite3.Connection, policy: Policy, filters: Mapping[str, str | None], as_of_ms: int | None = None
) -> Tally:
    tally = _kept(policy)
    for _, one, outcome in _rounds(connection, filters, as_of_ms=as_of_ms):
        tally.add(one, outcome)
    return tally


def _goes_on(connection: sqlite3.Connection, filters: Mapping[str, str | None], now_ms: int) -> bool:
    """Whether the log knows of rounds that open or end after an instant."""
    clause, values = where(filters)
    found = connection.execute(
        f"SELECT 1 FROM round_rows {clause} AND max(opened_ms, coalesce(closed_ms, opened_ms)) > ? LIMIT 1",
        (*values, now_ms),
    )
    return found.fetchone() is not None


def _as_it_stood(row: sqlite3.Row, as_of_ms: int) -> Outcome:
    """The outcome of a round that had opened, as it stood at an instant."""
    outcome = Outcome(row["status"])
    ended = row["closed_ms"] is not None and row["closed_ms"] <= as_of_ms
    left_out = outcome == Outcome.excluded and row["because"] not in _BY_THE_END
    if ended or left_out or row["because"] == Reason.transferred:
        return outcome
    return Outcome.pending if row["due_ms"] is None or as_of_ms <= row["due_ms"] else Outcome.missed


def _days(tally: Tally) -> dict[str, Day]:
    days: dict[str, Day] = {}
    for unit in tally.units:
        days[unit.day] = days.get(unit.day, Day()).plus(Day(1, not unit.hit))
    for wait in tally.waits:
        days[wait.day] = days.get(wait.day, Day()).plus(Day(0, 0, wait.wait_ms, 1))
    return days


def _since(tally: Tally, from_ms: int, now_ms: int) -> Day:
    part = Day()
    for unit in tally.units:
        if from_ms <= unit.at_ms <= now_ms:
            part = part.plus(Day(1, not unit.hit))
    return part


def _rounds(
    connection: sqlite3.Connection,
    filters: Mapping[str, str | None],
    by: Sequence[str] = (),
    *,
    as_of_ms: int | None = None,
) -> Iterable[tuple[dict[str, Any], _Row, Outcome]]:
    """Rounds with what they are grouped by; ``as_of_ms``: only those that had opened, as they stood then."""
    clause, values = where(filters)
    for row in connection.execute(f"{_ROUNDS} {clause}", values):
        if as_of_ms is not None and row["opened_ms"] > as_of_ms:
            continue
        day = row["day"]
        facts = {
            "shop": row["shop"],
            "channel": row["channel"],
            "agent": row["agent"] or "",
            "hour": row["hour"],
            "day": day,
        }
        if "week" in by or "month" in by:
            monday = date.fromisoformat(day) - timedelta(days=date.fromisoformat(day).weekday())
            facts |= {"week": monday.isoformat(), "month": day[:7]}
        due_ms = NEVER if row["due_ms"] is None else row["due_ms"]
        key = Key(row["shop"], row["channel"], row["conversation"])
        one = _Row(
            row["id"], key, row["customer"], row["agent"], day, _Opened(row["session_ms"]), row["opened_ms"], due_ms,
            row["wait_ms"],
        )  # fmt: skip
        yield facts, one, Outcome(row["status"]) if as_of_ms is None else _as_it_stood(row, as_of_ms)


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
