"""A text that is said word for word all day: counted as it goes by."""

from sanfen.config.build import known_rules
from sanfen.config.schema import Config
from sanfen.core.events import Message
from sanfen.core.repeats import Repeats
from sanfen.testing import reply

RULES = known_rules(Config.model_validate({"version": 1, "auto_replies": {"repeats": 3}}))
DAY = 86_400_000


def said(at_ms: int, text: str, customer: str = "A") -> Message:
    return reply(at_ms, customer)._replace(text=text)


def test_yesterday_does_not_count_and_neither_do_short_words() -> None:
    repeats = Repeats(RULES)

    assert [repeats.count(said(at_ms, "您好，请稍等一下")) for at_ms in (0, 1, DAY, DAY + 1)] == [1, 2, 2, 2]
    assert [repeats.count(said(at_ms, "在的亲")) for at_ms in range(5)] == [0] * 5


def test_what_nobody_says_any_more_is_let_go() -> None:
    """Memory holds a day of texts, not a log of them."""
    repeats = Repeats(RULES)
    for number in range(20_000):
        repeats.count(said(number * 60_000, f"一句很长的话 {number}"))

    assert len(repeats._said) < 7_000


def test_nobody_counts_where_no_rule_asks() -> None:
    repeats = Repeats(())

    assert repeats.count(said(0, "您好，请稍等一下")) == 0
    assert not repeats._said
