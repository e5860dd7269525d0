"""What the platforms send, and the events it must become: every fixture of every channel that has an adapter.

``tests/adapters/NAME/reading.toml`` says how an adapter reads its fixtures (docs/adapters.md, "Its fixtures").
"""

import json
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from sanfen.abc import Alias, Answer, ChannelAdapter, Direction, Here, ParseError, Pull, Request, Unread
from sanfen.config.build import known_rules
from sanfen.config.schema import Config
from sanfen.config.settings import ChannelSettings, Secret
from sanfen.core.classify import Rule, classify
from sanfen.core.events import SOMEBODY, Close, Handoff, Message, Recall, Tag, Transfer
from sanfen.plugins import Plugins

TESTS = Path(__file__).parent.parent
CHANNELS = TESTS / "data" / "channels"
PLUGINS = Plugins()
HERE = Here("http://us/in/desk", "http://us/out/desk")
RECEIVED_MS = 1_795_309_140_000

# Folders of fixtures that no adapter reads.
NEVER = {
    "discord": "its messages come over a websocket",
    "jd": "its chat interface is for partners only",
    "pdd": "it has no public chat interface",
    "taobao": "no live channel: tests/cli/test_imports.py reads them as exports",
}


def reading(adapter: str) -> dict[str, Any]:
    path = TESTS / "adapters" / adapter / "reading.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


READINGS = {name: reading(name) for name in PLUGINS.channels}
READERS = {folder: name for name, facts in READINGS.items() for folder in facts.get("channels", [name])}
FIXTURES = sorted(path for path in CHANNELS.glob("*/*.json") if path.parent.name in READERS)


def test_every_folder_is_read_or_said_not_to_be() -> None:
    folders = {path.name for path in CHANNELS.iterdir() if path.is_dir()}

    assert folders == {name for name in READERS if (CHANNELS / name).is_dir()} | set(NEVER)
    assert not set(NEVER) & set(READERS)


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def settings_of(channel: str, adapter: str, facts: dict[str, Any]) -> ChannelSettings:
    secrets = tuple(map(Secret, facts.get("secrets", ["a-secret-for-tests"])))
    return ChannelSettings(channel, adapter, secrets=secrets, options=facts.get("options", {}))


def request_of(fixture: dict[str, Any]) -> Request:
    headers = {name.lower(): value for name, value in fixture.get("headers", {}).items()}
    body, form = fixture.get("body", b""), fixture.get("form")
    if form is not None:
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
        body = urlencode(form)
    elif isinstance(body, dict | list):
        headers.setdefault("content-type", "application/json")
        body = json.dumps(body, ensure_ascii=False)
    raw = body.encode() if isinstance(body, str) else body
    return Request(fixture["method"], fixture.get("path", "")[1:], urlencode(fixture.get("query", {})), headers, raw)


def told(adapter: ChannelAdapter, path: Path, facts: dict[str, Any]) -> list[Any]:
    """What an adapter says of a fixture, aliases of earlier ones resolved."""
    fixture, said = load(path), facts.get("fixtures", {}).get(path.stem, {})
    names: dict[str, str] = {}
    for earlier in said.get("after", ()):
        for one in told(adapter, path.with_stem(earlier), facts):
            if isinstance(one, Alias):
                names[one.alias] = one.conversation
    request, direction = request_of(fixture), fixture["direction"]
    if "answers" in said:  # the body is the answer to another fixture's request
        asked = load(path.with_stem(said["answers"]))
        head = {"content-type": said.get("content_type", "application/json")}
        answer, asking = Answer(200, head, request.body), request_of(asked)
        out = list(adapter.heard(asking, answer, asked["direction"], RECEIVED_MS))
    elif "pulled" in said:
        out = list(adapter.pulled(Pull(said["pulled"]), Answer(200, {}, request.body), None, RECEIVED_MS).facts)
    else:
        out = list(adapter.parse(request, direction, RECEIVED_MS))
        if "answer" in said or direction == "out":  # without one, the channel said no more than that it is done
            answer = Answer(200, {"content-type": "application/json"}, said.get("answer", "").encode())
            out += adapter.answered(request, answer, direction, RECEIVED_MS)
    assert not [one for one in out if isinstance(one, Unread)]
    events = [one for one in out if not isinstance(one, Alias | Pull | Unread)]
    called = [names.get(one.key.conversation, one.key.conversation) for one in events]
    aliases = [one for one in out if isinstance(one, Alias)]
    return aliases + [
        one._replace(key=one.key._replace(conversation=name)) for one, name in zip(events, called, strict=True)
    ]


def words(event: Any, wanted: dict[str, Any], rules: tuple[Rule, ...]) -> dict[str, Any]:
    """An event in the words of the fixtures; what a fixture leaves open (an id, a time of receipt) is as it wants it."""
    out: dict[str, Any] = {"conv": event.key.conversation, "msg_id": event.id, "ts_ms": event.at_ms}
    if isinstance(event, Transfer):
        out |= {"kind": "assign", "actor": event.to}
    elif isinstance(event, Close):
        out |= {"kind": "status", "text": "resolved"}
    elif isinstance(event, Recall):
        out = {"kind": "recall", "conv": event.key.conversation, "msg_id": event.message}
    else:
        assert isinstance(event, Message), event
        out |= {"kind": "message", "text": event.text, "evidence": event.rule}
        event = classify(event, rules)
        if event.sender == SOMEBODY:
            out |= {"role": "by-directory", "actor": event.customer}
        elif event.sender == "customer":
            out |= {"role": "customer", "actor": event.customer}
        else:
            kind = "auto" if event.mode == "broadcast" else event.mode  # they have one word for both
            out |= {"actor": event.bot or event.agent, "reply_class": kind, "role": _role(event, wanted)}
            if event.mode == "unknown":
                out["reply_class"] = wanted.get("reply_class")
                assert wanted.get("reply_class") in (None, "by-credential", "by-text-rule", "unknown")
                assert wanted.get("reply_class") != "by-credential" or event.credential
    for left_open in ("msg_id", "ts_ms", "evidence", "actor"):
        if wanted.get(left_open) is None:
            out.pop(left_open, None)
    return out


def _role(event: Message, wanted: dict[str, Any]) -> str | None:
    role = {"human": "agent", "assisted": "bot", "bot": "bot", "auto": "auto", "broadcast": "auto"}.get(event.mode)
    if event.mode == "auto" and wanted.get("role") == "system":
        return "system"
    if event.mode == "unknown" and wanted.get("role") in ("unknown", "by-credential"):
        return str(wanted["role"])
    return role


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_fixture_becomes_its_events(path: Path) -> None:
    """Exactly these. A status other than resolved is no event; what is taken back counts where the fixture tells it."""
    name = READERS[path.parent.name]
    facts = READINGS[name]
    settings = settings_of(path.parent.name, name, facts)
    said = facts.get("fixtures", {}).get(path.stem, {})
    events = [one for one in told(PLUGINS.channel(settings, "shop"), path, facts) if hasattr(one, "key")]
    wanted = [one for one in load(path)["expect"] if one["kind"] != "status" or one.get("text") == "resolved"]
    untold = (Handoff, Tag) if any(one["kind"] == "recall" for one in wanted) else (Handoff, Tag, Recall)
    events = [one for one in events if not isinstance(one, untold)]
    rules = known_rules(Config.model_validate({"version": 1, "bots": facts.get("bots", {})}))
    found = [words(event, one, rules) for event, one in zip(events, wanted, strict=False)]

    assert len(events) == len(wanted), events
    assert found == [{key: one.get(key) for key in row} for one, row in zip(wanted, found, strict=True)]
    stamped = [
        one
        for one, want in zip(events, wanted, strict=True)
        if want.get("ts_ms") is None and want["kind"] != "recall" and not said
    ]
    assert all(one.at_ms == RECEIVED_MS for one in stamped), "without a time it is when it came"


ODD: tuple[Any, ...] = (None, True, -1, 1e300, "", "x", [], [None], ["x"], {}, {"x": 1}, "\ud800", "y" * 600)


def bent(value: Any) -> Iterator[Any]:
    """The value with one of its parts, at any depth, replaced by something odd, or gone."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield {key: one for key, one in value.items() if key != name}
            yield from ({**value, name: odd} for odd in (*ODD, *bent(part)))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from ([*value[:number], odd, *value[number + 1 :]] for odd in (*ODD, *bent(part)))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_bent_fixture_is_facts_or_a_parse_error(path: Path) -> None:
    """Never another exception: that would be an adapter's fault, and the journal would not say what is wrong."""
    name = READERS[path.parent.name]
    fixture, facts = load(path), READINGS[name]
    said = facts.get("fixtures", {}).get(path.stem, {})
    adapter, request = PLUGINS.channel(settings_of(path.parent.name, name, facts), "shop"), request_of(fixture)
    asked = request_of(load(path.with_stem(said["answers"]))) if "answers" in said else request
    for tree in bent(fixture["body"]) if isinstance(fixture.get("body"), dict | list) else ():
        read_all(adapter, request._replace(body=json.dumps(tree).encode()), said.get("answer", "{}").encode())
        read_all(adapter, asked, json.dumps(tree).encode())
    for tree in bent(json.loads(said.get("answer", "{}"))):
        read_all(adapter, request, json.dumps(tree).encode())


def read_all(adapter: ChannelAdapter, request: Request, body: bytes) -> None:
    """Ask the adapter everything it may be asked of a request and its answer."""
    answer = Answer(200, {"content-type": "application/json"}, body)
    directions: tuple[Direction, ...] = ("in", "out")
    for direction in directions:
        with suppress(ParseError):
            adapter.parse(request, direction, RECEIVED_MS)
        with suppress(ParseError):
            adapter.answered(request, answer, direction, RECEIVED_MS)
        with suppress(ParseError):
            adapter.rewrite(request, direction, HERE)
        with suppress(ParseError):
            adapter.handshake(request, direction)
    with suppress(ParseError):
        adapter.pulled(Pull("x"), answer, None, RECEIVED_MS)


CALLS = [
    path for path in FIXTURES if "answer" in READINGS[READERS[path.parent.name]].get("fixtures", {}).get(path.stem, {})
]
FETCHED = {"getUpdates_batch": "what a poll fetched stands in its answer alone"}


@pytest.mark.parametrize("path", CALLS, ids=lambda path: f"{path.parent.name}/{path.stem}")
@pytest.mark.parametrize("body", [b"", b"{}", b'{"ok": true}'])
def test_a_call_tells_what_it_sent_though_its_answer_does_not(path: Path, body: bytes) -> None:
    """Only id and time are the answer's: to whom, what and by whom is the call's. What was refused was not sent."""
    name = READERS[path.parent.name]
    fixture, facts = load(path), READINGS[name]
    adapter, request = PLUGINS.channel(settings_of(path.parent.name, name, facts), "shop"), request_of(fixture)
    answer = Answer(200, {"content-type": "application/json"}, body)
    wanted = [one for one in fixture["expect"] if one["kind"] == "message" and path.stem not in FETCHED]
    sent = [one for one in adapter.answered(request, answer, "out", RECEIVED_MS) if isinstance(one, Message)]

    assert [one.text for one in sent] == [one.get("text") for one in wanted]
    assert not adapter.answered(request, answer._replace(status=500), "out", RECEIVED_MS)
