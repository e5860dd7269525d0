"""Zendesk messaging: webhooks of Sunshine Conversations tell both sides; the author and the source say who."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sanfen.abc import (
    Answer,
    Direction,
    Event,
    Fact,
    Message,
    Place,
    Request,
    dig,
    each,
    fingerprint,
    json_object,
    listed,
)
from sanfen_adapters.signatures import SUNCO
from sanfen_adapters.signed import SignedChannel

__all__ = ["ZendeskSuncoChannel"]

_DESK, _ANSWER_BOT = "zd:agentWorkspace", "zd:answerBot"
"""``source.type`` of what people type in the agent workspace, and of Zendesk's own bot; also a switchboard's ``integrationType``."""


class ZendeskSuncoChannel(SignedChannel):
    """``secret``: the webhook's. ``in``: webhooks. ``out``: calls of the API."""

    name = "zendesk_sunco"
    scheme = SUNCO
    token_in = ("header:authorization=Basic ", "header:authorization=Bearer ")

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``options``: ``human_sources``, the ``source.type`` of where people type; ``people``: integrations they answer in."""
        super().__init__(shop, channel, secrets, options)
        self._sources = frozenset(self.texts("human_sources") or (_DESK,))
        self._people = frozenset(self.texts("people"))

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """The events of a webhook; calls are told by their answers. Raises ParseError."""
        place = self.place(received_ms)
        events = listed(json_object(request.body), "events") if direction == "in" else ()
        return each(events, lambda one: self._event(one, place))

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Event]:
        """What a call sent, and by whose token; the webhook tells it again, and the two become one."""
        names = request.path.split("/")
        if direction == "in" or request.method != "POST" or not answer.is_good or names[-1] != "messages":
            return ()
        token, place = fingerprint(request.headers.get("authorization", "")), self.place(received_ms)
        sent = listed(json_object(answer.body), "messages") or [json_object(request.body)]
        told = [self._message(one, names[-2], place) for one in sent]
        return [one._replace(credential=token) for one in told if one.sender == "merchant"]

    def _event(self, one: Any, place: Place) -> Iterator[Event]:
        talk = dig(one, "payload", "conversation", "id")
        if dig(one, "type") == "conversation:message":
            yield self._message(dig(one, "payload", "message"), talk, place)
        elif dig(one, "type") == "switchboard:passControl":
            to = dig(one, "payload", "conversation", "activeSwitchboardIntegration")
            if dig(to, "name") in self._people or dig(to, "integrationType") in self._sources:
                yield place.handoff(talk, dig(one, "id"), dig(one, "createdAt"))

    def _message(self, message: Any, talk: Any, place: Place) -> Message:
        kind, subtypes = dig(message, "author", "type"), str(dig(message, "author", "subtypes"))
        who, source = dig(message, "author", "displayName"), str(dig(message, "source", "type"))
        where, text = (talk, dig(message, "id"), dig(message, "received")), dig(message, "content", "text")
        if kind == "user":
            customer = f"user:{dig(message, 'author', 'userId')}"
            return place.ask(*where, customer=customer, text=text, rule="author.type=user")
        if "'AI'" in subtypes:
            return place.reply(*where, "bot", bot=who, text=text, rule="author.subtypes has AI")
        if source == _ANSWER_BOT:
            return place.reply(*where, "bot", bot=who, text=text, rule=f"author.type=business,source={source}")
        if "'activity'" in subtypes:
            return place.reply(*where, "auto", text=text, rule="author.subtypes has activity")
        if source in self._sources:
            rule = "author.type=business,source∈human_sources"
            return place.reply(*where, "human", agent=who, text=text, rule=rule)
        return place.reply(*where, agent=who, text=text, rule=f"author.type=business,source={source[:40]}")
