"""From the shapes a generic sender may choose to events. Pure.

    {"id", "at", "from", …}                     sanfen.event/1 itself
    {"specversion", "id", "type", "time", "data": {…}}     CloudEvents, structured; or the same facts in ce-* headers
    {"type", "timestamp", "data": {…}}          Standard Webhooks; the id is the header webhook-id
    {…}                                         the data alone

Each may stand alone, in an array, or one a line. ``data`` holds conversation, message_id, role, actor, assisted and text,
or a sanfen.event/1 object.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from sanfen.abc import (
    Direction,
    Event,
    ParseError,
    Phrase,
    Request,
    RowError,
    json_rows,
    parse_instant,
    read_event,
    strict_json,
)

__all__ = ["parse"]

_ROLES: dict[str, tuple[str, str]] = {  # role: (from, mode)
    "customer": ("customer", ""),
    "agent": ("merchant", "human"),
    "bot": ("merchant", "bot"),
    "auto": ("merchant", "auto"),
    "system": ("merchant", "auto"),
}
_COPIED = ("shop", "customer", "customer_type", "tags", "text", "credential")


class _Envelope(NamedTuple):
    """What stands around the data."""

    id: str | None
    at: Any  # a time as the sender wrote it, or None
    type: str | None


class _Place(NamedTuple):
    """Where a request came in."""

    shop: str
    channel: str
    direction: Direction
    received_ms: int


def parse(request: Request, direction: Direction, received_ms: int, *, shop: str, channel: str) -> Sequence[Event]:
    """The events a request carries; none where its body is empty or of another type. Raises ParseError."""
    if not request.body:
        return ()
    place = _Place(shop, channel, direction, received_ms)
    headers = request.headers
    webhook_id = headers.get("webhook-id")
    if "ce-specversion" in headers:
        # ce-id is not under the signature: a replay with another one must not become another message.
        envelope = _Envelope(webhook_id or _ce(headers, "ce-id"), _ce(headers, "ce-time"), _ce(headers, "ce-type"))
        return _data(strict_json(request.body), envelope, place)
    out: list[Event] = []
    for row in json_rows(request.body):
        # One delivery may carry several messages; a shared id would make all but the first duplicates.
        name = f"{webhook_id}/{row.number}" if webhook_id and row.place else webhook_id
        try:
            out += _row(row.value, name, place)
        except ParseError as error:
            raise RowError(row.place, row.number, error) from None
    return out


def _ce(headers: Mapping[str, str], name: str) -> str | None:
    """A CloudEvents header: percent-encoded by its HTTP binding."""
    value = headers.get(name)
    return None if value is None else unquote(value)


def _row(row: Mapping[str, Any], webhook_id: str | None, place: _Place) -> Sequence[Event]:
    if "specversion" in row:
        envelope = _Envelope(_text(row, "id") or webhook_id, row.get("time"), _text(row, "type"))
        return _data(_cloud_data(row), envelope, place)
    if "from" in row:
        return [_event(row, place)]
    if "data" in row:
        return _data(row["data"], _Envelope(webhook_id, row.get("timestamp"), _text(row, "type")), place)
    return _data(row, _Envelope(webhook_id, None, None), place)


def _cloud_data(row: Mapping[str, Any]) -> Any:
    if "data_base64" not in row:
        return row.get("data")
    try:
        return strict_json(base64.b64decode(str(row["data_base64"]), validate=True))
    except (binascii.Error, ValueError):
        raise ParseError("data_base64 is not base64", hint="send data as a JSON object instead") from None


def _data(data: Any, envelope: _Envelope, place: _Place) -> Sequence[Event]:
    if isinstance(data, dict) and "from" in data:
        return [_event({"id": envelope.id, "at": _at(data, envelope, place)} | data, place)]
    if envelope.type is not None and not envelope.type.endswith("message.created"):
        return ()  # an order, an invoice: not a conversation's business
    if not isinstance(data, dict):
        raise ParseError("data is not an object", hint="send data with conversation, message_id, role and text")
    return [_event(_fields(data, envelope, place), place)]


def _fields(data: Mapping[str, Any], envelope: _Envelope, place: _Place) -> dict[str, Any]:
    """The sanfen.event/1 object of a message in ``data``."""
    out: dict[str, Any] = {name: data[name] for name in _COPIED if data.get(name) is not None}
    out |= {"id": data.get("message_id") or envelope.id, "at": _at(data, envelope, place)}
    out["conversation"] = data.get("conversation")
    sender, mode = _sender(data, place.direction)
    out["from"] = sender
    actor = data.get("actor")
    if sender == "customer":
        out.setdefault("customer", actor)
    else:
        out["bot" if mode in ("bot", "assisted") and data["role"] == "bot" else "agent"] = actor
        out |= {"mode": mode} if mode else {}
    if data.get("role") is not None:
        out["rule"] = "data.assisted" if mode == "assisted" else "data.role"
    return out


def _sender(data: Mapping[str, Any], direction: Direction) -> tuple[str, str]:
    """From whom, and the reply kind: what the sender says, else which way it went."""
    role, assisted = data.get("role"), data.get("assisted")
    if role is None:
        return ("customer", "") if direction == "in" else ("merchant", "")
    if not isinstance(role, str) or role not in _ROLES:
        raise ParseError(
            Phrase("role is not known: {role!a}", role=str(role)[:40]),
            hint=Phrase("write one of {names}", names=", ".join(_ROLES)),
        )
    if assisted is not None and not isinstance(assisted, bool):
        raise ParseError("assisted is neither true nor false", hint="write true where a person sent a bot's draft")
    sender, mode = _ROLES[role]
    return sender, "assisted" if assisted and role in ("agent", "bot") else mode


def _at(data: Mapping[str, Any], envelope: _Envelope, place: _Place) -> int:
    given = data.get("at", envelope.at)
    return place.received_ms if given is None else parse_instant(given)


def _event(fields: Mapping[str, Any], place: _Place) -> Event:
    channel = fields.get("channel")
    if channel not in (None, "", place.channel):
        raise ParseError(
            Phrase(
                "channel names {channel!a}, but this address belongs to {channel_2}",
                channel=str(channel)[:40],
                channel_2=place.channel,
            ),
            hint="leave channel out, or post events of several channels to /events",
        )
    return read_event(fields, shop=place.shop, channel=place.channel)


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise ParseError(
            Phrase("{name} is not a text", name=name), hint=Phrase("write {name} as a JSON string", name=name)
        )
    return value
