"""The verbs that ask of the ladder before anything happens, and those that quiet it."""

import json
from pathlib import Path

import pytest
from tests.bulk.test_trials import CHAT
from tests.cli.command import Sanfen
from tests.ports import free_port


def test_route_says_who_would_be_told(sanfen: Sanfen, config: Path) -> None:
    done = sanfen("route", "-c", config, "agent=lily", "at=2023-01-07T20:57:00")

    assert done.code == 0
    assert done.out.splitlines() == [
        f"{config}:14  default",
        "  1m      → lily (agent)",
        "  2m      → lead",
        "  2m30s   reassign to backup",
    ]


def test_route_says_who_is_not_there(sanfen: Sanfen, config: Path) -> None:
    done = sanfen("route", "-c", config, "at=2023-01-07T21:00:00", "--expect", "other")

    assert done.code == 1
    assert "→ boss (fallback)  [agent nobody holds it]" in done.out
    assert "→ boss (fallback)  [lead is off duty]" in done.out


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (["chanel=desk"], "not a fact: 'chanel=desk'"),
        (["hour=25"], "hour: not a clock time: '25:00'"),
        (["policy=jd-art"], "scores by no policy 'jd-art'"),
        (["at=soon"], "at is not a time"),
    ],
)
def test_route_with_a_bad_fact(sanfen: Sanfen, config: Path, facts: list[str], words: str) -> None:
    done = sanfen("route", "-c", config, *facts)

    assert (done.code, words in done.err) == (2, True)


def test_a_route_in_every_form(sanfen: Sanfen, config: Path) -> None:
    rows = sanfen("route", "-c", config, "--json").json
    forms = [sanfen("route", "-c", config, form).out for form in ("--csv", "--nl", "--md")]

    assert [row["ladder"] for row in rows] == [rows[0]["ladder"]] * len(rows)
    assert all(rows[0]["due"] in form for form in forms)


@pytest.mark.parametrize("fact", ["channel=nowhere", "group=nobody"])
def test_a_route_of_what_is_not_there(sanfen: Sanfen, config: Path, fact: str) -> None:
    done = sanfen("route", "-c", config, fact)

    assert (done.code, done.out) == (2, "")
    assert f"{fact}: the configuration has none of this name" in done.err


def test_route_where_no_ladder_matches(sanfen: Sanfen, config: Path) -> None:
    done = sanfen("route", "-c", config, "policy=pdd-3m")

    assert (done.code, done.out.strip()) == (1, "no ladder of pdd-3m matches")


def test_chats_as_tests(sanfen: Sanfen, config: Path, tmp_path: Path) -> None:
    chats = tmp_path / "chats"
    chats.mkdir()
    (chats / "a.txt").write_text(CHAT, encoding="utf-8")
    good = sanfen("test", chats, "-c", config)
    (chats / "b.txt").write_text(CHAT.replace("=> late", "=> met"), encoding="utf-8")
    bad = sanfen("test", chats, "-c", config)
    only = sanfen("test", chats, "-c", config, "-k", "a.txt", "-v")
    other = sanfen("test", chats, "--policy", "pdd-3m", "-k", "a.txt")

    assert (good.code, good.out.strip(), only.code) == (0, "1 passed, 0 failed", 0)
    assert only.out.startswith(f"✓ {chats / 'a.txt'}: ")
    assert (other.code, "expected late 0:10:00" in other.out) == (1, True)
    assert bad.code == 1
    assert f"{chats / 'b.txt'}:6: expected met 0:10:00, found late 0:10:00" in bad.out


def test_a_chat_that_is_none(sanfen: Sanfen, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello\n", encoding="utf-8")
    done = sanfen("test", tmp_path / "x.txt")

    assert (done.code, "not a line of a transcript" in done.err) == (2, True)


def test_a_silence_is_begun_listed_and_ended(sanfen: Sanfen, served: Path) -> None:
    added = sanfen("quiet", "add", "-c", served, "--for", "2h", "--why", "move", "--by", "boss")
    listed = sanfen("quiet", "list", "-c", served, "--json")
    wrong = sanfen("quiet", "add", "-c", served, "--for", "2:30", "--why", "move")
    ended = sanfen("quiet", "end", "-c", served, added.out.strip())
    again = sanfen("quiet", "end", "-c", served, added.out.strip())
    (row,) = json.loads(listed.out)

    assert (added.code, row["why"], row["by"], row["until_ms"] - row["from_ms"]) == (0, "move", "boss", 7_200_000)
    assert (wrong.code, "not a duration: '2:30'" in wrong.err) == (2, True)
    assert (ended.code, again.code) == (0, 2)
    assert json.loads(sanfen("quiet", "list", "-c", served, "--json").out) == []


def test_no_service_answers(sanfen: Sanfen, config: Path) -> None:
    with config.open("a", encoding="utf-8") as file:
        file.write(f"listen: {{board: 127.0.0.1:{free_port()}}}\n")
    done = sanfen("quiet", "list", "-c", config)

    assert (done.code, "no service answers at http://127.0.0.1:" in done.err) == (3, True)
    assert "/api/" not in done.err
