"""Who is told when: ladders from their shape to what the core reads, and everything that can be wrong with them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from sanfen.conditions import VARIABLES, BadCondition, Condition
from sanfen.config.build import holidays_of
from sanfen.config.findings import Finding
from sanfen.config.schema import Config, DutyModel, LadderModel, StepModel
from sanfen.config.types import duration_text, time_text
from sanfen.config.yaml import Document
from sanfen.core.policy import Ladder, Policy, Step
from sanfen.errors import ParseError, Phrase, nearest

__all__ = ["build_ladders", "doubts", "names"]

AGENT = "agent"
NUDGE_MS = 30_000
"""This long before a step gives a conversation away, its holder is told, where giving it away unanswered is a miss."""

_TIMES = 20
_DAY_MIN = 1440

_Path = tuple[str | int, ...]


def build_ladders(config: Config, policy: Policy, *, first: bool) -> tuple[Ladder, ...]:
    """The ladders of a policy's rounds, steps in order of time. ``first``: it is the one ladders are for by default."""
    usual_ms = policy.due[0].after_ms or 0
    return tuple(
        Ladder(
            ladder.name,
            tuple(sorted(_steps(ladder, policy), key=lambda step: step_ms(step, usual_ms))),
            frozenset(ladder.match.shop),
            frozenset(ladder.match.channel),
            agents_of(config, ladder),
            frozenset(ladder.match.tag),
            ladder.match.hours,
        )
        for ladder in config.escalation
        if (policy.id in ladder.match.policy if ladder.match.policy else first)
    )


def step_ms(step: Step, usual_ms: int) -> int:
    """When a step is due after the first unanswered question, where the deadline is the usual one."""
    return step.at_ms + (usual_ms if step.since == "deadline" else 0)


def agents_of(config: Config, ladder: LadderModel) -> frozenset[str]:
    """The agents a ladder is for; empty: all."""
    return frozenset(ladder.match.agent).union(*(config.groups.get(name, ()) for name in ladder.match.group))


def _steps(ladder: LadderModel, policy: Policy) -> Iterator[Step]:
    """The steps; before one that gives the conversation away, where that is itself a miss, its holder is nudged."""
    for model in ladder.steps:
        step = _step(model)
        if step.reassign is not None and policy.transfer == "split" and not _nudged(ladder):
            yield replace(step, at_ms=step.at_ms - NUDGE_MS, notify=(AGENT,), reassign=None, every_ms=0, times=0)
        yield step


def _nudged(ladder: LadderModel) -> bool:
    return any(AGENT in step.notify for step in ladder.steps)


def _step(model: StepModel) -> Step:
    at_ms = next(one for one in (model.at, model.late, -(model.before or 0)) if one is not None)
    since: Literal["clock", "deadline"] = "clock" if model.at is not None else "deadline"
    times = 0 if model.every is None else _TIMES if model.times is None else model.times
    return Step(at_ms, model.notify, since, model.reassign, model.if_, model.every or 0, times)


def names(document: Document, config: Config) -> Iterator[Finding]:
    """Names nobody defined, conditions that cannot be read, holidays nobody knows."""
    people = (*config.people, *config.rosters)
    for roster, shifts in config.rosters.items():
        if roster in config.people or roster == AGENT:
            message = Phrase("{roster!r} is both a roster and a person", roster=roster)
            yield document.finding("C023", message, ("rosters", roster), key=True, help_="give each its own name")
        for number, shift in enumerate(shifts):
            path: _Path = ("rosters", roster, number, "people")
            yield from _unknown(document, "people", config.people, shift.people, path)
    yield from _unknown(document, "people", config.people, config.fallback, ("fallback",))
    for number, ladder in enumerate(config.escalation):
        path = ("escalation", number)
        yield from _unknown(document, "groups", config.groups, ladder.match.group, (*path, "match", "group"))
        for index, step in enumerate(ladder.steps):
            yield from _unknown(document, "people", (*people, AGENT), step.notify, (*path, "steps", index, "notify"))
            if step.if_ is not None:
                yield from _condition(document, step.if_, (*path, "steps", index, "if"))
    try:
        holidays_of(config.holidays)
    except ParseError as error:
        yield document.finding("C012", error.message, ("holidays",), help_=error.hint)


def doubts(document: Document, config: Config, policies: Iterable[Policy]) -> Iterator[Finding]:
    """It runs, but hardly as meant: late steps, steps out of order, nobody there, a transfer that is a miss."""
    judged = list(policies)
    known = {policy.id for policy in judged}
    for number, ladder in enumerate(config.escalation):
        path: _Path = ("escalation", number)
        for index, name in enumerate(ladder.match.policy):
            if name not in known:
                message = Phrase("{name!r} scores nothing here", name=name)
                help_ = Phrase("known: {names}; add it under also", names=", ".join(sorted(known)))
                yield document.finding("W107", message, (*path, "match", "policy", index), help_=help_)
        policy = next((one for one in judged if one.id in ladder.match.policy), judged[0])
        if not ladder.steps:
            message = Phrase("ladder {name!r} tells nobody", name=ladder.name)
            yield document.finding("W103", message, path, help_="add a step, or leave it out if that is meant")
        yield from _times(document, ladder, path, policy)
        yield from _nobody(document, config, ladder, path)
        yield from _transfers(document, ladder, path, policy)


def _unknown(
    document: Document, section: str, known: Iterable[str], used: Iterable[str], path: _Path
) -> Iterator[Finding]:
    listed = tuple(known)
    for place, name in enumerate(used):
        if name not in listed:
            help_ = nearest(name, listed, Phrase("known: {names}", names=", ".join(listed) or Phrase("nobody yet")))
            note = "nobody would be told" if section == "people" else ""
            message = Phrase("{name!r} is not under `{section}:`", name=name, section=section)
            yield document.finding("C021", message, (*path, place), note=note, help_=help_)


def _condition(document: Document, text: str, path: _Path) -> Iterator[Finding]:
    try:
        Condition(text)
    except BadCondition as bad:
        help_ = bad.hint
        if bad.unknown is not None:
            help_ = nearest(bad.unknown, VARIABLES, Phrase("known: {names}", names=", ".join(VARIABLES)))
        found = document.finding("C030", bad.message, path, help_=help_)
        shift = found.source[found.column - 1 :].find(text)  # a quoted text begins behind its quote
        if shift >= 0:
            width = len(bad.unknown) if bad.unknown else max(1, len(text) - bad.column)
            found = found._replace(column=found.column + shift + bad.column, width=width)
        yield found


def _times(document: Document, ladder: LadderModel, path: _Path, policy: Policy) -> Iterator[Finding]:
    after_ms = policy.due[0].after_ms
    latest = -1
    for index, model in enumerate(ladder.steps):
        if after_ms is None:
            return
        step = _step(model)
        at_ms = step_ms(step, after_ms)
        key = next(name for name in ("at", "before", "late") if getattr(model, name) is not None)
        where = (*path, "steps", index, key)
        if at_ms < 0:
            message = Phrase(
                "step {ahead} before the deadline comes before the question", ahead=duration_text(-step.at_ms)
            )
            yield document.finding(
                "W101", message, where, help_=Phrase("the deadline is {deadline}", deadline=duration_text(after_ms))
            )
        elif model.at is not None and at_ms >= after_ms:
            message = Phrase(
                "step at {at} is not before the deadline ({deadline})",
                at=duration_text(at_ms),
                deadline=duration_text(after_ms),
            )
            note = "the round is already late when this fires"
            help_ = "write late: 0s for a step at the breach, or silence with # sanfen: allow W101"
            yield document.finding("W101", message, where, note=note, help_=help_)
        if 0 <= at_ms < latest:
            message = Phrase(
                "step at {at} comes after one at {latest}", at=duration_text(at_ms), latest=duration_text(latest)
            )
            yield document.finding("W102", message, where, help_="write the steps in order of time")
        latest = max(latest, at_ms)


def _transfers(document: Document, ladder: LadderModel, path: _Path, policy: Policy) -> Iterator[Finding]:
    if policy.transfer != "split":
        return
    for index, step in enumerate(ladder.steps):
        if step.reassign is not None:
            message = Phrase("under {policy} a conversation given away unanswered is itself a miss", policy=policy.id)
            help_ = (
                "its holder is told first (30s before, unless a step notifies agent); give it away only as a last step"
            )
            yield document.finding("W109", message, (*path, "steps", index, "reassign"), help_=help_)


def _nobody(document: Document, config: Config, ladder: LadderModel, path: _Path) -> Iterator[Finding]:
    """Hours of the ladder at which no step reaches anybody."""
    if config.fallback or not ladder.steps:
        return
    duties = [duty for step in ladder.steps for name in step.notify for duty in _duties(config, name)]
    if not duties or any(duty is None for duty in duties):
        return
    looks = _minutes(ladder.match.hours)
    alone = sorted(looks.difference(*(_minutes(duty.hours) for duty in duties if duty is not None)))
    if alone:
        first = alone[0]
        last = next((minute for minute in alone if minute + 1 not in alone), alone[-1])
        span = f"{time_text(first)}-{time_text(last + 1)}"
        message = Phrase("nobody of ladder {name!r} is there at {span}", name=ladder.name, span=span)
        yield document.finding(
            "W108", message, path, help_="add somebody, or fallback: [NAME] for whoever is told then"
        )


def _duties(config: Config, name: str) -> list[DutyModel | None]:
    """When a name stands for somebody; None: at any hour, as far as the file says."""
    if name in config.rosters:
        return list(config.rosters[name])
    return [config.people[name]] if name in config.people else [None]


def _minutes(hours: tuple[int, int] | None) -> set[int]:
    if hours is None:
        return set(range(_DAY_MIN))
    start, end = hours
    return set(range(start, end)) if start < end else {*range(start, _DAY_MIN), *range(end)}
