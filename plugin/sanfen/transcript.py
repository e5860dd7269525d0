"""Chats one can read aloud: input of the tests, the documents and the command line (docs/transcripts.md).

    # What this shows, and where it is from.
    policy: taobao-2022-01
    2023-01-07
    10:10:15 customer  在吗
    10:18:10 agent 小美  在的
    => late 0:07:55
    !> 10:11:45 lead

A line is a time, who, two spaces, and what they said. Who: ``customer NAME`` or ``agent NAME`` (names may be left out),
or a reply's mode with the bot or agent (``assisted leyan``, ``auto``, ``bot xiaowei``), then fields such as
``customer=B`` or ``customer_type=sub_account``. Without a name the customer is A. A system line has one of the words
``transfer a -> b``, ``handoff``, ``close``, ``tag spam``, ``store away``, ``recall ID``, ``take boss``, ``release boss``,
``escalate boss``. ``=>`` lines say what is expected, in order of opening: the outcome, then its reason and its wait where they
matter; ``!>`` lines say who is told when, or ``!> none``.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from sanfen.core.events import Mode
from sanfen.errors import InputError, Phrase

__all__ = ["Expected", "Told", "Transcript", "is_transcript", "parse", "read_transcript"]

_HEADER = re.compile(r"(policy|tz|as-of|set|holidays):\s*(.*)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LINE = re.compile(r"(\d{2}:\d{2}:\d{2}(?:\.\d{3})?)\s+(.*)")
_WAIT = re.compile(r"(\d+):(\d{2}):(\d{2})")
_SYSTEM = re.compile(r"(transfer|handoff|close|tag|store|recall|take|release|escalate)\b\s*(.*)")
_TOLD = re.compile(r"(\d{2}:\d{2}:\d{2})\s+(.*)|none")
_SPEAKERS = ("customer", "agent", *Mode)


class Expected(NamedTuple):
    """What a transcript says of one round. ``wait_ms``, ``reason`` and ``agent`` only where they stand there."""

    outcome: str
    reason: str | None
    wait_ms: int | None
    line: int
    text: str = ""

    def fits(self, outcome: str, reason: str | None, wait_ms: int | None) -> bool:
        """Whether a round is as it says."""
        return (outcome, reason) == (self.outcome, self.reason) and self.wait_ms in (None, wait_ms)


class Told(NamedTuple):
    """Who is told at a local time of day."""

    clock: str
    names: str
    line: int


class Transcript(NamedTuple):
    """A chat with its settings and verdicts."""

    title: str
    headers: dict[str, str]
    sets: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, Any]], ...]  # line number, fields of sanfen.event/1
    expected: tuple[Expected, ...]
    told: tuple[Told, ...] = ()


def is_transcript(first: str, name: str) -> bool:
    """Whether a log that starts so is a transcript."""
    return first == "#" or name.endswith(".txt")


def read_transcript(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The events of a transcript. Raises InputError with the line."""
    yield from parse(text, name).rows


def parse(text: str, name: str = "transcript") -> Transcript:
    """Read a transcript whole. Raises InputError with the line and how to mend it."""
    headers: dict[str, str] = {}
    sets: list[str] = []
    rows: list[tuple[int, dict[str, Any]]] = []
    expected: list[Expected] = []
    told: list[Told] = []
    title, day = "", ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            title = title or line.lstrip("# ")
        elif line.startswith("=>"):
            expected.append(_expected(line[2:].split(), number, name))
        elif line.startswith("!>"):
            told.append(_told(line[2:].strip(), number, name))
        elif _DATE.fullmatch(line):
            day = line
        elif found := _HEADER.fullmatch(line):
            if found[1] == "set":
                sets.append(found[2])
            else:
                headers[found[1]] = found[2].strip()
        elif found := _LINE.fullmatch(line):
            if not day:
                raise InputError(
                    Phrase("{name}:{number}: a time before any date", name=name, number=number),
                    hint="write a line such as 2023-01-07 first",
                )
            rows.append((number, _row(f"{day}T{found[1]}", found[2], number, name)))
        else:
            raise InputError(
                Phrase(
                    "{name}:{number}: not a line of a transcript: {line!r}", name=name, number=number, line=line[:60]
                ),
                hint=_HINT,
            )
    zone = headers.get("tz", "+08:00")
    if zone == "+08:00":
        rows = [(number, fields | {"at": fields["at"] + zone}) for number, fields in rows]
    return Transcript(title, headers, tuple(sets), tuple(rows), tuple(expected), tuple(told))


_HINT = "write 10:10:15 customer  在吗, or 10:18:10 agent 小美  在的; see docs/transcripts.md"


def _row(at: str, rest: str, number: int, name: str) -> dict[str, Any]:
    head, _, text = rest.replace("\t", "  ").partition("  ")
    who, *words = head.split()
    out: dict[str, Any] = {"id": f"{name.rsplit('/', 1)[-1]}:{number}", "at": at}
    if found := _SYSTEM.fullmatch(head):
        return out | _system(found[1], found[2].split())
    if who not in _SPEAKERS:
        raise InputError(
            Phrase("{name}:{number}: nobody speaks here: {rest!r}", name=name, number=number, rest=rest[:60]),
            hint=_HINT,
        )
    names = [word for word in words if "=" not in word]
    out |= dict(word.split("=", 1) for word in words if "=" in word)
    if text.strip():
        out["text"] = text.strip()
    if who == "customer":
        return {"customer": names[0] if names else "A"} | out | {"from": "customer"}
    out = {"customer": "A"} | out | {"from": "merchant", "mode": "human" if who == "agent" else who}
    if names:
        out["bot" if who in ("assisted", "bot") else "agent"] = names[0]
    return out


def _system(word: str, words: list[str]) -> dict[str, Any]:
    customer = "A"
    if words and words[-1].startswith("customer="):
        customer = words.pop().removeprefix("customer=")
    out: dict[str, Any] = {"from": "system", "event": word, "customer": customer}
    given = " ".join(words)
    if word == "transfer":
        giver, _, taker = (part.strip() for part in given.partition("->"))
        out |= {"agent": giver or None, "to": taker or None}
    elif word in ("take", "release", "escalate"):
        out["agent"] = given or None
    elif word in ("tag", "store", "recall"):
        out[{"tag": "tag", "store": "state", "recall": "message"}[word]] = given
    return out


def _expected(words: list[str], number: int, name: str) -> Expected:
    wait_ms, reason = None, None
    if not words:
        raise InputError(
            Phrase("{name}:{number}: an outcome is missing", name=name, number=number), hint="write => met 0:00:30"
        )
    for word in words[1:]:
        if found := _WAIT.fullmatch(word):
            wait_ms = 1000 * (3600 * int(found[1]) + 60 * int(found[2]) + int(found[3]))
        else:
            reason = word
    return Expected(words[0], reason, wait_ms, number, " ".join(words))


def _told(text: str, number: int, name: str) -> Told:
    found = _TOLD.fullmatch(text)
    if not found:
        raise InputError(
            Phrase("{name}:{number}: nobody is told here: {text!r}", name=name, number=number, text=text[:60]),
            hint="write !> 10:11:45 lead, boss",
        )
    names = ", ".join(part.strip() for part in (found[2] or "none").split(","))
    return Told(found[1] or "", names, number)
