"""Feishu and Lark: people are known by the directory; what an app sends is seen in its calls."""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sanfen.abc import (
    Answer,
    Direction,
    Event,
    ParseError,
    Place,
    Proof,
    Reply,
    Request,
    VerifyError,
    dig,
    json_object,
)
from sanfen_adapters.ciphers import decrypt_feishu
from sanfen_adapters.signatures import FEISHU, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["FeishuChannel"]

_SENT = re.compile(r"open-apis/im/v1/messages(/[^/]+/reply)?")


class FeishuChannel(SignedChannel):
    """``secret``: the Encrypt Key. ``in``: events. ``out``: calls of the open platform, which knows their tokens."""

    name = "feishu"
    token_in = ("header:authorization=Bearer ",)

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``options``: ``verification_token``, for the challenge and for events that are not signed."""
        super().__init__(shop, channel, secrets, options)
        self._token = str(options.get("verification_token", "")).encode()

    def has_token(self, request: Request) -> bool:
        """Asking for a token needs none."""
        return request.path.startswith("open-apis/auth/") or super().has_token(request)

    def proved(self, request: Request, now_ms: int) -> Proof | None:
        """An event is signed, or carries the verification token. Raises VerifyError."""
        if "x-lark-signature" in request.headers:
            return check(FEISHU, request, self._keys, now_ms)
        try:
            body = self._opened(request)
        except ParseError as error:
            raise VerifyError(error.message, reason="unsigned", hint=error.hint) from None
        offered = dig(body, "header", "token") or body.get("token")
        if not isinstance(offered, str) or not self._token:
            raise VerifyError("not signed", reason="unsigned", hint="set an Encrypt Key, or options.verification_token")
        if not hmac.compare_digest(offered.encode("utf-8", "surrogatepass"), self._token):
            raise VerifyError("the verification token is not ours", reason="mismatch", hint="compare it on both sides")
        return None

    def handshake(self, request: Request, direction: Direction) -> Reply | None:
        """The ``challenge`` of ``url_verification``. Raises ParseError."""
        body = self._opened(request) if direction == "in" else {}
        if body.get("type") != "url_verification":
            return None
        return Reply(json.dumps({"challenge": str(body.get("challenge"))}).encode(), "application/json")

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """The message of an event; calls are told by their answers. Raises ParseError."""
        body, place = self._opened(request) if direction == "in" else {}, self.place(received_ms)
        event, kind = body.get("event"), dig(body, "header", "event_type")
        if kind == "im.message.recalled_v1":
            at, name = dig(event, "recall_time"), dig(body, "header", "event_id")
            return [place.recall(dig(event, "chat_id"), name, at, message=dig(event, "message_id"))]
        return [_message(event, place)] if kind == "im.message.receive_v1" else ()

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Event]:
        """What an app sent, by the id the platform gave it."""
        if direction == "in" or not answer.is_good or request.method != "POST" or not _SENT.fullmatch(request.path):
            return ()
        said = json_object(answer.body)
        data, body = said.get("data"), json_object(request.body)
        if said.get("code", 0) != 0:
            return ()
        talk, bot = dig(data, "chat_id") or body.get("receive_id"), dig(data, "sender", "id")
        where = (talk, dig(data, "message_id"), dig(data, "create_time"))
        text, rule = _text(dig(data, "body", "content") or body.get("content")), "im/v1/messages call"
        return [self.place(received_ms).reply(*where, "bot", bot=bot, text=text, evidence="credential", rule=rule)]

    def _opened(self, request: Request) -> dict[str, Any]:
        """The body, decrypted by whichever key fits. Raises ParseError."""
        body = json_object(request.body)
        sealed = body.get("encrypt")
        if not isinstance(sealed, str):
            return body
        failure = ParseError("the body is encrypted and there is no secret", hint="give the channel its Encrypt Key")
        for secret in self.secrets:
            try:
                return json_object(decrypt_feishu(secret, sealed))
            except ParseError as error:
                failure = error
        raise failure


def _message(event: Any, place: Place) -> Event:
    kind, message = dig(event, "sender", "sender_type"), dig(event, "message")
    where = (dig(message, "chat_id"), dig(message, "message_id"), dig(message, "create_time"))
    who, text, rule = (
        dig(event, "sender", "sender_id", "open_id"),
        _text(dig(message, "content")),
        f"sender_type={str(kind)[:20]}",
    )
    if kind == "app":
        return place.reply(*where, "bot", bot=who, text=text, rule=rule)
    return place.somebody(*where, who, text=text, rule=rule)


def _text(content: Any) -> Any:
    """A text stands in JSON inside the JSON; a post has its title, other kinds have none."""
    if not isinstance(content, str):
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ParseError("content is no JSON", hint="look at the body in the log") from None
    return dig(found, "text") or dig(found, "title")
