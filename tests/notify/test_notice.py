"""What a person reads."""

import pytest
from tests.notify.rows import FACTS, due

from sanfen.notify.notice import clock_text, make_notice
from sanfen_adapters.notifiers.console import Console

SECOND = FACTS | {"clock_ms": 30_000, "opened_ms": 30_000, "due_ms": 210_000, "customer": "buyer", "question": None}


def test_a_notice_masks_the_customer_and_cuts_the_question() -> None:
    notice = make_notice([due()], 90_000, "zh")

    assert "tb_赵1234" not in str(notice)
    assert notice.text.startswith("flagship/desk 的 tb**34 已等 1:30，还剩 1:30。当前客服：小美。\n问：退款 三天了")
    assert notice.text.endswith("…")
    assert notice.id == make_notice([due()], 95_000, "en").id


def test_after_the_deadline_it_says_so() -> None:
    assert "deadline has passed" in make_notice([due()], 180_001, "en").text


def test_several_customers_are_one_message_the_longest_wait_first() -> None:
    notice = make_notice([due(2, facts=SECOND), due(1)], 100_000, "en", lambda row: f"https://desk/{row.round}")
    lines = notice.text.splitlines()

    assert [one.round_id for one in notice.waiting] == ["r1", "r2"]
    assert (notice.round_id, notice.title) == ("r1", "2 customers wait, the longest for 1:40")
    assert notice.title not in notice.text
    assert [line for line in lines if line.startswith("https")] == ["https://desk/r1", "https://desk/r2"]


def test_a_round_that_is_due_by_two_steps_is_listed_once() -> None:
    notice = make_notice([due(1, step=1), due(2, round="r1")], 90_000, "en")

    assert (len(notice.waiting), notice.step) == (1, 1)


def test_many_customers_are_counted_not_all_listed() -> None:
    rows = [due(number, facts=SECOND) for number in range(25)]
    notice = make_notice(rows, 90_000, "zh")

    assert (len(notice.waiting), notice.text.splitlines()[-1], len(notice.text.splitlines())) == (25, "另有 15 位", 11)


def test_who_was_told_of_before_and_still_waits_is_listed_too() -> None:
    """The message grows with those who wait; of the new ones it is made, and by them it is known."""
    still = [due(3, round="r0", facts=FACTS), due(4, round="r2", facts=SECOND)]
    notice = make_notice([due(2, facts=SECOND)], 100_000, "en", lambda row: f"https://desk/{row.round}", still)
    lines = notice.text.splitlines()

    assert notice.title == "2 customers wait, the longest for 1:40"
    assert ([one.round_id for one in notice.waiting], [one.round_id for one in notice.still]) == (["r2"], ["r0"])
    assert [line for line in lines if line.startswith("https")] == ["https://desk/r0", "https://desk/r2"]
    assert (notice.round_id, notice.id) == ("r2", make_notice([due(2, facts=SECOND)], 100_000, "en").id)
    assert [one["round_id"] for one in notice.plain()["still"]] == ["r0"]


async def test_the_terminal_says_in_one_line_how_many_wait(capsys: pytest.CaptureFixture[str]) -> None:
    await Console().notify(make_notice([due(2, facts=SECOND), due(1)], 100_000, "en"), "console:", None)
    await Console().notify(make_notice([due(1)], 100_000, "en"), "console:", None)
    both, one = capsys.readouterr().err.splitlines()

    assert both.startswith("▲ lead: 2 customers wait, the longest for 1:40: tb**")
    assert one.startswith("▲ lead: tb**")


@pytest.mark.parametrize(
    ("given", "shown"), [(0, "0:00"), (61_999, "1:01"), (-21_000, "-0:21"), (3_600_000, "1:00:00")]
)
def test_clocks(given: int, shown: str) -> None:
    assert clock_text(given) == shown
