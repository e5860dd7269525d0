"""What channels send and answer, in few words, and events as one line."""

import json
from typing import Any

from sanfen.abc import Answer, Message, Request

RECEIVED_MS = 1_795_309_140_000


def request(
    body: Any = b"", path: str = "", *, method: str = "POST", query: str = "", headers: dict[str, str] | None = None
) -> Request:
    """A request; a body that is no bytes is JSON."""
    return Request(method, path, query, headers or {}, raw(body))


def answer(body: Any = b"", status: int = 200, content_type: str = "application/json") -> Answer:
    """An answer; a body that is no bytes is JSON."""
    return Answer(status, {"content-type": content_type}, raw(body))


def raw(body: Any) -> bytes:
    """The bytes of a body."""
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()


def line(fact: Any) -> str:
    """``human:lily c1#m1 text``, ``customer:A c1#m1 text``, or the kind of what is no message."""
    if not isinstance(fact, Message):
        return type(fact).__name__.lower()
    who = f"customer:{fact.customer}" if fact.sender == "customer" else f"{fact.mode}:{fact.bot or fact.agent or ''}"
    return f"{who} {fact.key.conversation}#{fact.id} {fact.text or ''}".rstrip()


def lines(facts: Any) -> list[str]:
    """Every fact as its line."""
    return [line(one) for one in facts]
