"""What a step does at the channel itself: give the conversation to an agent, leave its holder a private note."""

from collections.abc import Mapping

from sanfen.abc import Action, Answer, Call, ChannelAdapter, DeliveryError
from sanfen.calls import Calls
from sanfen.errors import Phrase
from sanfen.outbound import Guard

__all__ = ["Acting"]


class Acting:
    """Carries actions to the channels' own APIs."""

    def __init__(self, adapters: Mapping[str, ChannelAdapter], guard: Guard | None = None) -> None:
        self._calls = Calls(guard)
        self._adapters = adapters

    def adopt(self, adapters: Mapping[str, ChannelAdapter], guard: Guard) -> None:
        """Go over to other channels."""
        self._adapters, self._calls.guard = adapters, guard

    async def act(self, channel: str, action: Action) -> str:
        """Do it, and return the channel's answer in a few words. Raises DeliveryError."""
        adapter = self._adapters.get(channel)
        call = adapter.act(action) if adapter is not None else None
        if call is None:
            word = Phrase(
                "channel {channel} has no way to {kind}: its adapter or its options give none",
                channel=channel,
                kind=action.kind,
            )
            raise DeliveryError(word, reason="channel_cannot", retryable=False)
        answer = await self._calls.send(call)
        said = _judge(call, answer)
        refused = adapter.refusal(answer) if adapter is not None else None
        if refused is not None:
            raise DeliveryError(refused, reason="channel_refused", retryable=False)
        return said

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()


def _judge(call: Call, answer: Answer) -> str:
    status, said = answer.status, answer.body.decode("utf-8", "replace")
    words = f"{status} {' '.join(said.split())[:160]}".strip()
    if answer.is_good:
        return words
    raise DeliveryError(
        Phrase("{method} {words}", method=call.method, words=words),
        reason=f"http_{status}",
        retryable=status == 429 or status >= 500,
    )
