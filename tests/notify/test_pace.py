"""No service is sent more than it takes, and one that keeps failing rests."""

from hypothesis import given
from hypothesis import strategies as st

from sanfen.abc import Limit
from sanfen.notify.pace import Breaker, Pace

MINUTE = 60_000
TWENTY = (Limit(20, MINUTE), Limit(5, 1_000))


@given(st.lists(st.integers(0, 4_000), min_size=1, max_size=200))
def test_no_span_holds_more_than_the_limit(pauses: list[int]) -> None:
    """Whoever asks before each message and waits as told never passes a limit, in any span."""
    pace, now_ms, sent = Pace(), 0, list[int]()
    for pause_ms in pauses:
        now_ms = pace.free_ms("a", TWENTY, now_ms + pause_ms)
        pace.sent("a", TWENTY, now_ms)
        sent.append(now_ms)
        pace.sent("b", TWENTY, now_ms)  # another address is another matter

    for limit in TWENTY:
        for index, at_ms in enumerate(sent):
            assert len([one for one in sent[index:] if one - at_ms <= limit.per_ms]) <= limit.most


def test_what_has_no_limit_is_always_free() -> None:
    pace = Pace()
    for _ in range(100):
        pace.sent("a", (), 7)

    assert pace.free_ms("a", (), 7) == 7


def test_a_service_that_says_wait_is_left_alone_until_then() -> None:
    pace = Pace()
    pace.muted("a", 600)

    assert (pace.free_ms("a", (), 100), pace.free_ms("a", (), 700), pace.free_ms("b", (), 100)) == (600, 700, 100)


def test_three_failures_in_a_row_make_a_way_rest_each_time_longer() -> None:
    breaker, rests = Breaker(), list[int | None]()
    for _ in range(8):
        breaker.failed("a", 0)
        rests.append(breaker.rests_until("a", 0))

    assert rests == [None, None, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000]
    assert breaker.rests_until("a", 300_000) is None  # one message may try it
    breaker.worked("a")
    breaker.failed("a", 0)
    assert breaker.rests_until("a", 0) is None
