"""Desks in the manner of 3chat: ``senderType`` says who, ``isEffectiveReply`` whether an AI's reply went through a person."""

from collections.abc import Mapping, Sequence
from typing import Any

from sanfen.abc import Direction, Event, Proof, Request, dig, json_object
from sanfen_adapters.signatures import SUNCO, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["ThreechatChannel"]

_MODES = {0: "auto", 2: "human", 3: "bot"}


class ThreechatChannel(SignedChannel):
    """``secret``: the token that stands in a header of every callback."""

    name = "threechat"

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``options``: ``header``, where the token stands; ``token`` unless said."""
        super().__init__(shop, channel, secrets, options)
        header = str(options.get("header", "token")).lower()
        self._scheme = SUNCO._replace(name="token", signature=f"header:{header}")

    def proved(self, request: Request, now_ms: int) -> Proof | None:
        """A callback carries the desk's token. Raises VerifyError."""
        return check(self._scheme, request, self._keys, now_ms)

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """A message. Raises ParseError."""
        data = json_object(request.body).get("data")
        kind = dig(data, "senderType")
        if direction == "out" or kind is None:
            return ()
        place = self.place(received_ms)
        where = (dig(data, "conversationId"), dig(data, "id"), dig(data, "sendTime"))
        who, text, rule = dig(data, "senderId"), dig(data, "content"), f"senderType={str(kind)[:8]}"
        if kind == 1:
            return [place.ask(*where, customer=who, text=text, rule=rule)]
        if kind == 3 and dig(data, "isEffectiveReply") is True:
            return [place.reply(*where, "assisted", bot=who, text=text, rule=f"{rule},isEffectiveReply")]
        mode = _MODES.get(kind, "unknown") if isinstance(kind, int) else "unknown"
        speaker = {"bot": who} if mode == "bot" else {"agent": who}
        return [place.reply(*where, mode, text=text, rule=rule, **speaker)]
