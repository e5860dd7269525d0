"""Messenger and Instagram: both sides of a page's conversations from its webhook, echoes included. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sanfen.abc import Answer, Event, Fact, ParseError, Place, Request, dig, each, json_object, listed
from sanfen_adapters.channels.meta.stamps import caller, stamp

__all__ = ["INBOXES", "messaging", "sent"]

INBOXES = ("263902037430900", "1217981644879628")
"""The apps where people type: the Page's inbox and Instagram's, by Meta's Handover Protocol reference (``target_app_id``)."""


def messaging(body: Mapping[str, Any], place: Place, human_apps: frozenset[str]) -> Sequence[Fact]:
    """The events of a delivery for a page; ``standby`` tells what another app has in hand. Raises ParseError."""
    found = [one for entry in listed(body, "entry") for name in ("messaging", "standby") for one in listed(entry, name)]
    return each(found, lambda one: _one(one, place, human_apps))


def sent(request: Request, answer: Answer, place: Place, page: str | None) -> Sequence[Event]:
    """What a call of the Graph API sent, by whose token: ``VERSION/PAGE/messages``. The echo tells it too."""
    body, said = json_object(request.body), json_object(answer.body)
    name, customer = said.get("message_id"), said.get("recipient_id") or dig(body, "recipient", "id")
    named = request.path.split("/")[-2]
    owner = page if named == "me" else named
    if not customer or not owner or not dig(body, "message"):
        return ()
    told = stamp(dig(body, "message", "metadata"), "metadata") or {"rule": "Graph API call"}
    text = dig(body, "message", "text")
    return [place.reply(f"{owner}/{customer}", name, None, text=text, credential=caller(request), **told)]


def _one(one: Any, place: Place, human_apps: frozenset[str]) -> Iterator[Event]:
    message, postback, passed = dig(one, "message"), dig(one, "postback"), dig(one, "pass_thread_control")
    echo, at = bool(dig(message, "is_echo")), dig(one, "timestamp")
    sender, recipient = dig(one, "sender", "id"), dig(one, "recipient", "id")
    page, customer = (sender, recipient) if echo else (recipient, sender)
    talk, who = f"{page}/{customer}", f"psid:{customer}"
    if isinstance(message, dict):
        name, text = message.get("mid"), message.get("text")
        if not page or not customer or not name:
            raise ParseError("an id is missing", hint="this is not what Meta sends: look at the body in the log")
        if message.get("is_deleted"):
            yield place.recall(talk, f"recall.{name}", at, message=name)
        elif echo:
            yield place.reply(talk, name, at, text=text, **_speaker(message, human_apps))
        else:
            yield place.ask(talk, name, at, customer=who, text=text, rule="no is_echo")
    elif isinstance(postback, dict):
        yield place.ask(talk, postback.get("mid"), at, customer=who, text=postback.get("title"), rule="postback")
    elif isinstance(passed, dict) and str(passed.get("new_owner_app_id")) in human_apps:
        yield place.handoff(talk, None, at)


def _speaker(message: Mapping[str, Any], human_apps: frozenset[str]) -> dict[str, Any]:
    app, told = message.get("app_id"), stamp(message.get("metadata"), "metadata")
    if told is not None and told["mode"] in ("human", "assisted"):
        return told
    if app is None:
        return told or {"rule": "no app_id"}
    if str(app) in human_apps:
        return {"mode": "human", "rule": "app_id∈human_apps"}
    return {"mode": "bot", "bot": f"app:{app}", "rule": "app_id∉human_apps"}
