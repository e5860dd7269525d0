"""A link works as it was given, until its time is over, and not at all once a character is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanfen.errors import InputError
from sanfen.links import Grant, read, sign

KEY = bytes(range(32))
grants = st.builds(
    Grant, st.text(max_size=20), st.text(max_size=20).filter(lambda t: t.isprintable()), st.integers(0, 2**45)
)


@given(grants)
def test_a_link_reads_back(grant: Grant) -> None:
    assert read(KEY, sign(KEY, grant), grant.until_ms) == grant


@given(grants, st.data())
def test_a_changed_link_is_refused(grant: Grant, data: st.DataObject) -> None:
    token = sign(KEY, grant)
    at = data.draw(st.integers(0, len(token) - 2))  # the last character has bits that say nothing
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != token[at]))

    with pytest.raises(InputError, match="not one of ours"):
        read(KEY, token[:at] + other + token[at + 1 :], 0)


@pytest.mark.parametrize("token", ["", ".", "a.b", "é.é", "x" * 10_000, "W10.W10"])
def test_nonsense_is_refused(token: str) -> None:
    with pytest.raises(InputError, match="not one of ours"):
        read(KEY, token, 0)


def test_another_key_and_another_time() -> None:
    token = sign(KEY, Grant("r1", "boss", 1_000))

    with pytest.raises(InputError, match="not one of ours"):
        read(b"other" * 8, token, 0)
    with pytest.raises(InputError, match="out of date"):
        read(KEY, token, 1_001)
