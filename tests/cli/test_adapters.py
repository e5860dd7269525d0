"""``sanfen adapters``: as somebody uses it who writes one."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.cli.command import Sanfen

from sanfen_adapters.signatures import SCHEMES

FIXTURES = Path(__file__).parent.parent / "data" / "channels" / "chatwoot"
CONFIG = """version: 1
channels:
  cw: {adapter: chatwoot, secret: aaaaaaaaaaaaaaaa}
bots: {faq: {ids: ["agent_bot:3"], mode: assisted}}
"""


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> object:
    def set_to(body: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(body)))

    return set_to


def body(name: str) -> bytes:
    return json.dumps(json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))["body"]).encode()


def test_the_list(sanfen: Sanfen) -> None:
    done = sanfen("adapters", "--json")

    assert {"generic", "chatwoot"} <= {one["name"] for one in done.json}


def test_what_a_payload_becomes(sanfen: Sanfen, typed: object) -> None:
    typed(body("outgoing_agent_bot"))  # type: ignore[operator]
    (row,) = sanfen("adapters", "check", "chatwoot", "--json").json

    assert (row["mode"], row["why"], row["evidence"]) == ("bot", "sender.type=agent_bot", "field")
    assert row["counts"].startswith("no")


def test_by_a_configuration(sanfen: Sanfen, typed: object, tmp_path: Path) -> None:
    """Its bots and its policy decide."""
    config = tmp_path / "sanfen.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    typed(body("outgoing_agent_bot"))  # type: ignore[operator]
    (row,) = sanfen("adapters", "check", "cw", "-c", config, "--json").json

    assert (row["mode"], row["who"]) == ("assisted", "faq")
    typed(b"{}")  # type: ignore[operator]
    assert sanfen("adapters", "check", "nothing", "-c", config).code == 2


def test_what_cannot_be_read_or_tells_nothing(sanfen: Sanfen, typed: object) -> None:
    typed(b"[]")  # type: ignore[operator]
    done = sanfen("adapters", "check", "chatwoot")
    assert (done.code, done.err.partition(":")[0]) == (1, "cannot be read")

    typed(body("private_note"))  # type: ignore[operator]
    done = sanfen("adapters", "check", "chatwoot")
    assert (done.code, "tells nothing" in done.err) == (0, True)


def test_what_an_answer_tells(sanfen: Sanfen, typed: object, tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text('{"id": 9003, "content": "x", "sender": {"id": 5, "type": "user"}}', encoding="utf-8")
    typed(b"{}")  # type: ignore[operator]
    path = "/api/v1/accounts/1/conversations/12/messages"
    (row,) = sanfen("adapters", "check", "chatwoot", "--out", "--path", path, "--answer", answer, "--json").json

    assert (row["conversation"], row["id"]) == ("1/12", "9003")


def test_what_a_stream_tells(sanfen: Sanfen, typed: object, tmp_path: Path) -> None:
    """By its tap, as the service reads it while it is written."""
    stream = tmp_path / "answer.txt"
    said = '{"event": "message", "message_id": "d1", "conversation_id": "c", "answer": "有货"}'
    stream.write_text(f'data: {said}\n\ndata: {{"event": "message_end"}}\n\n', encoding="utf-8")
    typed(b'{"query": "x", "user": "A", "conversation_id": "c"}')  # type: ignore[operator]
    how = ("--answer", stream, "--answer-type", "text/event-stream")
    asked, answered = sanfen("adapters", "check", "botengine", *how, "--json").json

    assert (asked["what"], answered["id"], answered["text"], answered["mode"]) == ("customer", "d1", "有货", "bot")


def test_an_answer_of_another_status(sanfen: Sanfen, typed: object, tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text('{"sid": "SM2", "to": "+1", "from": "+2", "body": "x"}', encoding="utf-8")
    path = ("--out", "--path", "/2010-04-01/Accounts/AC1/Messages.json", "--answer", answer, "--json")
    typed(b"")  # type: ignore[operator]
    (row,) = sanfen("adapters", "check", "twilio", *path, "--status", "201").json
    typed(b"")  # type: ignore[operator]

    assert row["id"] == "SM2"
    assert sanfen("adapters", "check", "twilio", *path, "--status", "400").json == []


@pytest.mark.parametrize("name", ["Line", "a", "x-y", "../x", "1x"])
def test_names_that_are_none(sanfen: Sanfen, tmp_path: Path, name: str) -> None:
    assert sanfen("adapters", "new", name, "--into", tmp_path).code == 2
    assert not list(tmp_path.iterdir())


def test_a_package_of_its_own_is_found_and_its_tests_pass(sanfen: Sanfen, tmp_path: Path) -> None:
    """By another process, through its hook; the template's own test passes, and nothing is written over."""
    assert sanfen("adapters", "new", "our_desk", "--into", tmp_path).code == 0
    top = tmp_path / "sanfen-our-desk"
    code = "import sanfen_our_desk.plugin as p; from sanfen.plugins import Plugins; print(*Plugins([p]).channels)"
    run = [sys.executable, "-c", code]
    env = os.environ | {"PYTHONPATH": str(top)}
    assert subprocess.run(run, env=env, capture_output=True, check=True, text=True).stdout.split() == ["our_desk"]
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(top), str(top / "tests")]
    assert subprocess.run(tests, env=env, capture_output=True, check=False, cwd=top).returncode == 0
    assert sanfen("adapters", "new", "our_desk", "--into", tmp_path).code == 2


def test_in_the_source_tree_it_is_a_folder(sanfen: Sanfen, tmp_path: Path) -> None:
    (tmp_path / "adapters" / "sanfen_adapters" / "channels").mkdir(parents=True)
    assert sanfen("adapters", "new", "our_desk", "--into", tmp_path, "--signature", "slack").code == 0
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}

    assert found == {
        "adapters/sanfen_adapters/channels/our_desk/__init__.py",
        "adapters/sanfen_adapters/channels/our_desk/manifest.toml",
        "adapters/sanfen_adapters/channels/our_desk/parse.py",
        "tests/adapters/our_desk/test_parse.py",
        "tests/data/channels/our_desk/question.json",
    }
    assert "slack" in SCHEMES
