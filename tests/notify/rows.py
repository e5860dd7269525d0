"""Rows of the outbox as the stages see them."""

from typing import Any

from sanfen.store.outbox import Row

__all__ = ["FACTS", "due"]

FACTS: dict[str, Any] = {
    "shop": "flagship", "channel": "desk", "conversation": "c", "customer": "tb_赵1234", "agent": "小美", "tags": [],
    "opened_ms": 0, "clock_ms": 0, "due_ms": 180_000, "question": "退款\n三天了" + "怎么" * 40,
}  # fmt: skip


def due(number: int = 1, **changed: Any) -> Row:
    """A step that is due for the lead, of a round that is still open."""
    row = Row(
        number,
        f"r{number}",
        "p",
        "default",
        0,
        0,
        "notify",
        "lead",
        90_000,
        0,
        0,
        0,
        None,
        FACTS,
        "pending",
        None,
        None,
    )
    return row._replace(**changed)
