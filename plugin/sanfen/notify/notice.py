"""What a notice says."""

from sanfen.abc import Notice
from sanfen.catalogue import t
from sanfen.store.outbox import Row
from sanfen.store.queries import mask

__all__ = ["clock_text", "make_notice"]

_QUESTION = 60  # characters of the question that are shown


def make_notice(row: Row, now_ms: int, language: str) -> Notice:
    """The notice of an outbox row as it stands at ``now_ms``. The customer's name is masked."""
    facts = row.facts
    waited_ms = max(0, now_ms - int(facts["clock_ms"]))
    due_ms = facts["due_ms"]
    words = {
        "customer": mask(facts["customer"]),
        "shop": facts["shop"],
        "channel": facts["channel"],
        "agent": facts["agent"] or t("nobody", language),
        "waited": clock_text(waited_ms),
        "left": clock_text((due_ms or now_ms) - now_ms),
    }
    over = due_ms is not None and now_ms > due_ms
    text = t("notice_over" if over else "notice_left", language, **words)
    question = facts.get("question")
    if question:
        short = question if len(question) <= _QUESTION else question[: _QUESTION - 1] + "…"
        text += "\n" + t("notice_question", language, question=" ".join(short.split()))
    return Notice(
        id=f"{row.round}.{row.ladder}.{row.step}.{row.id}",
        round_id=row.round,
        shop=facts["shop"],
        channel=facts["channel"],
        conversation=facts["conversation"],
        customer=words["customer"],
        agent=facts["agent"],
        ladder=row.ladder,
        step=row.step,
        person=row.person,
        opened_ms=facts["opened_ms"],
        due_ms=due_ms,
        waited_ms=waited_ms,
        question=question,
        title=t("notice_title", language, waited=words["waited"]),
        text=text,
    )


def clock_text(duration_ms: int) -> str:
    """``m:ss``, with a minus where it is less than nothing."""
    seconds = abs(duration_ms) // 1000
    hours, minutes = divmod(seconds // 60, 60)
    clock = f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
    return ("-" if duration_ms < 0 else "") + clock
