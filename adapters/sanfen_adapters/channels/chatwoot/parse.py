"""Chatwoot's webhook bodies, and its API's answers, as events. Pure.

Who answered is asked in this order, because campaigns and automation rules speak in a user's name: private notes and activity
are no messages; ``template`` and an automation rule are automatic; so is a campaign; ``external_echo`` was typed in the
channel's own app, by nobody we know; then the sender's type. Chatwoot's own reports ask the same.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sanfen.abc import Answer, Event, Message, ParseError, Place, Request, dig, fingerprint, json_object, listed

__all__ = ["parse", "sent"]

_BOTS = ("agent_bot", "captain_assistant")
_POSTED = re.compile(r"api/v1/accounts/([0-9]+)/conversations/([0-9]+)/messages")


def parse(request: Request, place: Place) -> Sequence[Event]:
    """The events of a delivery; none for what is no conversation's business. Raises ParseError."""
    body = json_object(request.body)
    match body.get("event"):
        case "message_created":
            return _message(body, place)
        case "message_updated" if dig(body, "content_attributes", "deleted"):
            talk, name = _conversation(body, dig(body, "conversation")), _id(body.get("id"))
            return [place.recall(talk, f"recall.{name}", None, message=name)]
        case "conversation_updated":
            return _assigned(body, place, _mark(request))
        case "conversation_status_changed" if body.get("status") == "resolved":
            talk = _conversation(body, body)
            return [place.close(talk, f"close.{talk}.{_mark(request)}", None)]
        case _:
            return ()


def sent(request: Request, answer: Answer, place: Place) -> Sequence[Event]:
    """What a bot's own call sent: Chatwoot's answer has the id under which its webhook tells it again."""
    found = _POSTED.fullmatch(request.path)
    if found is None or request.method != "POST" or not answer.is_good:
        return ()
    said = json_object(request.body) | json_object(answer.body)
    if said.get("private"):
        return ()
    token = request.headers.get("api_access_token", "")
    speaker = _speaker(said, dig(said, "sender") or {}) | {
        "credential": fingerprint(token),
        "rule": "api_access_token∈bots",
    }
    where = (f"{found[1]}/{found[2]}", said.get("id"), said.get("created_at"))
    return [place.reply(*where, text=said.get("content"), **speaker)]


def _message(body: Mapping[str, Any], place: Place) -> Sequence[Message]:
    kind = body.get("message_type")
    if body.get("private") or kind == "activity":
        return ()
    talk = dig(body, "conversation") or {}
    where = (_conversation(body, talk), _id(body.get("id")), body.get("created_at"))
    sender, text = dig(body, "sender") or {}, body.get("content")
    if kind == "incoming":
        holder = dig(talk, "meta", "assignee", "id")
        agent = None if holder is None else f"user:{holder}"
        name = dig(sender, "id") or dig(talk, "meta", "sender", "id")  # a contact may be deleted since
        who = None if name is None else f"contact:{_id(name)}"
        return [place.ask(*where, customer=who, text=text, agent=agent, rule="message_type=incoming")]
    return [place.reply(*where, text=text, **_speaker(body, sender))]


def _speaker(body: Mapping[str, Any], sender: Mapping[str, Any]) -> dict[str, Any]:
    """Mode, agent or bot, and what told it."""
    kind, name = dig(sender, "type"), dig(sender, "id")
    agent = f"user:{name}" if kind == "user" and name is not None else None
    if body.get("message_type") == "template":
        return {"mode": "auto", "rule": "message_type=template"}
    if dig(body, "content_attributes", "automation_rule_id") is not None:
        return {"mode": "auto", "rule": "content_attributes.automation_rule_id"}
    if dig(body, "additional_attributes", "campaign_id") is not None:
        return {"mode": "auto", "agent": agent, "rule": "additional_attributes.campaign_id"}
    if dig(body, "content_attributes", "external_echo"):
        return {"mode": "human", "rule": "content_attributes.external_echo"}
    if kind in _BOTS:
        return {"mode": "bot", "bot": f"{kind}:{name}", "rule": f"sender.type={kind}"}
    return {"mode": "human" if kind == "user" else "unknown", "agent": agent, "rule": f"sender.type={str(kind)[:40]}"}


def _assigned(body: Mapping[str, Any], place: Place, mark: str) -> Sequence[Event]:
    for one in listed(body, "changed_attributes"):
        change = dig(one, "assignee_id")
        if isinstance(change, dict):
            before, now = (
                None if value is None else f"user:{_id(value)}"
                for value in (change.get("previous_value"), change.get("current_value"))
            )
            talk = _conversation(body, body)
            return [place.transfer(talk, f"transfer.{talk}.{mark}", None, agent=before, to=now)]
    return ()


def _mark(request: Request) -> str:
    """The same for the same delivery, for events without an id of their own."""
    return request.headers.get("x-chatwoot-delivery") or hashlib.blake2b(request.body, digest_size=8).hexdigest()


def _conversation(body: Mapping[str, Any], talk: Any) -> str:
    return f"{_id(dig(body, 'account', 'id'))}/{_id(dig(talk, 'id'))}"


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ParseError("an id is missing", hint="this is not what Chatwoot sends: look at the body in the log")
    return str(value)
