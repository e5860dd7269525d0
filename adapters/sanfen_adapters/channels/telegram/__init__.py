"""Telegram: a bot by webhook or by polling, only its addresses changed, and Telegram Business."""

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sanfen.abc import Answer, ChannelAdapter, Direction, Fact, Here, Proof, Request, VerifyError, json_object
from sanfen_adapters.channels.telegram.parse import CALL, replied, sent, update
from sanfen_adapters.signatures import TELEGRAM, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["TelegramChannel"]

_URL = re.compile(rb'(name="?url"?(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n)(.*?)(\r\n--)', re.DOTALL)
_TOKEN = re.compile(r"(bot[0-9]{1,20})(?::|%3A)[^/]*", re.IGNORECASE)
_FORM = "application/x-www-form-urlencoded"


class TelegramChannel(SignedChannel):
    """``in``: the webhook, with its secret token. ``out``: calls of the Bot API, whose token Telegram judges."""

    name = "telegram"
    judges_calls = True
    content_types = ChannelAdapter.content_types | {_FORM, "multipart/form-data"}

    def verify(self, request: Request, direction: Direction, now_ms: int) -> Proof | None:
        """The webhook's secret token; a call names its bot's token in its path. Raises VerifyError."""
        if direction == "in":
            return check(TELEGRAM, request, self._keys, now_ms) if self._signed else None
        if self._signed and CALL.fullmatch(request.path) is None:
            raise VerifyError("no bot token in the path", reason="unsigned", hint="call /out/NAME/bot<token>/method")
        return None

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """The events of an update. A call is told by its answer."""
        return () if direction == "out" else update(json_object(request.body), self.place(received_ms))

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What a call sent or fetched; or the method call in a bot's answer to its webhook. Raises ParseError."""
        place = self.place(received_ms)
        return sent(request, answer, place) if direction == "out" else replied(answer, place)

    def shown(self, path: str) -> str:
        """Without the bot's token."""
        return _TOKEN.sub(r"\1:…", path)

    def rewrite(self, request: Request, direction: Direction, here: Here) -> Request | None:
        """SetWebhook gets our address, with the path of the bot's own, which the request is passed on under."""
        found = CALL.fullmatch(request.path)
        if direction == "in" or found is None or found[3].lower() != "setwebhook":
            return None
        query = request.query
        if "url=" in query:
            query = urlencode(_ours(dict(parse_qsl(query, keep_blank_values=True)), here))
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        body = request.body
        if kind == "multipart/form-data":
            body = _URL.sub(lambda m: m[1] + _address(m[2].decode("utf-8", "replace"), here).encode() + m[3], body)
        elif kind == _FORM:
            body = urlencode(
                _ours(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)), here)
            ).encode()
        elif body:
            body = json.dumps(_ours(json_object(body), here)).encode()
        return request._replace(query=query, body=body)


def _ours(fields: dict[str, Any], here: Here) -> dict[str, Any]:
    return fields | {"url": _address(str(fields["url"]), here)} if fields.get("url") else fields


def _address(url: str, here: Here) -> str:
    """Ours, for a bot's; an empty one takes the webhook away, and stays empty."""
    if not url.strip():
        return url
    parts = urlsplit(url)
    return here.inward + parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
