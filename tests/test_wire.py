"""``sanfen.event/1``: strict about what it uses, silent about the rest, and it reads back what it writes."""

from datetime import timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanfen.core.events import (
    CUSTOMER_TYPES,
    Escalate,
    Event,
    Evidence,
    Key,
    Message,
    Mode,
    Order,
    Release,
    Snooze,
    Store,
    Tag,
    Take,
    Transfer,
)
from sanfen.errors import ParseError
from sanfen.wire import event_fields, instant_text, parse_instant, read_event

START = 1_673_056_800_000
names = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable())
instants = st.integers(631_152_000_000, 4_102_444_799_999)
keys = st.builds(Key, names, names, names)
messages = st.builds(
    Message, instants, keys, names, st.sampled_from(["customer", "merchant"]), names, st.sampled_from(list(Mode)),
    st.none() | names, st.none() | names, st.sampled_from(sorted(CUSTOMER_TYPES)), st.none() | names,
    st.lists(st.sampled_from(["spam", "ad"]), max_size=2).map(tuple), st.sampled_from(list(Evidence)), st.none() | names, st.none() | names,
)  # fmt: skip
systems = (
    st.builds(Transfer, instants, keys, names, st.none() | names, st.none() | names)
    | st.builds(Tag, instants, keys, names, names)
    | st.builds(Store, instants, keys, names, st.sampled_from(["online", "away"]))
    | st.sampled_from([Take, Release, Escalate]).flatmap(
        lambda act: st.builds(act, instants, keys, names, st.none() | names)
    )
    | st.builds(Snooze, instants, keys, names, st.none() | names, instants)
    | st.builds(
        Order, instants, keys, names, names, st.sampled_from(["created", "paid"]), st.none() | st.integers(0, 10**9)
    )
)


@given(messages | systems)
def test_an_event_reads_back(event: Event) -> None:
    if isinstance(event, Message) and event.sender == "customer":
        event = event._replace(mode="unknown", evidence="none", rule=None, credential=None)

    assert read_event(event_fields(event)) == event


@given(instants, st.integers(-14 * 60, 14 * 60))
def test_an_instant_reads_back_in_any_zone(at_ms: int, offset_min: int) -> None:
    text = instant_text(at_ms, timezone(timedelta(minutes=offset_min)))

    assert parse_instant(text) == at_ms


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ("2023-01-07T10:00:00+08:00", START),
        ("2023-01-07T02:00:00Z", START),
        ("2023-01-07T10:00:00.5+08:00", START + 500),
        (START, START),
        (str(START), START),
        ("2023-01-07T10:00:60+08:00", START + 59_999),
    ],
)
def test_times(given_: Any, wanted: int) -> None:
    assert parse_instant(given_) == wanted


def test_a_naive_time_needs_a_zone() -> None:
    assert parse_instant("2023/01/07 10:00:00", ZoneInfo("Asia/Shanghai")) == START
    with pytest.raises(ParseError, match="no UTC offset") as error:
        parse_instant("2023-01-07 10:00:00")

    assert "--tz" in error.value.hint


MESSAGE = {"id": "1", "at": START, "from": "customer", "customer": "A"}
BAD = [
    ({"from": "buyer"}, "from is not known: 'buyer'"),
    ({"from": None}, "from is missing"),
    ({"from": 3}, "from is not known|from is not a text"),
    ({"at": None}, "at is missing"),
    ({"at": "soon"}, "at is not a time"),
    ({"from": "system", "event": "snooze"}, "until is not a time"),
    ({"at": 1.5}, "at is not a time"),
    ({"at": True}, "at is not a time"),
    ({"at": 1_673_056_800}, "at looks like seconds"),
    ({"at": -5}, "at lies outside"),
    ({"at": 2**63}, "at lies outside"),
    ({"at": "9999-12-31T23:59:59-12:00"}, "at lies outside"),
    ({"at": "0001-01-01T00:00:00+14:00"}, "at lies outside|at is not"),
    ({"customer": None}, "conversation and customer are both missing"),
    ({"customer": ["A"]}, "customer is not a text"),
    ({"customer": "x" * 600}, "customer is longer than 512"),
    ({"customer_type": "king"}, "customer_type is not known"),
    ({"tags": {"a": 1}}, "tags is not a list"),
    ({"event": "transfer"}, "event: transfer needs from: system"),
    ({"from": "system"}, "event is missing"),
    ({"from": "system", "event": "dance"}, "event is not known: 'dance'"),
    ({"from": "system", "event": "store", "state": "open"}, "state is not known: 'open'"),
    ({"from": "system", "event": "tag"}, "tag is missing"),
    ({"from": "system", "event": "order", "order": "1", "stage": "lost"}, "stage is not known"),
    ({"from": "system", "event": "order", "order": "1", "stage": "paid", "amount": "12.50"}, "amount is not a whole"),
]


@pytest.mark.parametrize(("change", "words"), BAD, ids=[str(change)[:40] for change, _ in BAD])
def test_what_is_wrong_is_said_with_its_mend(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ParseError, match=words) as error:
        read_event(MESSAGE | change)

    assert error.value.hint


def test_defaults() -> None:
    event = read_event(
        {"at": START, "from": "customer", "conversation": "c", "unknown_column": 1}, shop="s", channel="ch"
    )

    assert isinstance(event, Message)
    assert (event.key, event.customer, event.mode, event.customer_type) == (
        Key("s", "ch", "c"),
        "c",
        "unknown",
        "buyer",
    )


def test_an_absent_id_comes_from_the_content() -> None:
    """The same row twice is the same event; another text is another."""
    row = {"at": START, "from": "customer", "customer": "A", "text": "x"}

    assert read_event(row).id == read_event(dict(row)).id != read_event(row | {"text": "y"}).id


def test_half_characters_are_replaced() -> None:
    event = read_event(MESSAGE | {"text": "a\ud800b"})

    assert isinstance(event, Message)
    assert event.text == "a?b"


def test_what_a_database_cannot_keep_is_replaced() -> None:
    event = read_event(MESSAGE | {"id": "a\0b", "tags": ["\ud800"]})

    assert isinstance(event, Message)
    assert (event.id, event.tags) == ("a\ufffdb", ("?",))


def test_a_comma_parts_tags_wherever_they_come_from() -> None:
    """The journal keeps them so: what is read back must be what was scored."""
    event = read_event(MESSAGE | {"tags": ["spam,ad", "", " ", "red packet "]})

    assert isinstance(event, Message)
    assert event.tags == ("spam", "ad", "red packet")


def test_whatever_a_message_says_of_itself_is_exported() -> None:
    event = read_event(MESSAGE | {"from": "customer", "credential": "app", "rule": "r"})

    assert read_event(event_fields(event)) == event
