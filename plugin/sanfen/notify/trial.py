"""A test message to a person, way by way, and what became of it in the receivers' own words."""

from collections.abc import Mapping
from typing import Any

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.catalogue import t
from sanfen.clock import Clock
from sanfen.config.settings import Person, Settings
from sanfen.notify.ways import send, shown_way

__all__ = ["tell"]


async def tell(
    person: Person,
    settings: Settings,
    notifiers: Mapping[str, Notifier],
    clock: Clock,
    *,
    every: bool = False,
    said: tuple[str, str] | None = None,
) -> list[dict[str, Any]]:
    """A row for each way: ``result`` is told, refused, unknown or untried. ``every``: also after one has worked.

    ``said``: title and text in place of the test's. Closes the notifiers.
    """
    language = settings.shop.language
    text = t("notify_test_text", language, shop=settings.shop.name)
    words = said or (t("notify_test_title", language), text)
    rows: list[dict[str, Any]] = []
    for way in person.ways:
        row: dict[str, Any] = {"way": shown_way(notifiers, way), "result": "untried", "reason": None, "answer": None}
        start_ms = clock.now_ms()
        if every or not any(one["result"] == "told" for one in rows):
            try:
                row |= {
                    "answer": await send(notifiers, way, _notice(person, settings, start_ms, words)),
                    "result": "told",
                }
            except DeliveryError as error:
                result = "unknown" if error.unknown else "refused"
                row |= {"answer": error.message, "result": result, "reason": error.reason}
        rows.append(row | {"took_ms": clock.now_ms() - start_ms})
    for notifier in notifiers.values():
        await notifier.close()
    return rows


def _notice(person: Person, settings: Settings, now_ms: int, said: tuple[str, str]) -> Notice:
    return Notice(
        id=f"test.{now_ms}",
        round_id="test",
        shop=settings.shop.id,
        channel="test",
        conversation="test",
        customer="test",
        agent=None,
        ladder="test",
        step=0,
        person=person.name,
        opened_ms=now_ms,
        due_ms=None,
        waited_ms=0,
        question=None,
        title=said[0],
        text=said[1],
    )
