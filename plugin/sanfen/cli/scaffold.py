"""The files a new adapter begins with. Its tests fail until it says what its channel means."""

import json
import re
from pathlib import Path

from sanfen.cli.writing import written
from sanfen.errors import InputError, Phrase

__all__ = ["write"]

_NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")

_MANIFEST = """\
class = "{kind}"
title = {{ en = "{title}", zh = "{title}" }}
signature = "{signature}"  # a row of sanfen_adapters/signatures.py
reads = ["messages"]
directions = ["in"]
who_answered = "field"  # field | credential | directory | text
ack = "store"  # passthrough: the workflow's answer is a message itself
"""

_CLASS = '''\
"""{title}."""

from collections.abc import Sequence

from sanfen.abc import Direction, Fact, Request
{imports}

__all__ = ["{kind}"]


class {kind}(SignedChannel):
    """{title}: what it reads, in a sentence."""

    name = "{name}"
    scheme = SCHEMES["{signature}"]

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What a request tells. Raises ParseError."""
        return parse(request, direction, self.place(received_ms))
'''

_IMPORTS = (
    "from sanfen_adapters.signatures import SCHEMES",
    "from sanfen_adapters.signed import SignedChannel",
)

_PARSE = '''\
"""{title}'s bodies as events. Pure.

Who answered: say here which field tells it, and what does not.
"""

from collections.abc import Sequence

from sanfen.abc import Direction, Event, Place, Request, dig, json_object

__all__ = ["parse"]


def parse(request: Request, direction: Direction, place: Place) -> Sequence[Event]:
    """The events of a delivery; none for what is no conversation's business. Raises ParseError."""
    body = json_object(request.body)
    if "message" not in body or direction == "out":
        return ()
    where = (body.get("conversation"), dig(body, "message", "id"), dig(body, "message", "time"))
    text = dig(body, "message", "text")
    if dig(body, "message", "sender") == "customer":
        return [place.ask(*where, customer=body.get("customer"), text=text, rule="message.sender")]
    return [place.reply(*where, "unknown", text=text, agent=dig(body, "message", "sender"), rule="message.sender")]
'''

_FIXTURE = {
    "channel": "{name}",
    "name": "question",
    "basis": "doc",
    "source": "where it is documented",
    "direction": "in",
    "method": "POST",
    "body": {"TODO": "what the platform sends"},
    "expect": [
        {"kind": "message", "role": "customer", "conv": "c1", "msg_id": "1", "ts_ms": 1795309132000, "text": "在吗"}
    ],
}

_TEST = '''\
"""{title}: what its fixtures do not show."""

from sanfen.abc import Message, Place, Request
from {package}.parse import parse

PLACE = Place("shop", "desk", 1_795_309_140_000)


def test_an_unmarked_reply_is_unknown() -> None:
    """Never silently a person's."""
    body = b'{{"conversation": "c1", "message": {{"id": "2", "time": 1795309132, "sender": "lily", "text": "x"}}}}'
    (event,) = parse(Request("POST", "", "", {{}}, body), "in", PLACE)

    assert isinstance(event, Message)
    assert (event.mode, event.agent) == ("unknown", "lily")
'''

_PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "sanfen-{dashed}"
version = "0.1.0"
dependencies = ["sanfen"]

[project.entry-points.sanfen]
{name} = "{package}.plugin"  # and in sanfen.yaml: plugins: [{name}]
"""

_PLUGIN = '''\
"""What sanfen finds."""

from sanfen.abc import ChannelAdapter
from sanfen.hookspecs import hookimpl
from {package} import {kind}

__all__ = ["register_adapters"]


@hookimpl
def register_adapters() -> list[type[ChannelAdapter]]:
    """The adapter of this package."""
    return [{kind}]
'''


def write(name: str, into: Path, signature: str) -> list[Path]:
    """Write a new adapter's files, and return them. Raises InputError: a bad name, or something is there already."""
    if not _NAME.fullmatch(name):
        raise InputError(
            Phrase("not a name for an adapter: {name!r}", name=name),
            hint="write small letters, digits and _: line, wecom_kf",
        )
    ours = into / "adapters" / "sanfen_adapters" / "channels"
    package = f"sanfen_adapters.channels.{name}" if ours.is_dir() else f"sanfen_{name}"
    words = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "kind": "".join(part.capitalize() for part in name.split("_")) + "Channel",
        "signature": signature,
        "package": package,
        "dashed": name.replace("_", "-"),
        "imports": "\n".join(sorted((*_IMPORTS, f"from {package}.parse import parse"))),
    }
    fixture = json.dumps(_FIXTURE | {"channel": name}, ensure_ascii=False, indent=1) + "\n"
    if ours.is_dir():
        folder, tests = ours / name, into / "tests" / "adapters" / name
        extra = {
            into / "tests" / "data" / "channels" / name / "question.json": fixture,
            folder / "manifest.toml": _MANIFEST,
        }
    else:
        top = into / f"sanfen-{words['dashed']}"
        folder, tests = top / package, top / "tests"
        extra = {top / "pyproject.toml": _PROJECT, folder / "plugin.py": _PLUGIN, tests / "question.json": fixture}
    files = {
        folder / "__init__.py": _CLASS,
        folder / "parse.py": _PARSE,
        tests / "test_parse.py": _TEST,
        **extra,
    }
    there = [path for path in files if path.exists()]
    if there:
        raise InputError(
            Phrase("{path} is there already", path=there[0]), hint="choose another name, or remove it first"
        )
    for path, text in files.items():
        written(path, text if text is fixture else text.format_map(words), makes_folders=True)
    return sorted(files)
