"""The generic channel: Standard Webhooks signatures around CloudEvents, Standard Webhooks or our own events."""

from collections.abc import Sequence

from sanfen.abc import Direction, Event, Proof, Request
from sanfen_adapters.channels.generic.parse import parse
from sanfen_adapters.signatures import STANDARD_WEBHOOKS, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["GenericChannel"]


class GenericChannel(SignedChannel):
    """Signed the same way in both directions."""

    name = "generic"

    def verify(self, request: Request, direction: Direction, now_ms: int) -> Proof | None:  # noqa: ARG002  # both ways alike
        """Return if a secret signed it at most 300 s ago, or if the operator wrote ``signing: none``."""
        return check(STANDARD_WEBHOOKS, request, self._keys, now_ms) if self._signed else None

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """The events of a body, by its shape. Raises ParseError."""
        return parse(request, direction, received_ms, shop=self.shop, channel=self.channel)
