"""Matrix, between a homeserver and an application service such as a bridge: its transactions tell both sides of a room."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sanfen.abc import Answer, ConfigError, Direction, Fact, Phrase, Request
from sanfen_adapters.channels.matrix_as.parse import parse, sent
from sanfen_adapters.signatures import MATRIX
from sanfen_adapters.signed import SignedChannel

__all__ = ["MatrixChannel"]


class MatrixChannel(SignedChannel):
    """``in``: the homeserver's transactions, with the ``hs_token``. ``out``: the service's calls of the homeserver."""

    name = "matrix_as"
    scheme = MATRIX
    token_in = ("header:authorization=Bearer ",)

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``options``: ``customers``, the registration's pattern of users; without it the directory tells. Raises ConfigError."""
        super().__init__(shop, channel, secrets, options)
        try:
            self._customers = re.compile(options["customers"]) if options.get("customers") else None
        except re.error as error:
            raise ConfigError(
                Phrase("channels.{channel}: options.customers is no pattern: {error}", channel=channel, error=error),
                hint="copy the regex under namespaces.users of the registration",
            ) from None

    def has_token(self, request: Request) -> bool:
        """A question of the homeserver may go without."""
        return request.method == "GET" or super().has_token(request)

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """The messages of a transaction. A call is told by its answer, which has the event's id."""
        return () if direction == "out" else parse(request, self.place(received_ms), self._customers)

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What a customer said by the service's own call; a transaction tells it again, and the two become one."""
        return sent(request, answer, self.place(received_ms), self._customers) if direction == "out" else ()
