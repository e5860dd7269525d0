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


def make_notice(
    rows: Sequence[Row], now_ms: int, language: str, link: Link = lambda _row: None, still: Iterable[Row] = ()
) -> Notice:
    """One notice of outbox rows of one person, as they stand at ``now_ms``. Customers' names are masked.

    A round that is due by several steps is listed once. ``still``: of whom the person was told before, and who still
    wait; the text lists them all, the longest wait first, so that it grows and shrinks with those who wait.
    """
    by_round = {row.round: row for row in sorted(rows, key=lambda row: row.step)}
    order = _longest_first(by_round.values())
    before = _longest_first(row for row in still if row.round not in by_round)
    shown = {row.round: _waiting(row, now_ms, link(row)) for row in (*order, *before)}
    everybody = [shown[row.round] for row in _longest_first((*order, *before))]
    urgent, first = order[0], shown[order[0].round]
    lines = [_line(one, now_ms, language) for one in everybody[:_LISTED]]
    if len(everybody) > _LISTED:
        lines.append(t("notice_more", language, count=len(everybody) - _LISTED))
    title = "notice_title" if len(everybody) == 1 else "notice_title_many"
    return Notice(
        id=_name(rows),
        **{name: getattr(first, name) for name in Waiting._fields},
        ladder=urgent.ladder,
        step=urgent.step,
        person=urgent.person,
        title=t(title, language, waited=clock_text(everybody[0].waited_ms), count=len(everybody)),
        text="\n".join(lines),
        waiting=tuple(shown[row.round] for row in order),
        still=tuple(shown[row.round] for row in before),
    )


def _longest_first(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.facts["clock_ms"])


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
