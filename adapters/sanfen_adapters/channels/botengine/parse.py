"""What is asked of a bot and what it answers, as events: four dialects, told apart by their fields. Pure.

A bot's answer is always a bot's: ``bots: {NAME: {mode: assisted}}`` in the configuration says that people send its drafts.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from sanfen.abc import Alias, Answer, Event, Fact, ParseError, Place, Request, dig, json_object, strict_json

__all__ = ["Streamed", "answers", "asked", "said"]

_ACTIVITIES = re.compile(r"(?:^|/)v3/conversations/([^/]+)/activities(?:/|$)")
_LONGEST_LINE = 1 << 20
_LONGEST_TEXT = 1 << 16  # characters of a stream's answer that are kept
_ENDINGS = ("message_end", "error", "workflow_finished")


def asked(request: Request, place: Place) -> Sequence[Fact]:
    """What the workflow, or the channel, asks the bot. Raises ParseError."""
    body = json_object(request.body)
    if "sender" in body and "message" in body:  # Rasa
        who = body["sender"]
        return [place.ask(who, None, None, customer=who, text=body["message"], rule=f"POST /{request.path[:80]}")]
    if "query" in body and "user" in body:  # Dify
        talk = body.get("conversation_id") or body["user"]
        return [
            place.ask(talk, None, None, customer=body["user"], text=body["query"], rule=f"POST /{request.path[:80]}")
        ]
    if "type" in body and isinstance(body.get("conversation"), dict):
        return _activity(body, place)
    if "conversationId" in body and "userId" in body:  # Botpress
        text = body.get("text") or dig(body, "payload", "text")
        where = (body["conversationId"], body.get("messageId"), body.get("timestamp"))
        return [place.ask(*where, customer=body["userId"], text=text, rule="Messaging API request")]
    return ()


def said(request: Request, place: Place, bot: str | None) -> Sequence[Event]:
    """What the bot says by a call of its own. Raises ParseError."""
    body = json_object(request.body)
    if "recipient_id" in body:
        return [_rasa(body, place, bot, "callback channel")]
    if "conversationId" in body and ("payload" in body or "text" in body):
        text = dig(body, "payload", "text") or body.get("text")
        where = (body["conversationId"], body.get("botpressMessageId"), None)
        return [place.reply(*where, "bot", text=text, bot=bot, rule="Messaging API response endpoint")]
    return ()


def answers(request: Request, answer: Answer, place: Place, bot: str | None, *, out: bool) -> Sequence[Fact]:
    """What a whole answer says: the bot's words, or the id of what a bot sent. Raises ParseError."""
    if not answer.is_good or not (answer.body or out):
        return ()
    body = strict_json(answer.body) if answer.body else {}
    if out:
        return _sent(request, body, place, bot)
    if isinstance(body, list):
        return [_rasa(one, place, bot, "HTTP response of the bot") for one in body if isinstance(one, dict)]
    if isinstance(body, dict) and "answer" in body:
        name, at = body.get("message_id"), body.get("created_at")
        return _answer(request, place, body.get("conversation_id"), (name, at, body["answer"], bot))
    if isinstance(body, dict) and isinstance(body.get("activities"), list):
        talk = dig(json_object(request.body), "conversation", "id")
        return [
            place.reply(
                talk, one.get("id"), one.get("timestamp"), "bot", text=one.get("text"), bot=bot, rule="expectReplies"
            )
            for one in body["activities"]
            if dig(one, "type") == "message"
        ]
    return ()


class Streamed:
    """Dify's answer as it is written: one message, as of its first token, told when it ends."""

    def __init__(self, request: Request, place: Place, bot: str | None) -> None:
        self._request = request
        self._place = place
        self._bot = bot
        self._left = b""
        self._first_ms: int | None = None
        self._text = ""
        self._ids: tuple[Any, Any] = (None, None)
        self._told = False

    def feed(self, chunk: bytes, received_ms: int) -> Sequence[Fact]:
        """The next bytes. Raises ParseError."""
        *lines, self._left = (self._left + chunk).split(b"\n")
        if len(self._left) > _LONGEST_LINE:
            raise ParseError("a line of the stream is over 1 MiB", hint="is this a stream of Dify's?")
        out: list[Fact] = []
        for line in lines:
            if line.startswith(b"data:"):
                out += self._event(json_object(line[5:].strip()), received_ms)
        return out

    def end(self, received_ms: int) -> Sequence[Fact]:  # noqa: ARG002  # the first token has the time
        """There is no more, whether or not the bot came to its end."""
        if self._told or self._first_ms is None:
            return ()
        self._told = True
        name, talk = self._ids
        return _answer(self._request, self._place, talk, (name, self._first_ms, self._text, self._bot))

    def _event(self, event: Mapping[str, Any], received_ms: int) -> Sequence[Fact]:
        kind, text = event.get("event"), event.get("answer")
        if kind in ("message", "agent_message", "message_replace") and isinstance(text, str) and text:
            if self._first_ms is None:
                self._first_ms = received_ms
                self._ids = (event.get("message_id"), event.get("conversation_id"))
            self._text = (text if kind == "message_replace" else self._text + text)[:_LONGEST_TEXT]
        return self.end(received_ms) if kind in _ENDINGS else ()


def _answer(request: Request, place: Place, talk: Any, told: tuple[Any, Any, Any, str | None]) -> Sequence[Fact]:
    """A message of Dify's, and that its new conversation is the one asked in."""
    name, at, text, bot = told
    body = json_object(request.body)
    before = body.get("conversation_id") or body.get("user")
    out: list[Fact] = [Alias(str(talk), str(before))] if talk and before and talk != before else []
    out.append(place.reply(talk or before, name, at, "bot", text=text, bot=bot, rule="answer"))
    return out


def _rasa(body: Mapping[str, Any], place: Place, bot: str | None, rule: str) -> Event:
    return place.reply(body.get("recipient_id"), None, None, "bot", text=body.get("text"), bot=bot, rule=rule)


def _activity(body: Mapping[str, Any], place: Place) -> Sequence[Event]:
    """An activity on its way to a bot of the Bot Framework."""
    talk, name, at = dig(body, "conversation", "id"), body.get("id"), body.get("timestamp")
    match body.get("type"):
        case "message":
            who = dig(body, "from", "id")
            return [place.ask(talk, name, at, customer=who, text=body.get("text"), rule="channel→bot activity")]
        case "event" if body.get("name") == "handoff.initiate":
            return [place.handoff(talk, name, at)]
        case "endOfConversation":
            return [place.close(talk, name, at)]
        case _:
            return ()


def _sent(request: Request, answer: Any, place: Place, bot: str | None) -> Sequence[Event]:
    """An activity that a bot sent to the channel, by the id the channel gave it."""
    found = _ACTIVITIES.search(request.path)
    if request.method != "POST" or found is None:
        return ()
    body = json_object(request.body)
    talk, name = unquote(found[1]), dig(answer, "id")
    if body.get("type") == "event" and body.get("name") == "handoff.initiate":
        return [place.handoff(talk, name, None)]
    if body.get("type") != "message":
        return ()
    return [place.reply(talk, name, None, "bot", text=body.get("text"), bot=bot, rule="bot→channel activity")]
