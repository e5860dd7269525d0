"""Intercom's notifications, and its API's answers, as events. Pure.

A bot's part comes under two topics, and bots speak under ``admin`` topics too: the author's ``type`` decides, never the topic.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sanfen.abc import Answer, Event, Message, Place, Request, dig, fingerprint, json_object, listed
from sanfen_adapters.signed import bearer

__all__ = ["notified", "sent"]

_CUSTOMERS = ("user", "lead", "contact")
_NO_MESSAGE = ("note", "snoozed", "unsnoozed", "timer_unsnooze", "participant_added", "conversation_rating_changed")
_TAGS = re.compile(r"<[^>]{0,2000}>")
_BREAKS = re.compile(r"<(?:br|/p|/div|/li)[^>]{0,200}>")


def notified(body: Mapping[str, Any], place: Place) -> list[Event]:
    """The events of a notification. Raises ParseError."""
    item = dig(body, "data", "item")
    if dig(item, "type") != "conversation":
        return []
    out = list(_opened(item, place)) if str(body.get("topic")).endswith(".created") else []
    for part in listed(item, "conversation_parts", "conversation_parts"):
        out += _part(part, dig(item, "id"), place)
    return out


def sent(request: Request, answer: Answer, place: Place) -> Sequence[Event]:
    """What a reply by the API sent, by whose token: the last part of the conversation it answers with."""
    names = request.path.split("/")
    if request.method != "POST" or answer.status != 200 or names[0] != "conversations" or names[2:] != ["reply"]:
        return ()
    item = json_object(answer.body)
    parts = listed(item, "conversation_parts", "conversation_parts")
    token = fingerprint(bearer(request))
    return [
        one._replace(credential=token) if isinstance(one, Message) else one
        for one in _part(parts[-1] if parts else None, dig(item, "id"), place)
    ]


def _opened(item: Any, place: Place) -> Iterator[Event]:
    """The first message of a conversation stands in its source."""
    source = dig(item, "source")
    if dig(source, "id") and dig(source, "body"):
        yield _message(source, dig(item, "id"), dig(item, "created_at"), place)


def _part(part: Any, talk: Any, place: Place) -> Iterator[Event]:
    kind, name, at = dig(part, "part_type"), dig(part, "id"), dig(part, "created_at")
    if kind in _NO_MESSAGE or part is None:
        return
    if dig(part, "body"):
        yield _message(part, talk, at, place)
    to = dig(part, "assigned_to")
    if kind in ("assignment", "assign_and_reopen", "assign_and_unsnooze") and isinstance(to, dict):
        yield place.transfer(talk, f"assign.{name}", at, to=f"{to.get('type')}:{to.get('id')}")
    if kind == "close":
        yield place.close(talk, f"close.{name}", at)


def _message(part: Any, talk: Any, at: Any, place: Place) -> Event:
    author = dig(part, "author") or {}
    kind, who = dig(author, "type"), f"{dig(author, 'type')}:{dig(author, 'id')}"
    text, name = _plain(dig(part, "body")), dig(part, "id")
    by_ai = dig(author, "is_ai_answer") or dig(author, "from_ai_agent")
    rule = f"author.type={str(kind)[:20]}" + (",is_ai_answer" if by_ai else "")
    if kind in _CUSTOMERS:
        return place.ask(talk, name, at, customer=who, text=text, rule=rule)
    if kind == "bot" or by_ai:
        return place.reply(talk, name, at, "bot", bot=who, text=text, rule=rule)
    if kind == "admin":
        return place.reply(talk, name, at, "human", agent=who, text=text, rule=rule)
    return place.reply(talk, name, at, "auto" if kind == "team" else "unknown", agent=who, text=text, rule=rule)


def _plain(body: Any) -> str | None:
    """The words of a bit of HTML."""
    if not isinstance(body, str):
        return None
    return html.unescape(_TAGS.sub("", _BREAKS.sub("\n", body))).strip() or None
