"""A replay from options to a report: policies made, logs scored, results as plain data, rounds kept if asked."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from sanfen.bulk.rescore import Collected, LateTag, Rescore, carries_tags, seldom_collected
from sanfen.bulk.save import REPLAY, Saver
from sanfen.bulk.sources import Log, OutOfOrder, merged
from sanfen.config import presets
from sanfen.config.load import inspect_rules
from sanfen.config.policies import PolicyModel
from sanfen.config.types import parse_zone
from sanfen.core.classify import Rule
from sanfen.core.days import NEVER
from sanfen.core.events import Event, Key, Message, Mode
from sanfen.core.facts import Round
from sanfen.core.periods import meets
from sanfen.core.plan import Plan, plan_of
from sanfen.core.policy import Policy
from sanfen.core.score import Outcome, Score
from sanfen.core.sending import SendingLimit
from sanfen.errors import InputError, ParseError, Phrase, UnreadableError
from sanfen.store import queries
from sanfen.store.opening import open_reader
from sanfen.store.projection import LIVE
from sanfen.wire import instant_text, parse_instant

__all__ = ["Replay", "Request", "round_fields"]

_UNKNOWN_IS_HUMAN = Rule("--unknown human", mode=Mode.human, modes=frozenset({Mode.unknown}))


class Request(NamedTuple):
    """What a replay is asked for."""

    policies: tuple[Policy, ...]
    zone: ZoneInfo | None
    as_of_ms: int | None
    now_ms: int
    rules: tuple[Rule, ...]
    with_rounds: bool
    period: bool
    out: Path | None
    score_set: str = REPLAY
    limits: tuple[tuple[str, int], ...] = ()  # policies that limit sending: name, milliseconds

    @classmethod
    def of(cls, options: Mapping[str, Any], now_ms: int, mapped: tuple[Rule, ...] = ()) -> Self:
        """From the options of the command. ``mapped``: the map's rules, after those of --classify.

        Raises InputError or PolicyError.
        """
        zone = _zone(options["tz"]) if options["tz"] else None
        holidays = frozenset(_holidays(options["holidays"]))
        models = [_model(name, options["sets"]) for name in options["policies"] or (presets.DEFAULT,)]
        limits = tuple((m.id, m.constraint.free_reply_until.after) for m in models if m.constraint is not None)
        tz = options["tz"] or "Asia/Shanghai"
        policies = tuple(presets.scoring(m, tz=tz, holidays=holidays) for m in models if m.constraint is None)
        as_of_ms = None
        if options["as_of"]:
            try:
                as_of_ms = parse_instant(
                    options["as_of"], zone or ZoneInfo(policies[0].tz if policies else tz), "--as-of"
                )
            except ParseError as error:
                raise InputError(error.message, hint=error.hint) from None
        rules = (*(inspect_rules(options["classify_file"]) if options["classify_file"] else ()), *mapped)
        if options["unknown"] == "human":
            rules = (*rules, _UNKNOWN_IS_HUMAN)
        _may_write(options["out"], options["score_set"])
        return cls(
            policies,
            zone,
            as_of_ms,
            now_ms,
            rules,
            options["with_rounds"],
            options["period"] == "policy",
            options["out"],
            options["score_set"],
            limits,
        )


class Replay:
    """One run over some logs."""

    def __init__(self, request: Request, logs: list[Log]) -> None:
        self._request = request
        self._logs = logs
        self._plans = [plan_of(policy) for policy in request.policies]
        self._reasons: list[Counter[str]] = []
        self._rounds: list[list[tuple[tuple[int, int], dict[str, Any]]]] = []  # place, fields
        self._places: dict[tuple[Key, str], int] = {}  # of questions: rounds of one instant stand as they were asked
        self._keep: frozenset[Key] = frozenset()
        self.replies = self.unknown = self.duplicates = 0

    def run(self, progress: Callable[[], None], say: Callable[..., None]) -> list[dict[str, Any]]:
        """Score everything; returns a report for each policy. Raises InputError."""
        while True:
            saver = self._saver()
            try:
                with seldom_collected():
                    return self._once(progress, saver)
            except (OutOfOrder, LateTag) as found:
                if saver is not None:
                    saver.discard()
                if isinstance(found, OutOfOrder):
                    say("replay_sorting", file=found.log.name)
                else:
                    self._keep = self._tagged()
            except BaseException:
                if saver is not None:
                    saver.discard()
                raise

    def _saver(self) -> Saver | None:
        if self._request.out is None:
            return None
        zone = self._request.zone
        zone_name = zone.key if zone else self._plans[0].policy.tz if self._plans else "UTC"
        return Saver(self._request.out, self._plans, zone_name, self._request.score_set)

    def _tagged(self) -> frozenset[Key]:
        """The conversations that have tags anywhere in the logs."""
        return frozenset(event.key for event in merged(self._logs) if carries_tags(event))

    def _once(self, progress: Callable[[], None], saver: Saver | None) -> list[dict[str, Any]]:
        self._reasons = [Counter() for _ in self._plans]
        self._rounds = [[] for _ in self._plans]
        self._places = {}

        def keep(number: int, one: Round, scored: Score) -> None:
            if scored.outcome == Outcome.excluded:
                self._reasons[number][scored.reason] += 1
            if self._request.with_rounds:
                fields = round_fields(one, scored, self._plans[number])
                place = (one.opened_ms, self._places[one.key, one.opening_id])
                self._rounds[number].append((place, fields))
            if saver is not None:
                saver.round(number, one, scored)

        limits = [SendingLimit(after_ms) for _, after_ms in self._request.limits]

        def see(event: Event) -> None:
            if self._request.with_rounds and type(event) is Message:
                self._places[event.key, event.id] = len(self._places)
            for limit in limits:
                limit.feed(event)
            if saver is not None:
                saver.event(event)

        rescore = Rescore(
            self._plans,
            as_of_ms=self._request.as_of_ms,
            rules=self._request.rules,
            keep=self._keep,
            with_units=self._request.period,
            on_round=keep,
            on_verdict=saver.verdict if saver else None,
            on_event=see,
        )
        for _ in rescore.feed(merged(self._logs)):
            progress()
        as_of_ms = self._request.as_of_ms
        if as_of_ms is None:
            as_of_ms = max(self._request.now_ms, rescore.last_ms)
        results = rescore.finish(as_of_ms)
        if saver is not None:
            saver.close()
        self.replies, self.unknown, self.duplicates = rescore.replies, rescore.unknown, rescore.duplicates
        told = [self._report(number, found, as_of_ms) for number, found in enumerate(results)]
        return told + [
            _limit_report(name, limit) for (name, _), limit in zip(self._request.limits, limits, strict=True)
        ]

    def _report(self, number: int, found: Collected, as_of_ms: int) -> dict[str, Any]:
        plan, tally = found
        policy = plan.policy
        figures = (tally.numerator, tally.denominator, tally.value, tally.waited)
        period: dict[str, Any] | None = None
        if self._request.period and policy.period is not None:
            assessed = tally.assess(date.fromisoformat(plan.calendar.day(as_of_ms).date))
            figures = (assessed.numerator, assessed.units, assessed.value, assessed.waited)
            period = {"first": assessed.first_day, "last": assessed.last_day}
            period |= {"units": assessed.units, "assessed": assessed.assessed}
        numerator, denominator, value, waited = figures
        out: dict[str, Any] = {
            "policy": policy.id,
            "version": policy.version,
            "as_of": instant_text(as_of_ms, ZoneInfo(policy.tz)),
            "numerator": numerator,
            "denominator": denominator,
            "value": _number(value),
            "counts": {str(outcome): tally.counts[outcome] for outcome in Outcome},
            "reasons": dict(sorted(self._reasons[number].items())),
        }
        if policy.report.kind == "mean":
            out |= {"mean_ms": None if value is None else _number(value * 1000), "n": waited}
        if period is not None:
            out["period"] = period
        out["targets"] = [
            {"name": target.name, "op": target.op, "value": float(target.value), "met": meets(target, value)}
            for target in policy.targets
            if value is not None
        ]
        if self._request.with_rounds:
            out["rounds"] = [fields for _, fields in sorted(self._rounds[number], key=lambda row: row[0])]
        return out


def round_fields(one: Round, scored: Score, plan: Plan) -> dict[str, Any]:
    """A round as ``replay --json`` shows it; times in the policy's zone."""
    zone = ZoneInfo(plan.policy.tz)
    return {
        "id": one.id,
        "shop": one.key.shop,
        "channel": one.key.channel,
        "conversation": one.key.conversation,
        "customer": one.customer,
        "agent": one.agent,
        "opened": instant_text(one.opened_ms, zone),
        "clock": instant_text(None if one.clock_ms >= NEVER else one.clock_ms, zone),
        "due": instant_text(None if one.due_ms >= NEVER else one.due_ms, zone),
        "closed": instant_text(one.closed_ms, zone),
        "wait_ms": one.wait_ms,
        "status": str(scored.outcome),
        "reason": scored.public_reason,
        "because": str(scored.reason),
        "evidence": list(scored.evidence),
        "messages": one.messages,
    }


def _limit_report(name: str, limit: SendingLimit) -> dict[str, Any]:
    """The merchant's messages that a limit on sending lets pass free."""
    sent = limit.inside + limit.outside
    value = limit.inside / sent if sent else None
    counts = {"free": limit.inside, "outside": limit.outside}
    return {"policy": name, "kind": "constraint", "numerator": limit.inside, "denominator": sent, "value": value} | {
        "counts": counts
    }


def _model(name: str, sets: tuple[str, ...]) -> PolicyModel:
    made = presets.tree(name)
    for one in sets:
        key, sign, value = one.partition("=")
        if not sign:
            raise InputError(
                Phrase("--set {one}: no value", one=one),
                hint="write --set KEY=VALUE, such as midnight=exclude_crossing",
            )
        presets.apply_set(made, key.strip(), value)
    return presets.validate(made, name)


def _may_write(out: Path | None, score_set: str) -> None:
    """Raises InputError for a file that is there already, unless the scores have a name that it does not hold."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", score_set) or score_set == LIVE:
        raise InputError(
            Phrase("--score-set: not a name for scores of a replay: {score_set!r}", score_set=score_set),
            hint="write a name such as strict",
        )
    if out is None or not out.exists():
        return
    if score_set == REPLAY:
        hint = "name a new file, or give these scores a name of their own: --score-set strict"
        raise InputError(Phrase("{path} is there already", path=out), hint=hint)
    with closing(open_reader(out)) as connection:
        if queries.policies(connection, score_set):
            raise InputError(
                Phrase("{out} holds a score set {score_set} already", out=out, score_set=score_set),
                hint="give these scores another name",
            )


def _zone(name: str) -> ZoneInfo:
    try:
        return parse_zone(name)
    except UnreadableError as error:
        raise InputError(Phrase("{place}: {sentence}", place="--tz", sentence=error.message), hint=error.hint) from None


def _holidays(text: str) -> list[str]:
    out = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        try:
            out.append(date.fromisoformat(part).isoformat())
        except ValueError:
            raise InputError(
                Phrase("--holidays: not a date: {part!r}", part=part), hint="write 2026-01-01,2026-02-17"
            ) from None
    return out


def _number(value: Fraction | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value.denominator == 1 and abs(value) > 1 else float(value)
