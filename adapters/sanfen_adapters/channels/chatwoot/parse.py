"""Chatwoot's webhook bodies as events. Pure.

Who answered is asked in this order, because campaigns and automation rules speak in a user's name: private notes and activity
are no messages; ``template`` and an automation rule are automatic; so is a campaign; ``external_echo`` was typed in the
channel's own app, by nobody we know; then the sender's type. Chatwoot's own reports ask the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sanfen.abc import Event, ParseError, Request, read_event, strict_json

__all__ = ["parse"]

_MODES = {"user": "human", "agent_bot": "bot"}
_SECONDS_END = 100_000_000_000


class _Place(NamedTuple):
    shop: str
    channel: str
    received_ms: int
    mark: str  # the same for the same delivery, for events without an id of their own


def parse(request: Request, received_ms: int, *, shop: str, channel: str) -> Sequence[Event]:
    """The events of a delivery; none for what is no conversation's business. Raises ParseError."""
    if not request.body:
        return ()
    body = strict_json(request.body)
    if not isinstance(body, dict):
        raise ParseError("the body is no object", hint="point Chatwoot's webhook here, nothing else")
    mark = request.headers.get("x-chatwoot-delivery") or hashlib.blake2b(request.body, digest_size=8).hexdigest()
    place = _Place(shop, channel, received_ms, mark)
    match body.get("event"):
        case "message_created":
            return _message(body, place)
        case "conversation_updated":
            return _assigned(body, place)
        case "conversation_status_changed":
            return _closed(body, place)
        case _:
            return ()


def _message(body: Mapping[str, Any], place: _Place) -> Sequence[Event]:
    if body.get("private") or body.get("message_type") == "activity":
        return ()
    talk = _object(body, "conversation")
    fields: dict[str, Any] = {
        "id": _id(body.get("id")),
        "at": _instant(body.get("created_at"), place),
        "conversation": _conversation(body, talk),
        "text": body.get("content") or None,
    }
    sender = _object(body, "sender")
    if body.get("message_type") == "incoming":
        holder = _object(_object(talk, "meta"), "assignee").get("id")
        who = {"from": "customer", "customer": f"contact:{_id(sender.get('id'))}"}
        return [_event(fields | who | ({"agent": f"user:{holder}"} if holder is not None else {}), place)]
    return [_event(fields | {"from": "merchant"} | _speaker(body, sender), place)]


def _speaker(body: Mapping[str, Any], sender: Mapping[str, Any]) -> dict[str, Any]:
    attributes = _object(body, "content_attributes")
    kind, name = sender.get("type"), sender.get("id")
    agent = {"agent": f"user:{name}"} if kind == "user" and name is not None else {}
    if body.get("message_type") == "template" or attributes.get("automation_rule_id") is not None:
        return {"mode": "auto"}
    if _object(body, "additional_attributes").get("campaign_id") is not None:
        return {"mode": "auto"} | agent
    if attributes.get("external_echo"):
        return {"mode": "human"}
    if kind == "agent_bot":
        return {"mode": "bot", "bot": f"agent_bot:{name}"}
    return {"mode": _MODES.get(str(kind), "unknown")} | agent


def _assigned(body: Mapping[str, Any], place: _Place) -> Sequence[Event]:
    changed = _changed(body, "assignee_id")
    if changed is None:
        return ()
    given, taken = (None if value is None else f"user:{value}" for value in changed)
    return [_system(body, place, {"event": "transfer", "agent": given, "to": taken})]


def _closed(body: Mapping[str, Any], place: _Place) -> Sequence[Event]:
    if body.get("status") != "resolved":
        return ()
    return [_system(body, place, {"event": "close"})]


def _system(body: Mapping[str, Any], place: _Place, fields: dict[str, Any]) -> Event:
    conversation = _conversation(body, body)
    name = f"{fields['event']}.{conversation}.{place.mark}"
    head = {"id": name, "at": place.received_ms, "conversation": conversation, "from": "system"}
    return _event(head | fields, place)


def _changed(body: Mapping[str, Any], name: str) -> tuple[Any, Any] | None:
    for one in body.get("changed_attributes") or ():
        change = one.get(name) if isinstance(one, dict) else None
        if isinstance(change, dict):
            return change.get("previous_value"), change.get("current_value")
    return None


def _conversation(body: Mapping[str, Any], talk: Mapping[str, Any]) -> str:
    return f"{_id(_object(body, 'account').get('id'))}/{_id(talk.get('id'))}"


def _instant(value: Any, place: _Place) -> Any:
    """Newer servers send ISO texts, older ones epoch seconds; without either it is when it arrived."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _SECONDS_END:
        return value * 1000
    return place.received_ms if value is None else value


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ParseError("an id is missing", hint="this is not what Chatwoot sends: look at the body in the log")
    return str(value)


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _event(fields: Mapping[str, Any], place: _Place) -> Event:
    return read_event(fields, shop=place.shop, channel=place.channel)
