"""Twilio: messages come as forms; an answer may be the HTTP answer (TwiML) or a call; Conversations name their author.

``Source`` of a conversation's message says by what way it came: ``SDK`` from a client, ``API`` from a server, ``SMS`` and
``WHATSAPP`` from a customer's phone. Twilio documents the field without its values; these are from recorded deliveries.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from sanfen.abc import Answer, ChannelAdapter, Direction, Event, Proof, Request, fingerprint, json_object
from sanfen_adapters.ciphers import xml_root
from sanfen_adapters.signatures import TWILIO, TWILIO_SHA256, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["TwilioChannel"]

_FORM = "application/x-www-form-urlencoded"
_SMS = re.compile(r"2010-04-01/Accounts/[^/]+/Messages\.json")
_ADDRESS = re.compile(r"\+|[a-z]+:")  # a number, whatsapp:+…, messenger:…: somebody from outside
_TALK = re.compile(r"v1/(?:Services/[^/]+/)?Conversations/([^/]+)/Messages")


class TwilioChannel(SignedChannel):
    """``secret``: the auth token, which signs the address too. ``out``: calls of the API, which knows its tokens."""

    name = "twilio"
    token_in = ("header:authorization=Basic ",)
    content_types = ChannelAdapter.content_types | {_FORM}

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``options``: ``url``, the channel's address as Twilio calls it: https://hooks.example.com/in/NAME."""
        super().__init__(shop, channel, secrets, options)
        self._url = str(options.get("url", "")).rstrip("/")

    def proved(self, request: Request, now_ms: int) -> Proof | None:
        """By the address as Twilio knows it, and the form. Raises VerifyError."""
        settings = request.headers.get("x-twilio-webhooks-signature-settings", "")
        scheme = TWILIO_SHA256 if "HMAC_SHA256" in settings else TWILIO
        url = self._url + (f"/{request.path}" if request.path else "") + (f"?{request.query}" if request.query else "")
        return check(scheme, request, self._keys, now_ms, url=url)

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """A message, or what became of a conversation; calls are told by their answers. Raises ParseError."""
        form, place = _form(request) if direction == "in" else {}, self.place(received_ms)
        talk, name, text = form.get("ConversationSid"), form.get("MessageSid"), form.get("Body")
        match form.get("EventType"):
            case "onMessageAdded":
                who, source, at = form.get("Author", ""), form.get("Source", ""), form.get("DateCreated")
                rule = f"Author, Source={source[:20]}"
                if source == "API":
                    return [place.reply(talk, name, at, agent=who, text=text, rule=rule)]
                if source == "SDK" or (not source and not _ADDRESS.match(who)):
                    return [place.somebody(talk, name, at, who, text=text, rule=rule)]
                return [place.ask(talk, name, at, customer=who, text=text, rule=rule)]
            case "onMessageRemoved":
                return [place.recall(talk, f"recall.{name}", form.get("DateRemoved"), message=name)]
            case "onConversationStateUpdated" if form.get("StateTo") == "closed":
                return [place.close(talk, None, form.get("DateUpdated"))]
            case None if name and form.get("From") and "MessageStatus" not in form:
                return [place.ask(_pair(form), name, None, customer=form["From"], text=text, rule="From")]
            case _:
                return ()

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Event]:
        """What a TwiML answer says, automatically; or what a call sent, and by whose account."""
        place = self.place(received_ms)
        if direction == "in":
            form, said = _form(request), answer.body if answer.is_good else b""
            messages = xml_root(said).iter("Message") if b"<Message" in said and form.get("MessageSid") else ()
            words = [one.findtext("Body") or one.text for one in messages]
            return [place.reply(_pair(form), None, None, "auto", text=text, rule="TwiML") for text in words]
        found = _TALK.fullmatch(request.path)
        if not answer.is_good or request.method != "POST" or not (found or _SMS.fullmatch(request.path)):
            return ()
        given = {name.lower(): value for name, value in _form(request).items()}
        said_ = given | json_object(answer.body)
        talk = found[1] if found else f"{said_.get('to')}|{said_.get('from')}"
        told: dict[str, Any] = {
            "text": said_.get("body"),
            "credential": fingerprint(request.headers.get("authorization", "")),
        }
        who = said_.get("author") if found else None
        return [place.reply(talk, said_.get("sid"), None, agent=who, rule="Messages call", **told)]


def _pair(form: Mapping[str, str]) -> str:
    return f"{form.get('From')}|{form.get('To')}"


def _form(request: Request) -> dict[str, str]:
    if request.method == "GET":  # a webhook may be set to it
        return dict(parse_qsl(request.query, keep_blank_values=True))
    if request.headers.get("content-type", "").partition(";")[0].strip() != _FORM:
        return {}
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
