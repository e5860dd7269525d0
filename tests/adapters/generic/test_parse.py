"""The generic channel's shapes, each as a real producer writes it, and the event expected."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from sanfen.abc import Direction, Event, Key, Message, ParseError, Request, RowError, Transfer
from sanfen_adapters.channels.generic.parse import parse

RECEIVED_MS = 1_795_309_140_000
AT_MS = 1_795_309_132_859
KEY = Key("shop", "desk", "c1")
DATA = {"conversation": "c1", "message_id": "g1", "role": "agent", "actor": "wang", "assisted": False, "text": "有的"}


def events(body: Any, headers: dict[str, str] | None = None, direction: Direction = "in") -> list[Event]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request("POST", "", "", headers or {}, raw)
    return list(parse(request, direction, RECEIVED_MS, shop="shop", channel="desk"))


def one(body: Any, headers: dict[str, str] | None = None, direction: Direction = "in") -> Message:
    (event,) = events(body, headers, direction)
    assert isinstance(event, Message)
    return event


def cloud(data: Any = None, **attributes: Any) -> CloudEvent:
    facts = {
        "id": "evt-1",
        "source": "/店铺/1",
        "type": "dev.sanfen.message.created",
        "time": datetime.fromtimestamp(AT_MS / 1000, UTC),
        "datacontenttype": "application/json",
    }
    return CloudEvent(facts | attributes, DATA if data is None else data)


@pytest.mark.parametrize("write", [to_structured_event, to_binary_event])
def test_what_the_cloudevents_library_writes(write: Any) -> None:
    """Structured and binary mode give the same event."""
    message = write(cloud())

    event = one(bytes(message.body), {name.lower(): value for name, value in message.headers.items()})

    assert event == Message(
        AT_MS, KEY, "g1", "merchant", "c1", "human", "wang", text="有的", evidence="field", rule="data.role"
    )


def test_a_batch_of_cloudevents() -> None:
    batch = [json.loads(to_structured_event(cloud(DATA | {"message_id": name})).body) for name in ("a", "b")]

    made = events(batch, {"content-type": "application/cloudevents-batch+json; charset=utf-8"})

    assert [event.id for event in made] == ["a", "b"]


def test_cloudevents_data_as_base64() -> None:
    packed = base64.b64encode(json.dumps(DATA).encode()).decode()

    assert one({"specversion": "1.0", "id": "e", "data_base64": packed}).text == "有的"
    with pytest.raises(ParseError, match="data_base64"):
        events({"specversion": "1.0", "id": "e", "data_base64": "***"})


def test_percent_encoded_headers_of_binary_mode() -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "%E4%BD%A0", "ce-type": "message.created"}

    assert one({"conversation": "c1"}, headers).id == "你"


@pytest.mark.parametrize(
    ("role", "assisted", "expected"),
    [
        ("customer", None, ("customer", "unknown", None, None)),
        ("agent", False, ("merchant", "human", "x", None)),
        ("agent", True, ("merchant", "assisted", "x", None)),
        ("bot", False, ("merchant", "bot", None, "x")),
        ("bot", True, ("merchant", "assisted", None, "x")),
        ("auto", None, ("merchant", "auto", "x", None)),
        ("auto", True, ("merchant", "auto", "x", None)),
        ("system", None, ("merchant", "auto", "x", None)),
    ],
)
def test_roles(role: str, assisted: bool | None, expected: tuple[Any, ...]) -> None:
    """Who answered, as the sender says it: never guessed from a text."""
    event = one({"conversation": "c1", "role": role, "assisted": assisted, "actor": "x"})

    assert (event.sender, event.mode, event.agent, event.bot) == expected
    assert event.evidence == ("none" if role == "customer" else "field")
    assert event.customer == ("x" if role == "customer" else "c1")


@pytest.mark.parametrize(("direction", "sender"), [("in", "customer"), ("out", "merchant")])
def test_without_a_role_the_direction_tells_the_sender(direction: Direction, sender: str) -> None:
    """And the mode stays unknown, for the classification rules to resolve."""
    event = one({"conversation": "c1"}, direction=direction)

    assert (event.sender, event.mode, event.evidence) == (sender, "unknown", "none")


def test_standard_webhooks_carry_their_id_in_a_header() -> None:
    body = {"type": "message.created", "timestamp": "2026-11-22T00:58:52.859Z", "data": {"conversation": "c1"}}

    event = one(body, {"webhook-id": "msg_1"})

    assert (event.id, event.at_ms) == ("msg_1", AT_MS)


def test_several_messages_of_one_delivery_keep_apart() -> None:
    """One webhook id for all of them must not make duplicates of them."""
    body = [{"conversation": "c1", "text": "a"}, {"conversation": "c1", "text": "b"}]

    assert [event.id for event in events(body, {"webhook-id": "m"})] == ["m/0", "m/1"]
    lines = b"\n".join(json.dumps(row).encode() for row in body)
    assert [event.id for event in events(lines, {"webhook-id": "m"})] == ["m/1", "m/2"]


def test_without_a_time_the_arrival_counts() -> None:
    assert one({"conversation": "c1"}).at_ms == RECEIVED_MS


def test_our_own_events() -> None:
    """As they are, in an envelope or not; one, many, or one a line."""
    own = {
        "id": "t1",
        "at": AT_MS,
        "conversation": "c1",
        "from": "system",
        "event": "transfer",
        "agent": "a",
        "to": "b",
    }
    expected = Transfer(AT_MS, KEY, "t1", "a", "b")

    assert events(own) == [expected]
    assert events([own, own]) == [expected, expected]
    assert events({"type": "anything", "data": own}) == [expected]
    assert events({"specversion": "1.0", "id": "e", "type": "x", "data": own}) == [expected]
    assert events(json.dumps(own).encode() + b"\n" + json.dumps(own).encode()) == [expected, expected]


def test_an_envelope_fills_what_our_event_lacks() -> None:
    body = {"type": "x", "timestamp": "2026-11-22T00:58:52.859Z", "data": {"conversation": "c1", "from": "customer"}}

    event = one(body, {"webhook-id": "msg_1"})

    assert (event.id, event.at_ms) == ("msg_1", AT_MS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        {"type": "invoice.paid", "data": {"amount": 5}},
        {"type": "message.deleted", "data": {"conversation": "c1"}},
        {"specversion": "1.0", "id": "e", "type": "order.created"},
        [],
    ],
)
def test_what_is_no_message_is_no_event(body: Any) -> None:
    assert events(body) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"type": "message.created", "data": "text"}, "data is not an object"),
        ({"type": 5, "data": {}}, "type is not a text"),
        ({"hello": "world"}, "conversation and customer are both missing"),
        ({"conversation": "c1", "role": "robot"}, "role is not known: 'robot'"),
        ({"conversation": "c1", "role": ["agent"]}, "role is not known"),
        ({"conversation": "c1", "role": "bot", "assisted": "yes"}, "assisted is neither true nor false"),
        ({"conversation": {"id": 1}}, "conversation is not a text"),
        ({"type": "message.created", "timestamp": "yesterday", "data": {"conversation": "c"}}, "at is not a time"),
        ({"from": "customer", "conversation": "c", "at": AT_MS, "channel": "other"}, "channel names 'other'"),
        ([{"conversation": "c1"}, {"conversation": "c1", "role": "x"}], "index 1: role is not known"),
        (5, "not a JSON object"),
    ],
)
def test_what_cannot_be_read_says_why(body: Any, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        events(body)

    assert says in caught.value.message
    assert caught.value.hint


def test_the_row_at_fault_is_known() -> None:
    with pytest.raises(RowError) as caught:
        events(b'{"conversation": "c1"}\n{"conversation": "c1", "role": "x"}')

    assert (caught.value.place, caught.value.number) == ("line", 2)


_VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just({}) | st.just([])
)
_NAMES = st.sampled_from(
    [
        "conversation",
        "customer",
        "role",
        "assisted",
        "actor",
        "text",
        "message_id",
        "at",
        "from",
        "event",
        "type",
        "data",
        "timestamp",
        "specversion",
        "id",
        "time",
        "data_base64",
        "tags",
        "customer_type",
        "shop",
        "channel",
        "mode",
    ]
)
_OBJECTS = st.dictionaries(_NAMES, st.recursive(_VALUES, lambda inner: st.dictionaries(_NAMES, inner), max_leaves=8))


@given(_OBJECTS | st.lists(_OBJECTS, max_size=3), st.sampled_from(["in", "out"]))
def test_no_object_whatever_breaks_the_parser(body: Any, direction: Direction) -> None:
    """Events, or ParseError: nothing else reaches the gateway."""
    try:
        made = events(json.dumps(body).encode(), {"webhook-id": "w"}, direction)
    except ParseError:
        return

    assert all(event.key.channel == "desk" for event in made)


@given(st.binary(max_size=80))
def test_no_bytes_whatever_break_the_parser(body: bytes) -> None:
    for headers in ({}, {"ce-specversion": "1.0", "ce-time": "%ff"}):
        try:
            events(body, headers)
        except ParseError:
            continue
