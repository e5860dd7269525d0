"""How often a text was said lately: what is said word for word all day, nobody types.

Counted on a channel, in the 24 hours up to a message, itself among them. The running service counts in its log
(``store.said``), a replay here: the same log gives both the same numbers.
"""

from collections import deque
from collections.abc import Iterable
from hashlib import blake2b

from sanfen.core.classify import Rule
from sanfen.core.events import Message

__all__ = ["SPAN_MS", "Repeats", "mark", "most"]

SPAN_MS = 86_400_000
_SHORTEST = 6  # characters: a short word is said often by people too
_SWEEP = 5_000  # messages between looks for texts that nobody said any more


def most(rules: Iterable[Rule]) -> int:
    """How far any rule wants it counted; 0: none asks."""
    return max((rule.repeats for rule in rules if rule.repeats is not None), default=0)


def mark(message: Message) -> bytes | None:
    """By what its text is known again; None for what is too short to tell anything."""
    text = message.text
    if text is None or len(text) < _SHORTEST:
        return None
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


class Repeats:
    """Counts the merchant's texts as they go by, as far as the rules ask."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._most = most(rules)
        self._said: dict[tuple[str, bytes], deque[int]] = {}
        self._counted = 0

    def count(self, message: Message) -> int:
        """How often the text of a message was said; 0 where nobody asks."""
        said = mark(message) if self._most else None
        if said is None:
            return 0
        times = self._said.setdefault((message.key.channel, said), deque(maxlen=self._most))
        times.append(message.at_ms)
        self._counted += 1
        if self._counted % _SWEEP == 0:
            since_ms = message.at_ms - SPAN_MS
            self._said = {name: one for name, one in self._said.items() if max(one) > since_ms}
        return sum(at_ms > message.at_ms - SPAN_MS for at_ms in times)
