"""How often a text was said lately: what is said word for word all day, nobody types. For the writer thread only.

In memory: after a restart counting begins anew, so a text is rather taken for a person's than for a machine's.
"""

from collections import OrderedDict, deque

from sanfen.core.classify import Rule
from sanfen.core.events import Message

__all__ = ["Repeats"]

_SPAN_MS = 86_400_000
_SHORTEST = 6  # characters: a short word is said often by people too
_MOST = 5_000  # texts; the one not said for longest is forgotten


class Repeats:
    """Counts the merchant's texts, as far as a rule asks."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._said: OrderedDict[tuple[str, int], deque[int]] = OrderedDict()
        self.adopt(rules)

    def adopt(self, rules: tuple[Rule, ...]) -> None:
        """Count as far as these rules ask."""
        self._most = max((rule.repeats for rule in rules if rule.repeats is not None), default=0)
        self._said.clear()

    def count(self, message: Message) -> int:
        """How often its text was said on its channel in the 24 hours up to it, this time among them."""
        text = message.text
        if not self._most or text is None or len(text) < _SHORTEST:
            return 0
        name = (message.key.channel, hash(text))
        times = self._said.setdefault(name, deque(maxlen=self._most))
        self._said.move_to_end(name)
        times.append(message.at_ms)
        while len(self._said) > _MOST:
            self._said.popitem(last=False)
        return sum(at_ms > message.at_ms - _SPAN_MS for at_ms in times)
