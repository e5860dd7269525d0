"""What adapters build events with."""

from typing import Any

import pytest

from sanfen.core.classify import Directory, placed
from sanfen.core.events import Event
from sanfen.errors import ParseError
from sanfen.reading import Place, dig, fingerprint, instant_ms, json_object
from sanfen.wire import event_fields, read_event

PLACE = Place("shop", "desk", 1_795_309_140_000)
AT_MS = 1_795_309_132_000


@pytest.mark.parametrize(
    ("value", "at_ms"),
    [
        (1_795_309_132, AT_MS),
        ("1795309132", AT_MS),
        (1_795_309_132_000, AT_MS),
        ("1795309132000", AT_MS),
        (1_795_309_132_000_000, AT_MS),
        (1_795_309_132.75, AT_MS),
        ("1795309132.000200", AT_MS),
        ("2026-11-22T00:58:52Z", AT_MS),
        ("2026-11-22T08:58:52.000+08:00", AT_MS),
        (None, PLACE.received_ms),
        ("", PLACE.received_ms),
    ],
)
def test_a_time_is_what_its_size_says(value: Any, at_ms: int) -> None:
    assert instant_ms(value, PLACE.received_ms) == at_ms


@pytest.mark.parametrize(
    "value", [0, -1, 1, True, [], "yesterday", "2026-11-22T00:58:52", 10**30, "9" * 17, 1e300, "1.2.3"]
)
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(ParseError):
        instant_ms(value, PLACE.received_ms)


@pytest.mark.parametrize("value", [None, "", True, [], {}, 1.5, "x" * 513])
def test_what_is_no_id(value: Any) -> None:
    with pytest.raises(ParseError):
        PLACE.ask(value, "1", AT_MS)
    with pytest.raises(ParseError):
        PLACE.transfer(value, "1", AT_MS, to="lily")


def test_ids_are_texts_whatever_they_were() -> None:
    event = PLACE.reply(2**60, 2**61, AT_MS, "human", agent=7, text="有的\0\ud800")

    assert (event.key.conversation, event.id, event.agent) == (str(2**60), str(2**61), "7")
    assert event.text == "有的\ufffd?"


def test_without_an_id_the_same_content_is_the_same_event() -> None:
    first, again = PLACE.ask("c", None, AT_MS, text="在吗"), PLACE.ask("c", None, AT_MS, text="在吗")
    other = PLACE.ask("c", None, AT_MS, text="在么")

    assert first == again
    assert len({first.id, other.id, PLACE.reply("c", None, AT_MS, text="在吗").id}) == 3


def test_a_text_that_is_none_is_refused() -> None:
    with pytest.raises(ParseError):
        PLACE.ask("c", "1", AT_MS, text={"text": "在吗"})
    with pytest.raises(ParseError):
        PLACE.reply("c", "1", AT_MS, "person")


def test_every_event_can_be_written_down_and_read_again() -> None:
    made: list[Event] = [
        PLACE.ask("c", 1, AT_MS, customer="A", text="在吗", agent="lily", tags=("vip",), rule="origin=3"),
        PLACE.reply("c", 2, AT_MS, "assisted", bot="xiaoduo", text="在", credential=fingerprint("t"), rule="x"),
        PLACE.transfer("c", None, AT_MS, agent="lily", to=None),
        PLACE.handoff("c", None, AT_MS),
        PLACE.close("c", None, AT_MS),
        PLACE.recall("c", None, AT_MS, message=2),
        PLACE.tag("c", None, AT_MS, tag="spam"),
    ]

    assert [read_event(event_fields(one)) for one in made] == made
    assert len({one.id for one in made}) == len(made)


def test_the_directory_says_which_side_somebody_is_from() -> None:
    directory = Directory(frozenset({"U5"}), {"B9": "faq"})
    customer, person, bot = (
        placed(PLACE.somebody("C1", n, AT_MS, who), directory) for n, who in enumerate(["U7", "U5", "B9"])
    )

    assert (customer.sender, customer.customer) == ("customer", "U7")
    assert (person.sender, person.mode, person.agent, person.evidence) == ("merchant", "human", "U5", "directory")
    assert (bot.sender, bot.mode, bot.bot, bot.agent) == ("merchant", "bot", "faq", None)


def test_a_token_leaves_only_a_fingerprint() -> None:
    assert fingerprint("bot-token") == fingerprint("bot-token") != fingerprint("bot-tokem")
    assert "bot-token" not in fingerprint("bot-token")


def test_digging() -> None:
    assert dig({"a": {"b": 1}}, "a", "b") == 1
    assert dig({"a": [1]}, "a", "b") is None
    assert dig(None, "a") is None
    assert json_object(b"") == {}
    with pytest.raises(ParseError):
        json_object(b"[]")
