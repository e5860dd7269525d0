"""Sessions of browsers: a cookie that carries who, until when and a signature made with the token it was given for.

Nothing is kept here for a session that lives: it holds over a restart and on a standby, and it ends with its token. Only
those that were logged out are remembered, until they would have ended by themselves.
"""

import hashlib
import hmac
import secrets
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from sanfen.config.settings import Token

__all__ = ["Attempts", "Session", "Sessions"]

_LONGEST = 200
_MOST_SENDERS = 2_000


class Session(NamedTuple):
    """A browser that has shown a token. ``csrf``: what its pages must send back with each act."""

    token: Token
    id: str
    until_ms: int
    csrf: str


class Sessions:
    """Makes and reads the cookies."""

    def __init__(self) -> None:
        self._ended: dict[str, int] = {}  # id: when it would have ended by itself

    def begin(self, token: Token, until_ms: int) -> str:
        """The value of a new cookie."""
        facts = f"{secrets.token_urlsafe(16)}.{until_ms:x}"
        return f"{facts}.{_sign(token, facts)}"

    def read(self, value: str, tokens: Iterable[Token], now_ms: int) -> Session | None:
        """Whose cookie it is; None: forged, over, logged out, or its token is none any more."""
        facts, _, signature = value.rpartition(".")
        name, _, until = facts.partition(".")
        found: Session | None = None
        if len(value) > _LONGEST or not value.isascii() or name in self._ended:
            return None
        for token in tokens:  # no early end
            if hmac.compare_digest(signature, _sign(token, facts)):
                found = Session(token, name, int(until, 16), _sign(token, f"csrf.{facts}"))
        return found if found is not None and now_ms < found.until_ms else None

    def end(self, session: Session, now_ms: int) -> None:
        """Log it out."""
        self._ended = {name: until_ms for name, until_ms in self._ended.items() if until_ms > now_ms}
        self._ended[session.id] = session.until_ms


class Attempts:
    """At most so many wrong tokens of one sender in a while; then none is looked at until the while is over."""

    def __init__(self, most: int = 10, while_ms: int = 300_000) -> None:
        self._most = most
        self._while_ms = while_ms
        self._wrong: dict[str, deque[int]] = {}

    def waits_ms(self, sender: str, now_ms: int) -> int:
        """How long a sender must wait; 0: not at all."""
        wrong = self._wrong.get(sender)
        while wrong and not 0 <= now_ms - wrong[0] < self._while_ms:
            wrong.popleft()
        return 0 if not wrong or len(wrong) < self._most else wrong[0] + self._while_ms - now_ms

    def note(self, sender: str, now_ms: int) -> None:
        """Another wrong one."""
        if sender not in self._wrong and len(self._wrong) >= _MOST_SENDERS:
            del self._wrong[next(iter(self._wrong))]
        self._wrong.setdefault(sender, deque(maxlen=self._most)).append(now_ms)


def _sign(token: Token, facts: str) -> str:
    key = hashlib.sha256(b"sanfen session\0" + token.reveal().encode()).digest()
    return hmac.new(key, facts.encode(), hashlib.sha256).hexdigest()
