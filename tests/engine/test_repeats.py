"""A text that is said word for word all day."""

from pathlib import Path

from tests.engine.shop import MINUTE, START, open_shop

from sanfen.config.build import known_rules
from sanfen.config.schema import Config
from sanfen.core.events import Message
from sanfen.engine.repeats import Repeats
from sanfen.testing import ask, reply

RULES = known_rules(Config.model_validate({"version": 1, "auto_replies": {"repeats": 3}}))
DAY = 1440 * MINUTE


def said(at_ms: int, text: str, customer: str = "A") -> Message:
    return reply(at_ms, customer)._replace(text=text)


async def test_from_the_third_time_on_nobody_typed_it(tmp_path: Path) -> None:
    """Whoever's name it is said under, and to whomever; counted by channel."""
    with open_shop(tmp_path / "log.db", rules=RULES) as shop:
        for number, customer in enumerate("ABCD"):
            at_ms = START + number * MINUTE
            await shop.send(ask(at_ms, customer), said(at_ms + 1000, "您好，请稍等一下", customer))
        await shop.send(said(START + 9 * MINUTE, "有的，今天发货", "A"))
        query = "SELECT mode, evidence, rule FROM events WHERE sender = 'merchant' ORDER BY seq"

        assert shop.rows(query) == [
            ("human", "field", None),
            ("human", "field", None),
            ("auto", "text", "auto_replies.repeats"),
            ("auto", "text", "auto_replies.repeats"),
            ("human", "field", None),
        ]


def test_yesterday_does_not_count_and_neither_do_short_words() -> None:
    repeats = Repeats(RULES)

    assert [repeats.count(said(at_ms, "您好，请稍等一下")) for at_ms in (0, 1, DAY, DAY + 1)] == [1, 2, 2, 2]
    assert [repeats.count(said(at_ms, "在的亲")) for at_ms in range(5)] == [0] * 5


def test_memory_is_bounded() -> None:
    repeats = Repeats(RULES)
    for number in range(6_000):
        repeats.count(said(number, f"一句很长的话 {number}"))

    assert len(repeats._said) == 5_000


def test_nobody_counts_where_no_rule_asks() -> None:
    repeats = Repeats(())

    assert repeats.count(said(0, "您好，请稍等一下")) == 0
    assert not repeats._said
