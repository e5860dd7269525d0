"""LINE: customers come by the webhook; what is answered is seen only in the calls that answer, by whose token."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sanfen.abc import Alias, Answer, Direction, Fact, Place, Request, dig, each, fingerprint, json_object, listed
from sanfen_adapters.signatures import LINE
from sanfen_adapters.signed import SignedChannel, bearer

__all__ = ["LineChannel"]

_CALLS = {f"v2/bot/message/{one}": one for one in ("reply", "push", "multicast")}
_DAY_MS = 86_400_000


class LineChannel(SignedChannel):
    """``secret``: the channel secret. ``in``: webhooks. ``out``: calls of the Messaging API, which knows their tokens."""

    name = "line"
    scheme = LINE
    token_in = ("header:authorization=Bearer ",)

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """The facts of a webhook; calls are told by their answers. Raises ParseError."""
        place = self.place(received_ms)
        events = listed(json_object(request.body), "events") if direction == "in" else ()
        return each(events, lambda event: _event(event, place))

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What a call sent, and by whose token: one message for each of its own, to each it names."""
        kind = _CALLS.get(request.path) if direction == "out" and answer.is_good else None
        if kind is None:
            return ()
        body, place = json_object(request.body), self.place(received_ms)
        ids = [dig(one, "id") for one in listed(json_object(answer.body), "sentMessages")]
        token = fingerprint(bearer(request))
        to = body.get("to")
        talks = [_token(body.get("replyToken"))] if kind == "reply" else to if isinstance(to, list) else [to]
        told: dict[str, Any] = {
            "mode": "broadcast" if kind == "multicast" else "unknown",
            "rule": f"POST /{request.path}",
        }
        return [
            place.reply(talk, ids[at] if kind != "multicast" and at < len(ids) else None, None,
                        text=dig(one, "text"), credential=token, **told)
            for talk in talks
            for at, one in enumerate(listed(body, "messages"))
        ]  # fmt: skip


def _event(event: Mapping[str, Any], place: Place) -> Iterator[Fact]:
    source, message, at = dig(event, "source"), event.get("message"), event.get("timestamp")
    user = dig(source, "userId")
    talk = dig(source, "groupId") or dig(source, "roomId") or user
    if event.get("replyToken") and talk:
        yield Alias(_token(event["replyToken"]), str(talk), _DAY_MS)
    if event.get("type") == "message":
        who = f"user:{user}" if user else None
        text, rule = dig(message, "text"), "webhook event"
        yield place.ask(talk, dig(message, "id"), at, customer=who, text=text, rule=rule)
    elif event.get("type") == "unsend":
        yield place.recall(talk, event.get("webhookEventId"), at, message=dig(event, "unsend", "messageId"))


def _token(token: Any) -> str:
    """What stands for the conversation in a reply, which names only the token; the token itself is not kept."""
    return fingerprint(str(token)).replace("token:", "reply:")
