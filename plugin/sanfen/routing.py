"""Which ladder a round with given facts would climb, by the core's own choice."""

from collections.abc import Iterable

from sanfen.core.escalation import choose
from sanfen.core.events import Key, Message
from sanfen.core.facts import Round, Session
from sanfen.core.plan import Plan
from sanfen.core.policy import Ladder

__all__ = ["ladder_of"]


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
