"""Hosts of WeCom accounts (句子互动 and its like): every message comes by a callback, ``source`` says how it was sent."""

import hmac
from collections.abc import Sequence

from sanfen.abc import Direction, Event, ParseError, Proof, Request, VerifyError, dig, json_object
from sanfen_adapters.signed import SignedChannel

__all__ = ["ScrmSourceChannel"]

_MODES = {"0": "human", "1": "human", "2": "broadcast", "3": "auto", "5": "bot", "6": "bot", "7": "auto"}
"""Phone, console by hand, broadcast, auto-reply, another bot, interface, SOP."""


class ScrmSourceChannel(SignedChannel):
    """``secret``: the token that stands in every callback."""

    name = "scrm_source"

    def proved(self, request: Request, now_ms: int) -> Proof | None:  # noqa: ARG002  # a token has no time
        """A callback carries the host's token. Raises VerifyError."""
        try:
            offered = dig(json_object(request.body), "data", "token")
        except ParseError as error:
            raise VerifyError(error.message, reason="unsigned", hint=error.hint) from None
        if not isinstance(offered, str) or not offered:
            raise VerifyError("data.token is missing", reason="unsigned", hint="point the host's message callback here")
        raw = offered.encode("utf-8", "surrogatepass")
        matched = [number for number, key in enumerate(self._keys) if hmac.compare_digest(key, raw)]
        if not matched:
            raise VerifyError("data.token is not ours", reason="mismatch", hint="compare the secrets on both sides")
        return Proof(matched[0])

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """A message. Raises ParseError."""
        data = json_object(request.body).get("data")
        if direction == "out" or not dig(data, "messageId"):
            return ()
        place = self.place(received_ms)
        where, text = (
            (dig(data, "chatId"), dig(data, "messageId"), dig(data, "timestamp")),
            dig(data, "payload", "text"),
        )
        own, source = dig(data, "isSelf"), dig(data, "source")
        rule = f"isSelf={own},source={str(source)[:8]}"
        if not isinstance(own, bool):
            raise ParseError("data.isSelf is neither true nor false", hint="look at the body in the log")
        if not own:
            kind = "merchant" if dig(data, "coworker") is True else "buyer"
            who = dig(data, "externalUserId")
            return [place.ask(*where, customer=who, customer_type=kind, text=text, rule=rule)]
        mode = "unknown" if isinstance(source, bool) else _MODES.get(str(source), "unknown")
        return [place.reply(*where, mode, agent=dig(data, "sendBy"), text=text, rule=rule)]
