"""Matrix, between a homeserver and an application service such as a bridge: its transactions tell both sides of a room."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sanfen.abc import Answer, ConfigError, Direction, Fact, Proof, Request, VerifyError
from sanfen_adapters.channels.matrix_as.parse import parse, sent
from sanfen_adapters.signatures import MATRIX, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["MatrixChannel"]


class MatrixChannel(SignedChannel):
    """``in``: the homeserver's transactions, with the ``hs_token``. ``out``: the service's calls of the homeserver."""

    name = "matrix_as"

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``options``: ``customers``, the registration's pattern of users; without it the directory tells. Raises ConfigError."""
        super().__init__(shop, channel, secrets, options)
        try:
            self._customers = re.compile(options["customers"]) if options.get("customers") else None
        except re.error as error:
            raise ConfigError(
                f"channels.{channel}: options.customers is no pattern: {error}",
                hint="copy the regex under namespaces.users of the registration",
            ) from None

    def verify(self, request: Request, direction: Direction, now_ms: int) -> Proof | None:
        """A transaction carries the ``hs_token``; a call a token that the homeserver itself judges. Raises VerifyError."""
        if direction == "in":
            return check(MATRIX, request, self._keys, now_ms) if self._signed else None
        if request.method == "GET" or request.headers.get("authorization", "").startswith("Bearer "):
            return None
        raise VerifyError("no access token", reason="unsigned", hint="send Authorization: Bearer as_token")

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """The messages of a transaction. A call is told by its answer, which has the event's id."""
        return () if direction == "out" else parse(request, self.place(received_ms), self._customers)

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What a customer said by the service's own call; a transaction tells it again, and the two become one."""
        return sent(request, answer, self.place(received_ms), self._customers) if direction == "out" else ()
