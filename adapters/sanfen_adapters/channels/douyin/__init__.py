"""Douyin: the open platform's webhooks tell both sides; mini-games tell the customer's.

As the open platform documents ``im_receive_msg`` and ``im_send_msg`` (developer.open-douyin.com, private-msg-webhook):
``content.source`` of what the shop sent is empty where it was typed in the app, and else the key of the app that called the
interface; older deliveries have no ``source``. Times have 13 digits. What is taken back names no conversation.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sanfen.abc import (
    Direction,
    Event,
    ParseError,
    Proof,
    Reply,
    Request,
    dig,
    fingerprint,
    json_object,
)
from sanfen_adapters.signatures import DOUYIN, DOUYIN_MINIGAME, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["DouyinChannel"]


class DouyinChannel(SignedChannel):
    """``secret``: the client secret of the open platform, or the token of the mini-game's push."""

    name = "douyin"

    def proved(self, request: Request, now_ms: int) -> Proof | None:
        """By the header, or in the query of a mini-game's push. Raises VerifyError."""
        return check(DOUYIN_MINIGAME if "signature=" in request.query else DOUYIN, request, self._keys, now_ms)

    def handshake(self, request: Request, direction: Direction) -> Reply | None:
        """The ``challenge`` of ``verify_webhook``. Raises ParseError."""
        body = json_object(request.body) if direction == "in" else {}
        if body.get("event") != "verify_webhook":
            return None
        challenge = dig(_content(body), "challenge")
        return Reply(json.dumps({"challenge": challenge}).encode(), "application/json")

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """A message. Raises ParseError."""
        body, place = json_object(request.body) if direction == "in" else {}, self.place(received_ms)
        event, who = body.get("event"), body.get("from_user_id")
        if event in ("im_receive_msg", "im_send_msg"):
            said, rule = _content(body), f"event={event}"
            where = (said.get("conversation_short_id"), said.get("server_message_id"), said.get("create_time"))
            if event == "im_receive_msg":
                return [place.ask(*where, customer=who, text=said.get("text"), rule=rule)]
            source = said.get("source")
            if source == "":
                return [place.reply(*where, "human", agent=who, text=said.get("text"), rule=f"{rule},source is empty")]
            token = fingerprint(str(source or body.get("client_key")))  # whose app it is can be told, not who used it
            return [place.reply(*where, agent=who, text=said.get("text"), credential=token, rule=rule)]
        if event is None and body.get("msg_id") and body.get("open_id"):
            where = (body.get("conversation_id"), body["msg_id"], body.get("create_time"))
            text = _words(body["content"]) if body.get("msg_type") == "text" and "content" in body else None
            return [place.ask(*where, customer=body["open_id"], text=text, rule="push")]
        return ()


def _words(content: Any) -> Any:
    """A mini-game's text: the platform's examples have it bare, and inside JSON."""
    try:
        found = json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        return content
    return dig(found, "text") if isinstance(found, dict) else content


def _content(body: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in JSON inside the JSON; ids exceed what a float holds, and stay whole. Raises ParseError."""
    content = body.get("content")
    if isinstance(content, dict):
        return content
    try:
        found = json.loads(content) if isinstance(content, str) and content else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ParseError("content is no JSON object", hint="look at the body in the log")
    return found
