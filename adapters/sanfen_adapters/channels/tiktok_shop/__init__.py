"""TikTok Shop: one webhook for both sides of a conversation; ``sender.role`` says who.

The signature (hex HMAC-SHA256 of app key and body, in ``Authorization``), the envelope and the numbers of the kinds are as
in three independent SDKs (easycb-go, Laraditz' and SistemAtc's for PHP) and Hookdeck's description; the roles as in
TikTok's own models. The Partner Center's pages themselves were not to be read.
"""

import json
from collections.abc import Sequence
from typing import Any

from sanfen.abc import (
    Direction,
    Event,
    ParseError,
    Place,
    Proof,
    Request,
    dig,
    json_object,
)
from sanfen_adapters.signatures import TIKTOK_SHOP, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["TiktokShopChannel"]

_MODES = {"SHOP": "human", "CUSTOMER_SERVICE": "human", "SYSTEM": "auto", "ROBOT": "bot"}
_NEW_MESSAGE = (14, 33)  # new message; new message listener, which has those of all sides


class TiktokShopChannel(SignedChannel):
    """``secret``: the app's secret, which signs the app's key and the body.

    ``options``: ``app_key``.
    """

    name = "tiktok_shop"
    token_in = ("header:x-tts-access-token",)

    def proved(self, request: Request, now_ms: int) -> Proof | None:
        """By the app's key and the body. Raises VerifyError."""
        return check(TIKTOK_SHOP, request, self._keys, now_ms, text=str(self.options.get("app_key", "")))

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """A message; what is hidden from the customer is none. Calls are told by the webhook. Raises ParseError."""
        body = json_object(request.body)
        data = body.get("data")
        if direction == "out" or body.get("type") not in _NEW_MESSAGE or dig(data, "is_visible") is False:
            return ()
        return [_message(data, self.place(received_ms))]


def _message(data: Any, place: Place) -> Event:
    role, who = dig(data, "sender", "role"), dig(data, "sender", "im_user_id")
    where = (dig(data, "conversation_id"), dig(data, "message_id"), dig(data, "create_time"))
    rule, text = f"sender.role={str(role)[:40]}", _text(data)
    if role == "BUYER":
        return place.ask(*where, customer=who, text=text, rule=rule)
    mode = _MODES.get(str(role), "unknown")
    speaker = {"bot": who} if mode == "bot" else {"agent": who}
    return place.reply(*where, mode, text=text, rule=rule, **speaker)


def _text(data: Any) -> Any:
    """A text stands in JSON inside the JSON; a picture or a card has none."""
    content = dig(data, "content")
    if dig(data, "type") != "TEXT" or not isinstance(content, str):
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ParseError("data.content is no JSON", hint="look at the body in the log") from None
    return dig(found, "content")
