"""What a notice says: one message, however many customers wait."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

from sanfen.abc import Notice, Waiting
from sanfen.catalogue import t
from sanfen.store.outbox import Row
from sanfen.store.queries import mask

__all__ = ["clock_text", "make_notice"]

_QUESTION = 60  # characters of the question that are shown
_LISTED = 10  # customers that are shown one by one

Link = Callable[[Row], str | None]


def make_notice(rows: Sequence[Row], now_ms: int, language: str, link: Link = lambda _row: None) -> Notice:
    """One notice of outbox rows of one person, as they stand at ``now_ms``. Customers' names are masked.

    A round that is due by several steps is listed once, the longest wait first.
    """
    by_round = {row.round: row for row in sorted(rows, key=lambda row: row.step)}
    order = sorted(by_round.values(), key=lambda row: row.facts["clock_ms"])
    waiting = tuple(_waiting(row, now_ms, link(row)) for row in order)
    urgent, first = order[0], waiting[0]
    lines = [_line(one, now_ms, language) for one in waiting[:_LISTED]]
    if len(waiting) > 1:
        lines.insert(0, t("notice_many", language, count=len(waiting), longest=clock_text(first.waited_ms)))
    if len(waiting) > _LISTED:
        lines.append(t("notice_more", language, count=len(waiting) - _LISTED))
    title = "notice_title" if len(waiting) == 1 else "notice_title_many"
    return Notice(
        id=_name(rows),
        **{name: getattr(first, name) for name in Waiting._fields},
        ladder=urgent.ladder,
        step=urgent.step,
        person=urgent.person,
        title=t(title, language, waited=clock_text(first.waited_ms), count=len(waiting)),
        text="\n".join(lines),
        waiting=waiting,
    )


def _name(rows: Iterable[Row]) -> str:
    """The same for the same rows, so that a receiver knows a second attempt."""
    names = sorted(f"{row.round}.{row.ladder}.{row.step}.{row.turn}.{row.person}" for row in rows)
    return "n" + blake2b("\0".join(names).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _waiting(row: Row, now_ms: int, url: str | None) -> Waiting:
    facts = row.facts
    return Waiting(
        round_id=row.round,
        shop=facts["shop"],
        channel=facts["channel"],
        conversation=facts["conversation"],
        customer=mask(facts["customer"]),
        agent=facts["agent"],
        opened_ms=facts["opened_ms"],
        due_ms=facts["due_ms"],
        waited_ms=max(0, now_ms - int(facts["clock_ms"])),
        question=facts.get("question"),
        url=url,
    )


def _line(one: Waiting, now_ms: int, language: str) -> str:
    over = one.due_ms is not None and now_ms > one.due_ms
    text = t(
        "notice_over" if over else "notice_left",
        language,
        customer=one.customer,
        shop=one.shop,
        channel=one.channel,
        agent=one.agent or t("nobody", language),
        waited=clock_text(one.waited_ms),
        left=clock_text((one.due_ms or now_ms) - now_ms),
    )
    if one.question:
        short = one.question if len(one.question) <= _QUESTION else one.question[: _QUESTION - 1] + "…"
        text += "\n" + t("notice_question", language, question=" ".join(short.split()))
    return text if one.url is None else f"{text}\n{one.url}"


def clock_text(duration_ms: int) -> str:
    """``m:ss``, with a minus where it is less than nothing."""
    seconds = abs(duration_ms) // 1000
    hours, minutes = divmod(seconds // 60, 60)
    clock = f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
    return ("-" if duration_ms < 0 else "") + clock
