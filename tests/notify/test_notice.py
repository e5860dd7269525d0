"""What a person reads."""

import pytest

from sanfen.notify.notice import clock_text, make_notice
from sanfen.store.outbox import Row

FACTS = {
    "shop": "flagship", "channel": "desk", "conversation": "c", "customer": "tb_赵1234", "agent": "小美",
    "opened_ms": 0, "clock_ms": 0, "due_ms": 180_000, "question": "退款\n三天了" + "怎么" * 40,
}  # fmt: skip
ROW = Row(7, "r1", "p", "default", 0, "lead", 90_000, 0, 0, 0, FACTS)


def test_a_notice_masks_the_customer_and_cuts_the_question() -> None:
    notice = make_notice(ROW, 90_000, "zh")

    assert "tb_赵1234" not in str(notice)
    assert notice.text.startswith("flagship/desk 的 tb**34 已等 1:30，还剩 1:30。当前客服：小美。\n问：退款 三天了")
    assert notice.text.endswith("…")
    assert notice.id == make_notice(ROW, 95_000, "en").id


def test_after_the_deadline_it_says_so() -> None:
    assert "deadline has passed" in make_notice(ROW, 180_001, "en").text


@pytest.mark.parametrize(
    ("given", "shown"), [(0, "0:00"), (61_999, "1:01"), (-21_000, "-0:21"), (3_600_000, "1:00:00")]
)
def test_clocks(given: int, shown: str) -> None:
    assert clock_text(given) == shown
