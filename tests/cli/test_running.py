"""The verbs that talk to a running service, against a real one."""

import json
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import Sanfen, serving

from sanfen.config.load import load
from sanfen.demo.wire import sign
from sanfen.store.opening import open_reader


@pytest.fixture
def shop(sanfen: Sanfen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What `init` writes, at any hour, served as a trial from its own folder; gives what the service says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SANFEN_CONFIG", raising=False)
    assert sanfen("init", ".", "--yes").code == 0
    config = tmp_path / "config/sanfen.yaml"
    text = config.read_text(encoding="utf-8").replace("policy: taobao-2022-01", "policy: always", 1)
    more = "policies: {always: {based_on: taobao-2022-01, window: 00:00-24:00, midnight: none}}\n"
    config.write_text(text.replace("before: 1m30s", "at: 0s") + more, encoding="utf-8")
    with serving(config, "--dry-run") as said:
        yield said


def test_a_chat_by_hand(sanfen: Sanfen, shop: Path) -> None:
    """A question opens a round, an automatic reply does not close it, a person's does; tail tells the same."""
    asked = sanfen("say", "在吗")
    again = sanfen("say", "有人吗", "--from", "buyer:me")
    auto = sanfen("say", "稍等", "--from", "agent:小美", "--auto")
    person = sanfen("say", "有货的", "--from", "agent:小美")
    told = sanfen("tail", "--since", "1h", "--for", "300ms", "--nl")
    lines: list[dict[str, Any]] = [json.loads(line) for line in told.out.splitlines()]

    assert [done.code for done in (asked, again, auto, person)] == [0, 0, 0, 0]
    assert "pending, due" in asked.out
    assert asked.out == again.out
    assert "invalid" in auto.out
    assert "→  pending" in auto.out
    assert "valid" in person.out
    assert "→  met" in person.out
    assert [(one["what"], one["valid"]) for one in lines] == [
        ("ask", None), ("ask", None), ("reply", False), ("met", True),
    ]  # fmt: skip
    assert len({one["round"] for one in lines}) == 1


def test_the_tail_is_narrowed(sanfen: Sanfen, shop: Path) -> None:
    sanfen("say", "在吗", "--from", "buyer:tb_1234567")
    sanfen("say", "在的", "--from", "agent:小美", "--to", "tb_1234567")
    only = sanfen("tail", "--since", "1h", "--for", "100ms", "--only", "met", "--compact")
    other = sanfen("tail", "--since", "1h", "--for", "100ms", "--agent", "莉莉")

    assert "在吗" not in only.out
    assert len(only.out.splitlines()) == 1
    assert other.out == ""


def test_a_service_elsewhere_is_asked_by_its_address_and_a_token(
    sanfen: Sanfen, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No configuration, no log at hand: only what its API gives, to whoever proves who they are."""
    token = "0123456789abcdef0123456789ABCDEF0123456789abcdef"  # of this test
    with config.open("a", encoding="utf-8") as file:
        file.write(f"admin: {{token: {token}}}\n")
    with serving(config):
        settings = load(config, {}).settings
        url = f"http://127.0.0.1:{settings.listen.board_port}"
        sanfen("say", "在吗", "-c", config)
        monkeypatch.chdir(tmp_path.parent)
        refused = sanfen("tail", "--url", url, "--for", "100ms")
        monkeypatch.setenv("SANFEN_TOKEN", token)
        told = sanfen("tail", "--url", url, "--since", "1h", "--for", "100ms", "--compact")
        added = sanfen("quiet", "add", "--url", url, "--for", "1h", "--why", "test")
        listed = sanfen("quiet", "list", "--url", url, "--json")
        traffic = sanfen("tail", "--url", f"http://127.0.0.1:{settings.listen.hooks_port}")

    assert (refused.code, refused.out) == (2, "")
    assert "a token is needed" in refused.err
    assert "opened" in told.out
    assert (added.code, [one["why"] for one in listed.json]) == (0, ["test"])
    assert traffic.code == 2


def test_a_reload_that_fails_says_every_mistake_in_the_operators_language(sanfen: Sanfen, config: Path) -> None:
    with serving(config, "--lang", "zh") as said:
        log = load(config, {}).settings.storage
        process = int(Path(f"{log}.lock").read_text(encoding="utf-8"))
        config.write_text(config.read_text(encoding="utf-8") + "nonsense: 1\ntarget: 9O%\n", encoding="utf-8")
        os.kill(process, signal.SIGHUP)
        text = ""
        for _ in range(200):
            text = said.read_text(encoding="utf-8")
            if "C013" in text:
                break
            time.sleep(0.05)  # until it was read; bounded
        asked = sanfen("rates", log)

    assert "没有键 'nonsense'" in text
    assert "target：不是数：'9O%'" in text
    assert asked.code == 0


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("board.example.com", "--url: this is no web address"),
        ("https://me@board.example.com", "a user name stands in the address"),
    ],
)
def test_an_address_that_is_none(sanfen: Sanfen, url: str, words: str) -> None:
    done = sanfen("tail", "--url", url)

    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_question_that_counts_nowhere_says_why(sanfen: Sanfen, config: Path) -> None:
    """Under a rule whose hours are over whenever the test runs."""
    at_hour = time.gmtime().tm_hour
    hours = f"{(at_hour + 12) % 24:02}:00-{(at_hour + 12) % 24:02}:30"
    rule = f"policies: {{ours: {{based_on: taobao-2022-01, tz: UTC, window: {hours}, midnight: none}}}}"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub("^policies: .*$", rule, text, flags=re.MULTILINE), encoding="utf-8")
    with serving(config):
        done = sanfen("say", "在吗", "-c", config)

    assert done.code == 0
    assert "excluded" in done.out
    assert "hours" in done.out


def test_a_trial_tells_nobody(sanfen: Sanfen, shop: Path) -> None:
    """The first step is due at once; its row says why nobody heard of it."""
    sanfen("say", "在吗")
    log = shop.parent.parent / "data/sanfen.db"
    rows: list[tuple[str, str]] = []
    for _ in range(100):
        with closing(open_reader(log)) as connection:
            rows = [tuple(row) for row in connection.execute("SELECT state, reason FROM escalations")]
        if rows and rows[0][0] not in ("waiting", "sending"):
            break
        time.sleep(0.05)  # until the step was served; bounded
    text = shop.read_text(encoding="utf-8")

    assert rows == [("inhibited", "dry_run")]
    assert "dry run: everything is judged and shown, nobody is told" in text
    assert "/in/desk  kept and scored, not passed on" in text


def test_a_trial_prints_a_line_for_each_message(sanfen: Sanfen, shop: Path) -> None:
    """Direction, who, verdict, evidence and how long it took, as it passes."""
    sanfen("say", "在吗", "--from", "buyer:me")
    sanfen("say", "稍等", "--from", "agent:小美", "--to", "me", "--auto")
    sanfen("say", "有货的", "--from", "agent:小美", "--to", "me")
    found = [line.split() for line in shop.read_text(encoding="utf-8").splitlines() if line.endswith(" ms")]

    assert [row[1:3] for row in found] == [["customer", "me"], ["merchant", "小美"], ["merchant", "小美"]]
    assert [row[3] for row in found] == ["a", "no:", "yes"]  # a question; no, and why; yes
    assert "field" in found[1]
    assert "field" in found[2]


def test_the_doctor_looks_at_a_service(sanfen: Sanfen, shop: Path) -> None:
    done = sanfen("doctor", "--json")
    states = {row["what"]: row["state"] for row in done.json}

    assert [row for row in done.json if row["state"] == "✕"] == []
    assert (states["service"], states["clock"], states["log"], states["gaps"]) == ("✓", "✓", "✓", "✓")


def test_the_doctor_says_why_a_delivery_could_not_be_read(sanfen: Sanfen, shop: Path) -> None:
    """Behind a workflow the sender gets only that one's answer: the operator can see all the same what was wrong."""
    settings = load(Path("config/sanfen.yaml"), {}).settings
    body = b'{"data": {"conversation": "c", "role": "boss", "text": "x"}}'
    secret = Path("secrets/desk").read_text(encoding="utf-8").strip()
    request = urllib.request.Request(  # our own service
        f"http://127.0.0.1:{settings.listen.hooks_port}/in/desk",
        body,
        sign(secret, "1", time.time_ns() // 1_000_000, body),
    )
    with pytest.raises(urllib.error.HTTPError, match="400"):  # here nobody is behind it
        urllib.request.urlopen(request)  # noqa: S310
    found = {row["what"]: row for row in sanfen("doctor", "--json").json}["deliveries"]
    listed = sanfen("query", "data/sanfen.db", "SELECT channel, direction, reason FROM unread", "--json")

    assert found["state"] == "▲"
    assert found["told"] == (
        "of the last 1 1 could not be read (the view unread), the last one on desk: role is not known: 'boss'"
    )
    assert listed.json == [{"channel": "desk", "direction": "in", "reason": "role is not known: 'boss'"}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["say", "x", "--from", "somebody"], "write buyer:ID or agent:NAME"),
        (["say", "x", "--channel", "dsek"], "no channel is called 'dsek'"),
        (["tail", "--for", "long"], "--for: not a duration"),
        (["tail", "--since", "then"], "--since: neither a duration nor a day"),
        (["tail", "--only", "lost"], "'lost' is not one of"),
        (["quiet", "lsit"], "Did you mean 'list'?"),
    ],
)
def test_mistakes_are_one_sentence(sanfen: Sanfen, shop: Path, given: list[str], words: str) -> None:
    done = sanfen(*given)

    assert (done.code, done.out) == (2, "")
    assert words in done.err


@pytest.mark.parametrize("verb", [["say", "x"], ["tail"], ["quiet", "list"]])
def test_nobody_answers_anywhere(
    sanfen: Sanfen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SANFEN_CONFIG", raising=False)
    done = sanfen("--lang", "zh", *verb)

    assert (done.code, done.out) == (3, "")
    assert "没有服务在运行" in done.err


def test_the_doctor_without_anything(sanfen: Sanfen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = sanfen("doctor")

    assert done.code == 1
    assert "none found: sanfen init" in done.out


def test_a_port_that_is_taken_is_said_in_the_readers_language(sanfen: Sanfen, config: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        done = sanfen("--lang", "zh", "serve", "-c", config, "--listen", host)

    assert (done.code, f"无法监听 {host}：地址已被占用" in done.err) == (2, True)


def test_addresses_of_the_command_line_are_checked_like_the_files(sanfen: Sanfen, config: Path) -> None:
    """Off loopback the board needs a token, also where the command line says so."""
    done = sanfen("serve", "-c", config, "--board", "0.0.0.0:8971")
    wrong = sanfen("serve", "-c", config, "--listen", "8970")

    assert (done.code, wrong.code) == (2, 2)
    assert "would be open to anybody on 0.0.0.0" in done.err
    assert "error[C013]" in wrong.err
