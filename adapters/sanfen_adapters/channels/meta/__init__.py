"""Meta's three messengers: one webhook, one signature, two shapes of body."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from sanfen.abc import Answer, Direction, Fact, Proof, Reply, Request, VerifyError, json_object
from sanfen_adapters.channels.meta import messenger, whatsapp
from sanfen_adapters.signatures import HUB_SHA256, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["MetaChannel"]


class MetaChannel(SignedChannel):
    """``secret``: the app's secret. ``in``: webhooks. ``out``: calls of the Graph API, which knows their tokens."""

    name = "meta"
    token_in = ("header:authorization=Bearer ", "query:access_token")

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``options``: ``verify_token``; ``human_apps``, the apps people type in; ``page``, for calls of ``me/messages``."""
        super().__init__(shop, channel, secrets, options)
        self._challenge = str(options.get("verify_token", ""))
        self._human_apps = frozenset(self.texts("human_apps") or messenger.INBOXES)
        self._page = str(options["page"]) if options.get("page") else None

    def proved(self, request: Request, now_ms: int) -> Proof | None:
        """Webhooks are signed; the challenge carries our own word. Raises VerifyError."""
        if request.method != "GET":
            return check(HUB_SHA256, request, self._keys, now_ms)
        if self.options.get("handshake") == "forward":
            return None
        offered = parse_qs(request.query).get("hub.verify_token", [""])[0].encode("utf-8", "surrogateescape")
        if self._challenge and hmac.compare_digest(offered, self._challenge.encode()):
            return None
        hint = "give options.verify_token what Meta was given"
        raise VerifyError("hub.verify_token is not ours", reason="mismatch", hint=hint)

    def handshake(self, request: Request, direction: Direction) -> Reply | None:
        """The bare ``hub.challenge``."""
        challenge = parse_qs(request.query).get("hub.challenge")
        asked = direction == "in" and request.method == "GET"
        return Reply(challenge[0].encode("utf-8", "replace")) if asked and challenge else None

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """The facts of a webhook; calls are told by their answers. Raises ParseError."""
        if direction == "out":
            return ()
        body, place = json_object(request.body), self.place(received_ms)
        if body.get("object") == "whatsapp_business_account":
            return whatsapp.changes(body, place)
        return messenger.messaging(body, place, self._human_apps) if body.get("object") in ("page", "instagram") else ()

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What a call sent."""
        posted = direction == "out" and request.method == "POST" and request.path.endswith("/messages")
        if not posted or not answer.is_good or request.path.count("/") not in (1, 2):
            return ()
        place = self.place(received_ms)
        if json_object(request.body).get("messaging_product") == "whatsapp":
            return whatsapp.sent(request, answer, place)
        return messenger.sent(request, answer, place, self._page)
