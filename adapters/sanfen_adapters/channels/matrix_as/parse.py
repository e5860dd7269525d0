"""An application service's transactions, and the calls it makes, as events. Pure.

A room is a conversation. Whoever the service speaks for (its namespace) is a customer; of all others ``m.notice`` is
automatic, by the specification's own word for what no person typed, and the rest are people. Where no namespace is given the
shop's directory tells the two sides apart. What is encrypted says who, but not whether it is a notice: of the shop's side it
stays unknown, for the directory to tell.
"""

from collections.abc import Mapping, Sequence
from re import Pattern
from typing import Any
from urllib.parse import parse_qs, unquote

from sanfen.abc import Answer, Event, Fact, ParseError, Place, Request, dig, each, json_object

__all__ = ["parse", "sent"]

_MESSAGES = frozenset({"m.room.message", "m.sticker", "m.room.encrypted"})


def parse(request: Request, place: Place, customers: Pattern[str] | None) -> Sequence[Fact]:
    """The events of a transaction; none for any other question of the homeserver. Raises ParseError."""
    if request.method != "PUT" or "transactions/" not in request.path:
        return ()
    events = json_object(request.body).get("events", [])
    if not isinstance(events, list):
        raise ParseError("events is no list", hint="is this the address of the registration, and this its adapter?")
    return each((one for one in events if isinstance(one, dict)), lambda one: _read(one, place, customers))


def sent(request: Request, answer: Answer, place: Place, customers: Pattern[str] | None) -> Sequence[Event]:
    """What a call sent in a customer's name; its answer has the id under which a transaction tells it again."""
    path = request.path.split("/")  # _matrix/client/v3/rooms/ROOM/send/TYPE/TRANSACTION
    if request.method != "PUT" or not answer.is_good or len(path) != 8 or path[3] != "rooms" or path[5] != "send":
        return ()
    user = parse_qs(request.query).get("user_id", [""])[0]
    if customers is None or not customers.fullmatch(user):
        return ()
    told = {
        "type": unquote(path[6]),
        "content": json_object(request.body),
        "event_id": json_object(answer.body).get("event_id"),
        "room_id": unquote(path[4]),
        "sender": user,
    }
    return _read(told, place, customers)


def _read(event: Mapping[str, Any], place: Place, customers: Pattern[str] | None) -> Sequence[Event]:
    kind, content = str(event.get("type")), event.get("content")
    where = (event.get("room_id"), event.get("event_id"), event.get("origin_server_ts"))
    if kind == "m.room.redaction":
        return [place.recall(*where, message=event.get("redacts") or dig(content, "redacts"))]
    if kind not in _MESSAGES or not content or dig(content, "m.relates_to", "rel_type") == "m.replace":
        return ()  # what was redacted since has no content; an edit is no second message
    sender, text = event.get("sender"), dig(content, "body")
    if customers is not None and isinstance(sender, str) and customers.fullmatch(sender):
        return [place.ask(*where, customer=sender, text=text, rule="sender∈namespaces.users")]
    if dig(content, "msgtype") == "m.notice":
        return [place.reply(*where, "auto", agent=sender, text=text, rule="msgtype=m.notice")]
    if customers is None:
        return [place.somebody(*where, sender, text=text, rule="sender")]
    if kind == "m.room.encrypted":
        return [place.reply(*where, agent=sender, rule="m.room.encrypted")]
    return [place.reply(*where, "human", agent=sender, text=text, rule="sender∉namespaces.users")]
