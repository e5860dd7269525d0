"""What channels with secrets have in common."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs

from sanfen.abc import ChannelAdapter, Direction, Phrase, Proof, Request, VerifyError
from sanfen_adapters.signatures import Scheme, check, keys

__all__ = ["SignedChannel", "bearer"]


class SignedChannel(ChannelAdapter):
    """A channel whose secrets are keys. ``signing: none`` among the options: the operator wants no proof."""

    scheme: ClassVar[Scheme]
    """How a delivery is signed."""
    token_in: ClassVar[tuple[str, ...]] = ()
    """Where a call has its token: ``header:NAME``, ``header:NAME=BEGINNING`` or ``query:NAME``. None: nothing goes out by us."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.judges_calls = cls.judges_calls or bool(cls.token_in)

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """Raises ConfigError if a secret cannot be a key."""
        super().__init__(shop, channel, secrets, options)
        self._keys = keys(self.secrets, channel)
        self._signed = options.get("signing", "required") != "none"

    def verify(self, request: Request, direction: Direction, now_ms: int) -> Proof | None:
        """A delivery is signed; a call carries a token, which the channel itself judges. Raises VerifyError."""
        if direction == "in":
            return self.proved(request, now_ms) if self._signed else None
        if not self.token_in:
            hint = Phrase("call {channel} itself: its webhook tells both sides", channel=self.name)
            raise VerifyError("nothing of this channel goes out through here", reason="unsigned", hint=hint)
        if not self.has_token(request):
            places = ", ".join(one.partition("=")[0].replace(":", " ") for one in self.token_in)
            hint = Phrase(
                "send the call as {channel} wants it, its token in: {places}", channel=self.name, places=places
            )
            raise VerifyError("the call has no access token", reason="unsigned", hint=hint)
        return None

    def proved(self, request: Request, now_ms: int) -> Proof | None:
        """Which secret signed a delivery. Raises VerifyError."""
        return check(self.scheme, request, self._keys, now_ms)

    def has_token(self, request: Request) -> bool:
        """Whether a call has a token where this channel's have it."""
        query = parse_qs(request.query) if request.query else {}
        for place in self.token_in:
            kind, _, rest = place.partition(":")
            name, _, beginning = rest.partition("=")
            found = request.headers.get(name, "") if kind == "header" else query.get(name, [""])[0]
            if found and found.startswith(beginning):
                return True
        return False


def bearer(request: Request) -> str:
    """The token of an ``Authorization: Bearer`` header; empty without one."""
    return request.headers.get("authorization", "").removeprefix("Bearer ")
