"""A session's cookie: made with a token, good for nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanfen.board.sessions import Attempts, Sessions
from sanfen.config.settings import Token

LILY, WALL = Token("8f3b" * 16, "lily"), Token("c0ffee11" * 8, "wall", "viewer")


def test_a_session_is_its_tokens() -> None:
    sessions = Sessions()
    cookie = sessions.begin(WALL, 1_000)
    found = sessions.read(cookie, [LILY, WALL], 999)

    assert found is not None
    assert (found.token.name, found.until_ms) == ("wall", 1_000)
    assert sessions.read(cookie, [LILY, WALL], 1_000) is None  # over
    assert sessions.read(cookie, [LILY], 999) is None  # its token was taken back
    assert Sessions().read(cookie, [WALL], 999) == found  # over a restart, and on a standby
    assert WALL.reveal() not in cookie


def test_what_was_logged_out_stays_out() -> None:
    sessions = Sessions()
    cookie, other = sessions.begin(LILY, 1_000), sessions.begin(LILY, 1_000)
    found = sessions.read(cookie, [LILY], 1)
    assert found is not None
    sessions.end(found, 2)

    assert sessions.read(cookie, [LILY], 3) is None
    assert sessions.read(other, [LILY], 3) is not None


@given(st.integers(0, 200), st.characters())
def test_every_character_counts(place: int, character: str) -> None:
    sessions = Sessions()
    cookie = sessions.begin(LILY, 1_000)
    at = place % len(cookie)
    forged = cookie[:at] + character + cookie[at + 1 :]

    assert forged == cookie or sessions.read(forged, [LILY], 1) is None


@pytest.mark.parametrize("value", ["", ".", "..", "a.b.c", "a" * 5_000, "令牌.1.2", "x.zz."])
def test_what_is_no_cookie(value: str) -> None:
    assert Sessions().read(value, [LILY], 1) is None


def test_wrong_tokens_are_counted_by_sender() -> None:
    attempts = Attempts(most=2, while_ms=1_000)
    for now_ms in (0, 400):
        attempts.note("a", now_ms)

    assert (attempts.waits_ms("a", 500), attempts.waits_ms("b", 500)) == (500, 0)
    assert attempts.waits_ms("a", 1_000) == 0  # the first one is long ago
    attempts.note("a", 1_000)
    assert attempts.waits_ms("a", 1_000) == 400
