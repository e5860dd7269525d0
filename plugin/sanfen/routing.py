"""What would happen: which ladder a round with given facts would climb, by the core's own choice, and whom its steps reach."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sanfen.catalogue import t
from sanfen.config.ladders import step_ms
from sanfen.config.types import duration_text, parse_clock
from sanfen.core.escalation import choose
from sanfen.core.events import Key, Message
from sanfen.core.facts import Round, Session
from sanfen.core.plan import Plan
from sanfen.core.policy import Ladder, Policy, Step
from sanfen.errors import InputError, Phrase, UnreadableError
from sanfen.roster import Roster
from sanfen.wire import parse_instant

__all__ = ["instant_of", "ladder_of", "step_words"]


def ladder_of(
    plan: Plan, shop: str, channel: str, agent: str | None, at_ms: int, tags: Iterable[str] = ()
) -> Ladder | None:
    """The ladder of a round that opens at ``at_ms``, epoch milliseconds; None: none matches."""
    key, session = Key(shop, channel, "route"), Session(at_ms)
    session.tags = dict.fromkeys(tags, "route")
    one = Round(key, Message(at_ms, key, "route", "customer"), session)
    one.agent = agent
    index = choose(plan.policy.ladders, one, plan.calendar)
    return None if index < 0 else plan.policy.ladders[index]


def instant_of(given: Mapping[str, str], timezone: str, now_ms: int) -> int:
    """When: ``at`` as an instant, ``hour`` of today, or now. Raises InputError."""
    zone = ZoneInfo(timezone)
    if given.get("at"):
        return parse_instant(given["at"], zone)
    hour = given.get("hour")
    if not hour:
        return now_ms
    try:
        minute = parse_clock(hour if ":" in hour else f"{hour}:00")
    except UnreadableError as error:
        raise InputError(Phrase("{place}: {sentence}", place="hour", sentence=error.message), hint=error.hint) from None
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).date()
    return int((datetime.combine(today, time(), zone) + timedelta(minutes=minute)).timestamp() * 1000)


def step_words(
    step: Step, policy: Policy, roster: Roster, agent: str | None, at_ms: int, language: str
) -> tuple[str, str]:
    """When a step of a round opened at ``at_ms`` is due, and whom it would reach, in words."""
    usual_ms = max(0, step_ms(step, policy.due[0].after_ms or 0))
    parts: list[str] = []
    if step.notify:
        targets = roster.told(step.notify, agent, at_ms + usual_ms)
        there = [
            f"{one.person} ({one.wanted})" if one.wanted != one.person else one.person
            for one in targets
            if one.skipped is None
        ]
        away = [
            f"{one.person} {t('skipped_' + str(one.skipped), language)}" for one in targets if one.skipped is not None
        ]
        parts.append("→ " + (", ".join(there) or t("route_nobody", language)))
        parts += [f"[{', '.join(away)}]"] if away else []
    if step.reassign is not None:
        names = ", ".join(roster.agents(step.reassign, at_ms + usual_ms)) or t("route_nobody", language)
        parts.append(t("route_reassign", language, name=names))
    if step.every_ms:
        parts.append(t("route_again", language, every=duration_text(step.every_ms), times=step.times))
    if step.condition is not None:
        parts.append(f"if {step.condition}")
    return duration_text(usual_ms), "  ".join(parts)
