"""One message, seen twice on different ways: the webhook's echo and the proxied call become one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.engine.shop import MINUTE, START, Shop, open_shop

from sanfen.core.events import Evidence, Message, Mode
from sanfen.testing import ask, reply

QUERY = "SELECT at_ms, mode, evidence, bot, text FROM events WHERE sender = 'merchant'"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "log.db") as made:
        yield made


def call(at_ms: int = START + MINUTE, **facts: Any) -> Message:
    made = reply(at_ms, mode=Mode.unknown)._replace(id="m1", evidence=Evidence.none)
    return made._replace(**facts)


async def test_the_strongest_evidence_holds_and_the_round_is_scored_again(shop: Shop) -> None:
    """An unknown reply that the webhook shows to be a person's makes the round met."""
    await shop.send(ask(START), call())
    await shop.tick(START + 10 * MINUTE)
    assert shop.rows("SELECT status FROM rounds WHERE policy = 'taobao'") == [("missed",)]

    await shop.send(call(mode="human", evidence="field", agent="lily"))
    assert shop.rows("SELECT status, agent FROM rounds WHERE policy = 'taobao'") == [("met", "lily")]
    assert shop.rows("SELECT before, after FROM changes WHERE policy = 'taobao'")[-1][1].startswith("met ")


async def test_weaker_evidence_changes_nothing(shop: Shop) -> None:
    await shop.send(ask(START), call(mode="human", evidence="field"))
    await shop.send(call(mode="auto", evidence="text"), call())

    assert shop.rows(QUERY) == [(START + MINUTE, "human", "field", None, None)]


async def test_a_known_bots_token_outweighs_the_name_it_sends_under(shop: Shop) -> None:
    await shop.send(ask(START), call(mode="human", evidence="field"))
    await shop.send(call(mode="bot", evidence="credential", bot="faq", credential="token:1"))

    assert shop.rows(QUERY) == [(START + MINUTE, "bot", "credential", "faq", None)]
    await shop.send(call(mode="human", evidence="field"))
    assert shop.rows(QUERY) == [(START + MINUTE, "bot", "credential", "faq", None)]


async def test_the_earliest_time_holds(shop: Shop) -> None:
    await shop.send(ask(START), call(START + 4 * MINUTE, mode="human", evidence="field"))
    assert shop.rows("SELECT status FROM rounds WHERE policy = 'taobao'") == [("late",)]

    await shop.send(call(START + 2 * MINUTE))
    assert shop.rows("SELECT status, wait_ms FROM rounds WHERE policy = 'taobao'") == [("met", 2 * MINUTE)]
    await shop.send(call(START + 3 * MINUTE, mode="human", evidence="field"))
    assert shop.rows("SELECT wait_ms FROM rounds WHERE policy = 'taobao'") == [(2 * MINUTE,)]


async def test_a_text_that_was_still_being_written_is_completed_and_no_other(shop: Shop) -> None:
    await shop.send(ask(START), call(text="有"))
    await shop.send(call(text="有的"), call(text="没有"))

    assert shop.rows("SELECT text, chars FROM events WHERE sender = 'merchant'") == [("有的", 2)]


async def test_both_in_one_delivery_and_after_a_restart(shop: Shop, tmp_path: Path) -> None:
    await shop.send(ask(START), call(), call(mode="human", evidence="field", agent="lily"))
    shop.db.close()
    with open_shop(tmp_path / "log.db") as again:
        assert again.rows("SELECT status, agent FROM rounds WHERE policy = 'taobao'") == [("met", "lily")]
        await again.send(call(START + 1000))
        assert again.rows("SELECT wait_ms FROM rounds WHERE policy = 'taobao'") == [(1000,)]


async def test_a_message_of_another_conversation_is_another_matter(shop: Shop) -> None:
    """With the same id it is refused, as ever; it changes nothing."""
    await shop.send(ask(START), call())
    other = call(mode="human", evidence="field")
    await shop.send(other._replace(key=other.key._replace(conversation="B")))

    assert shop.rows(QUERY) == [(START + MINUTE, "unknown", "none", None, None)]
