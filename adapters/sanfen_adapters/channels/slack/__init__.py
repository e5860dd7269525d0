"""Slack: everything said in a channel comes by its events; bots are marked, people are known by the directory."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from sanfen.abc import (
    Answer,
    ChannelAdapter,
    Direction,
    Event,
    Place,
    Reply,
    Request,
    dig,
    fingerprint,
    json_object,
)
from sanfen_adapters.signatures import SLACK
from sanfen_adapters.signed import SignedChannel, bearer

__all__ = ["SlackChannel"]

_FORM = "application/x-www-form-urlencoded"
_SAID = (None, "bot_message", "file_share", "thread_broadcast", "me_message")


class SlackChannel(SignedChannel):
    """``secret``: the app's signing secret. ``in``: the Events API. ``out``: the Web API, which knows its tokens."""

    name = "slack"
    scheme = SLACK
    token_in = ("header:authorization=Bearer ",)
    content_types = ChannelAdapter.content_types | {_FORM, "multipart/form-data"}

    def handshake(self, request: Request, direction: Direction) -> Reply | None:
        """The ``challenge`` of ``url_verification``. Raises ParseError."""
        body = {} if direction == "out" or _is_form(request) else json_object(request.body)
        asked = body.get("type") == "url_verification" and isinstance(body.get("challenge"), str)
        return Reply(body["challenge"].encode("utf-8", "replace")) if asked else None

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """A message; commands and buttons are none. Raises ParseError."""
        if direction == "out" or _is_form(request):
            return ()
        body = json_object(request.body)
        event, place = body.get("event"), self.place(received_ms)
        if dig(event, "type") != "message":
            return ()
        talk, at = dig(event, "channel"), dig(event, "ts")
        if dig(event, "subtype") == "message_deleted":
            return [place.recall(talk, f"recall.{at}", at, message=dig(event, "deleted_ts"))]
        return [_message(event, talk, place, body.get("team_id"))] if dig(event, "subtype") in _SAID else ()

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Event]:
        """What a call sent, and by whose token; the event tells it again, and the two become one."""
        if direction == "in" or request.path != "api/chat.postMessage" or not answer.is_good:
            return ()
        said = json_object(answer.body)
        if said.get("ok", True) is not True:
            return ()
        given = _fields_of(request)
        token = bearer(request)
        message, bot = dig(said, "message"), dig(said, "message", "bot_id")
        where = (said.get("channel") or given.get("channel"), said.get("ts"), said.get("ts"))
        sent: dict[str, Any] = {
            "text": dig(message, "text") or given.get("text"),
            "credential": fingerprint(token),
            "rule": "chat.postMessage",
        }
        who: dict[str, Any] = {"mode": "bot", "bot": f"bot:{bot}"} if bot else {"agent": dig(message, "user")}
        return [self.place(received_ms).reply(*where, **(sent | who))]


def _message(event: Any, talk: Any, place: Place, home: Any) -> Event:
    where, text, user, bot = (
        (talk, dig(event, "ts"), dig(event, "ts")),
        dig(event, "text"),
        dig(event, "user"),
        dig(event, "bot_id"),
    )
    if bot:  # modern bots have a user too
        rule = "bot_id (user also set)" if user else "bot_id"
        return place.reply(*where, "bot", bot=f"bot:{bot}", text=text, rule=rule)
    team = dig(event, "user_team") or dig(event, "team")
    if team and home and team != home:  # Slack Connect: the other company is the customer
        return place.ask(*where, customer=user, text=text, rule="user_team")
    return place.somebody(*where, user, text=text, rule="user, no bot_id")


def _fields_of(request: Request) -> dict[str, Any]:
    """The fields of a call, as JSON or as a form. Raises ParseError."""
    if request.headers.get("content-type", "").startswith(_FORM):
        return dict(parse_qsl(request.body.decode("utf-8", "replace")))
    return {} if _is_form(request) else json_object(request.body)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith((_FORM, "multipart/"))
