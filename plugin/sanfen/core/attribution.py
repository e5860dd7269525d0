"""Which agent an order is credited to, from a conversation's messages and what became of its orders.

A *segment* is a run of one agent's valid messages; another agent, or ten minutes without any message, begins a new one.
An order goes to the agent of the last segment begun before it was created, its payment (which decides sales) to that of
the last one begun before it was paid. Another agent takes over only with a segment begun thirty minutes or more after
the credited agent's last message. An order no segment came before is silent: nobody is credited with it, and its
payment only to a chase begun thirty minutes or more after it. After-sale belongs to the first agent who speaks after the
goods arrived. These are the rules of 快麦绩效's settings page; how far back an order looks is not among them.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sanfen.core.events import VALID, Event, Message, Order, Sender

__all__ = ["USUAL", "Credit", "Terms", "credits_of"]


class Terms(NamedTuple):
    """What crediting can be asked with, in milliseconds. ``lookback_ms``: segments that ended longer before an order was
    made are none of its; None: all are.
    """

    gap_ms: int = 600_000
    takeover_ms: int = 1_800_000
    silent_ms: int = 1_800_000
    lookback_ms: int | None = None


USUAL = Terms()


class Credit(NamedTuple):
    """One order: its instants, and who is credited with it (None: nobody)."""

    order: str
    created_ms: int | None
    paid_ms: int | None
    received_ms: int | None
    amount: int | None
    silent: bool
    order_by: str | None
    paid_by: str | None
    aftersale_by: str | None


class _Segment(NamedTuple):
    agent: str
    begun_ms: int
    last_ms: int


def credits_of(events: Iterable[Event], terms: Terms = USUAL) -> list[Credit]:
    """The orders of one conversation, in order of their first stage. Events in order of time."""
    listed = list(events)
    spoken = [one for one in listed if isinstance(one, Message)]
    segments = _segments(spoken, terms.gap_ms)
    stages: dict[str, dict[str, Order]] = {}
    for event in listed:
        if isinstance(event, Order):
            stages.setdefault(event.order, {}).setdefault(event.stage, event)  # a stage told twice: the first holds
    return [_credit(name, found, segments, spoken, terms) for name, found in stages.items()]


def _credit(
    name: str, stages: dict[str, Order], segments: list[_Segment], spoken: list[Message], terms: Terms
) -> Credit:
    created, paid, received = (stages.get(stage) for stage in ("created", "paid", "received"))
    able = segments
    if created is not None and terms.lookback_ms is not None:
        able = [one for one in able if one.last_ms >= created.at_ms - terms.lookback_ms]
    silent = created is not None and all(one.begun_ms >= created.at_ms for one in able)
    if silent and created is not None:
        able = [one for one in able if one.begun_ms >= created.at_ms + terms.silent_ms]
    after = (one.agent for one in spoken if received and one.at_ms > received.at_ms and _credited(one))
    amounts = [one.amount for one in (paid, created, received) if one is not None and one.amount is not None]
    return Credit(
        name,
        created.at_ms if created else None,
        paid.at_ms if paid else None,
        received.at_ms if received else None,
        amounts[0] if amounts else None,
        silent,
        _holder(able, created.at_ms, terms.takeover_ms) if created and not silent else None,
        _holder(able, paid.at_ms, terms.takeover_ms) if paid else None,
        next(after, None),
    )


def _credited(one: Message) -> bool:
    """Whether an agent can earn something with it."""
    return one.sender == Sender.merchant and one.mode in VALID and one.agent is not None


def _segments(spoken: list[Message], gap_ms: int) -> list[_Segment]:
    out: list[_Segment] = []
    spoken_ms, broken = None, False
    for event in spoken:
        broken |= spoken_ms is not None and event.at_ms - spoken_ms >= gap_ms
        spoken_ms = event.at_ms
        if event.agent is None or not _credited(event):
            continue
        if out and out[-1].agent == event.agent and not broken:
            out[-1] = out[-1]._replace(last_ms=event.at_ms)
        else:
            out.append(_Segment(event.agent, event.at_ms, event.at_ms))
        broken = False
    return out


def _holder(segments: list[_Segment], before_ms: int, takeover_ms: int) -> str | None:
    """Who holds the credit at an instant."""
    holder: _Segment | None = None
    for one in segments:
        if one.begun_ms >= before_ms:
            break
        if holder is None or one.agent == holder.agent or one.begun_ms - holder.last_ms >= takeover_ms:
            holder = one
    return holder.agent if holder else None
