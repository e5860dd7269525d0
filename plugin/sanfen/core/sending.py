"""A platform's limit on sending: free replies for so long after the customer's last message, templates only after that."""

from sanfen.core.events import Event, Key, Message, Sender

__all__ = ["SendingLimit"]


class SendingLimit:
    """Counts the merchant's messages inside and outside the limit. Events in order of time."""

    def __init__(self, after_ms: int) -> None:
        self.after_ms = after_ms
        self.inside = self.outside = 0
        self._asked: dict[Key, int] = {}

    def feed(self, event: Event) -> int | None:
        """Until when a free reply may be sent in the event's conversation, epoch milliseconds; None: not at all."""
        if isinstance(event, Message) and event.sender == Sender.customer:
            self._asked[event.key] = event.at_ms
        until_ms = self.free_until(event.key)
        if isinstance(event, Message) and event.sender == Sender.merchant:
            free = until_ms is not None and event.at_ms < until_ms
            self.inside += free
            self.outside += not free
        return until_ms

    def free_until(self, key: Key) -> int | None:
        """Until when a free reply may be sent in a conversation; None if its customer never wrote."""
        asked_ms = self._asked.get(key)
        return None if asked_ms is None else asked_ms + self.after_ms
