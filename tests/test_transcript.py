"""Transcripts read as a person would read them."""

import pytest

from sanfen.errors import InputError
from sanfen.transcript import parse

CHAT = """\
# A chat. (derived)
policy: taobao-2022-01
set: midnight=none
2023-01-07
10:00:00 customer B agent=a1  在吗  吗
10:00:01 assisted leyan customer=B  在的
10:00:02 auto
10:01:00 transfer a1 -> a2
10:02:00 store away
=> excluded bot_only 1:02:03
"""


def test_lines_become_fields() -> None:
    chat = parse(CHAT, "x.txt")
    rows = [fields for _, fields in chat.rows]

    assert (chat.title, chat.headers, chat.sets) == (
        "A chat. (derived)",
        {"policy": "taobao-2022-01"},
        ("midnight=none",),
    )
    assert rows[0] == {
        "id": "x.txt:5", "at": "2023-01-07T10:00:00+08:00", "from": "customer", "customer": "B", "agent": "a1", "text": "在吗  吗",
    }  # fmt: skip
    assert {k: rows[1][k] for k in ("mode", "bot", "customer")} == {"mode": "assisted", "bot": "leyan", "customer": "B"}
    assert "text" not in rows[2]
    assert rows[3] | {"at": ""} == {
        "id": "x.txt:8",
        "at": "",
        "from": "system",
        "event": "transfer",
        "customer": "A",
        "agent": "a1",
        "to": "a2",
    }
    assert (chat.expected[0].outcome, chat.expected[0].reason, chat.expected[0].wait_ms) == (
        "excluded",
        "bot_only",
        3_723_000,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10:00:00 customer  x", "x:1: a time before any date"),
        ("2023-01-07\nhello", "x:2: not a line of a transcript"),
        ("2023-01-07\n10:00:00 boss  x", "x:2: nobody speaks here"),
        ("=>", "x:1: an outcome is missing"),
    ],
)
def test_what_is_no_transcript(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(text, "x")
