"""Intercom's notifications, and its API's answers, as events. Pure.

A bot's part comes under two topics, and bots speak under ``admin`` topics too: the author's ``type`` decides, never the topic.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from sanfen.abc import Answer, Event, Fact, Message, Mode, Place, Request, dig, each, fingerprint, json_object, listed
from sanfen_adapters.signed import bearer

__all__ = ["notified", "sent"]

_CUSTOMERS = ("user", "lead", "contact")
_BY_ITSELF = {
    "automated": Mode.broadcast, "campaigns_initiated": Mode.broadcast, "operator_initiated": Mode.bot,
}  # fmt: skip
"""``delivered_as`` of what nobody wrote to this customer: series and campaigns, custom bots (Intercom's API reference)."""
_NO_MESSAGE = ("note", "snoozed", "unsnoozed", "timer_unsnooze", "participant_added", "conversation_rating_changed")
_TAGS = re.compile(r"<[^>]{0,2000}>")
_BREAKS = re.compile(r"<(?:br|/p|/div|/li)[^>]{0,200}>")


def notified(body: Mapping[str, Any], place: Place) -> Sequence[Fact]:
    """The events of a notification. Raises ParseError."""
    item = dig(body, "data", "item")
    if dig(item, "type") != "conversation":
        return []
    out: list[Fact] = list(_opened(item, place)) if str(body.get("topic")).endswith(".created") else []
    parts = listed(item, "conversation_parts", "conversation_parts")
    return out + each(parts, lambda part: _part(part, dig(item, "id"), place))


def sent(request: Request, answer: Answer, place: Place) -> Sequence[Event]:
    """What a reply by the API sent, by whose token: the last part of the conversation it answers with."""
    names = request.path.split("/")
    if request.method != "POST" or not answer.is_good or names[0] != "conversations" or names[2:] != ["reply"]:
        return ()
    item = json_object(answer.body)
    parts = listed(item, "conversation_parts", "conversation_parts")
    token = fingerprint(bearer(request))
    if not parts:
        return _asked(json_object(request.body), unquote(names[1]), token, place)
    return [
        one._replace(credential=token) if isinstance(one, Message) else one
        for one in _part(parts[-1], dig(item, "id"), place)
    ]


def _asked(body: Mapping[str, Any], talk: str, token: str, place: Place) -> Sequence[Event]:
    """What was asked to be sent, where the answer does not tell it."""
    if body.get("message_type") != "comment" or body.get("type") != "admin":
        return ()
    told: dict[str, Any] = {
        "agent": f"admin:{body.get('admin_id')}",
        "text": _plain(body.get("body")),
        "credential": token,
    }
    return [place.reply(talk, None, None, "human", rule="author.type=admin", **told)]


def _opened(item: Any, place: Place) -> Iterator[Event]:
    """The first message of a conversation stands in its source, which says whether anybody wrote it."""
    source = dig(item, "source")
    if not dig(source, "id") or not _says(source):
        return
    message = _message(source, dig(item, "id"), dig(item, "created_at"), place)
    how = str(dig(source, "delivered_as"))
    if message.sender == "merchant" and how in _BY_ITSELF:
        message = message._replace(mode=_BY_ITSELF[how], rule=f"source.delivered_as={how}")
    yield message


def _says(part: Any) -> bool:
    """Whether there is something said in it: words, or a file without words."""
    return bool(dig(part, "body") or listed(part, "attachments"))


def _part(part: Any, talk: Any, place: Place) -> Iterator[Event]:
    kind, name, at = dig(part, "part_type"), dig(part, "id"), dig(part, "created_at")
    if kind in _NO_MESSAGE or part is None:
        return
    said = _says(part)
    if said:
        yield _message(part, talk, at, place)
    to = dig(part, "assigned_to")
    if kind in ("assignment", "assign_and_reopen", "assign_and_unsnooze") and isinstance(to, dict):
        whom = None if to.get("id") is None else f"{to.get('type')}:{to['id']}"  # nobody_admin: it is nobody's now
        yield place.transfer(talk, f"assign.{name}" if said else name, at, to=whom)
    if kind == "close":
        yield place.close(talk, f"close.{name}" if said else name, at)


def _message(part: Any, talk: Any, at: Any, place: Place) -> Message:
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
