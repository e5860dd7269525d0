"""Fuzzing, grammar first: every way in from strangers. A target takes dice and fails if anything but a refusal comes out.

python tests/faults/fuzz.py TARGET COUNT [SEED]     blind: so many inputs, from one seed
"""

import atexit
import base64
import gzip
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import sha256
from hmac import digest
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from sanfen.abc import Direction, Event, Key, ParseError, Request, VerifyError, json_rows, read_event
from sanfen.bulk.sources import Log, OutOfOrder
from sanfen.config.load import inspect
from sanfen.config.yaml import read_text
from sanfen.errors import InputError
from sanfen.store import journal
from sanfen.strictjson import strict_json
from sanfen.wire import event_fields
from sanfen_adapters import signatures
from sanfen_adapters.channels.generic import GenericChannel

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parent.parent.parent))
from tests.faults import doors
from tests.faults.grammar import Bytes, Grammar

__all__ = ["SHARES", "TARGETS", "Bytes", "Hang", "blind", "saved"]

NOW_MS = 1_700_000_000_000
HANG_S = 1.0  # of processor time
KEY = b"a secret of the fuzzer"
CHANNEL = GenericChannel("shop", "desk", ["a secret of the fuzzer"], {})
MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of its own in it
FOLDER = Path(tempfile.mkdtemp(prefix="sanfen-fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
OWNER = os.getpid()
EXPECTED_SIGNED = ("webhook-id", "webhook-timestamp")


@atexit.register
def tidy() -> None:
    """Whoever made the folder removes it; a forked child does not."""
    if os.getpid() == OWNER:
        shutil.rmtree(FOLDER, ignore_errors=True)


class Hang(Exception):  # noqa: N818  # what the alarm raises
    """An input took longer than any should."""


def ingest(dice: Any) -> None:
    """A delivery's body and headers, in every dialect: events that can be kept, or ParseError."""
    grammar = Grammar(dice)
    body, headers = grammar.body(), grammar.headers()
    direction: Direction = grammar.one("in", "out")
    with suppress(ParseError):
        for event in CHANNEL.parse(Request("POST", "", "", headers, body), direction, NOW_MS):
            _keepable(event)
    with suppress(ParseError):
        for row in json_rows(body):
            with suppress(ParseError):
                _keepable(read_event(row.value))
    with suppress(ParseError):
        json.dumps(strict_json(body), ensure_ascii=False).encode()


def _keepable(event: Event) -> None:
    """It goes into the journal and comes back as it is, from its row and from its public form."""
    row = journal._row(event, 1, 1, "UTC", keep_text=True)
    for cell in row:
        if isinstance(cell, str):
            cell.encode()
            assert "\0" not in cell, cell
        elif cell is not None and not isinstance(cell, bytes):
            assert -(2**63) <= cell < 2**63, cell
    assert journal._event(Key(*row[2:5]), *row[5:-2]) == event
    assert read_event(event_fields(event)) == event


def signed(dice: Any) -> None:
    """Signature headers: what was signed passes, what differs by a byte does not, and nothing else comes out."""
    grammar = Grammar(dice)
    body, name = grammar.body(), grammar.one("m1", "é", "a b", "x" * 300)
    stamp = str(NOW_MS // 1000 + dice.randrange(601) - 300)
    mac = digest(KEY, f"{name}.{stamp}.".encode() + body, sha256)
    given = {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
    headers, sent = dict(given), body
    changed = False
    for _ in range(dice.randrange(4)):
        kind = dice.randrange(5)
        header = grammar.one(*given)
        if kind == 0:
            sent = grammar.broken(sent)
        elif kind == 1:
            headers.pop(header, None)
        elif kind == 2:
            headers[header] = grammar.broken(headers.get(header, "").encode("utf-8", "surrogateescape")).decode(
                "utf-8", "surrogateescape"
            )
        elif kind == 3:
            headers[header] = str(
                grammar.one(
                    "",
                    " ",
                    "v1,",
                    "v1",
                    "v2,AAAA",
                    "v1a,x v1,y",
                    "1_0",
                    " 12 ",
                    "١٢",
                    "1" * 13,
                    "-1",
                    "é",
                    "\udcff",
                    "1e9",
                )
            )
        else:
            headers["webhook-signature"] = f"v1,AAAA {headers.get('webhook-signature', '')} v9,x"
    changed = sent != body or any(headers.get(one) != given[one] for one in EXPECTED_SIGNED)
    changed |= given["webhook-signature"] not in headers.get("webhook-signature", "").split(" ")
    try:
        signatures.check(signatures.STANDARD_WEBHOOKS, Request("POST", "", "", headers, sent), (KEY,), NOW_MS)
    except VerifyError:
        assert changed, headers
    else:
        assert not changed, headers


def yaml(dice: Any) -> None:
    """A configuration: a tree of texts and findings; now and then all the way to settings."""
    grammar = Grammar(dice)
    raw = grammar.yaml()
    text = raw.decode("utf-8", "replace")
    document = read_text(text, "fuzz.yaml", {"X": "x"})
    for finding in document.findings:
        finding.render().encode("utf-8", "surrogatepass")
    if dice.randrange(16) == 0:
        file = FOLDER / "fuzz.yaml"
        file.write_bytes(raw)
        for finding in inspect(file, {"X": "x"})[1]:
            finding.render().encode("utf-8", "surrogatepass")


def replay(dice: Any) -> None:
    """A log file: events that can be kept, or InputError with the file's name."""
    grammar = Grammar(dice)
    kind = dice.randrange(4)
    raw, name = (
        (grammar.table(), grammar.one("a.csv", "a.tsv", "a.txt", "a")) if kind == 0
        else (grammar.lines(), grammar.one("a.jsonl", "a.json", "a")) if kind == 1
        else (grammar.transcript(), grammar.one("a.txt", "a"))  if kind == 2
        else (grammar.body(), grammar.one("a.csv", "a.jsonl", "a.txt", "a"))
    )  # fmt: skip
    raw = grammar.broken(raw) if grammar.often(0.2) else raw
    if dice.randrange(16) == 0:
        raw, name = gzip.compress(raw, 1), name + ".gz"
        raw = grammar.broken(raw) if grammar.often(0.5) else raw
    file = FOLDER / name
    file.write_bytes(raw)
    try:
        with Log(file, zone=grammar.one(None, ZoneInfo("Asia/Shanghai"))) as log:
            try:
                events = list(log.events())
            except OutOfOrder:
                events = list(log.events())
            for event in events:
                _keepable(event)
    except InputError as error:
        if name not in error.message and "column" not in error.message:
            raise AssertionError(f"it does not say which file: {error.message}") from error


TARGETS: dict[str, Callable[[Any], None]] = {
    "ingest": ingest, "signed": signed, "yaml": yaml, "replay": replay, "http": doors.http, "board": doors.board,
}  # fmt: skip
SHARES = {"ingest": 0.45, "signed": 0.3, "yaml": 0.08, "replay": 0.12, "http": 0.04, "board": 0.01}
"""How many of a run's inputs each target gets: those that are fast get more."""


def saved(name: str) -> list[bytes]:
    """The corpus that coverage-guided runs have left for a target."""
    file = Path(__file__).with_name("corpus") / f"{name}.hex"
    return [bytes.fromhex(line) for line in file.read_text(encoding="ascii").splitlines()] if file.is_file() else []


@contextmanager
def _alarmed() -> Iterator[Callable[[], object]]:
    """A function that gives the next input its time; who takes longer gets ``Hang``."""

    def raise_it(_number: int, _frame: FrameType | None) -> NoReturn:
        raise Hang

    old = signal.signal(signal.SIGPROF, raise_it)
    try:
        yield partial(signal.setitimer, signal.ITIMER_PROF, HANG_S)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def blind(name: str, count: int, seed: int, start: int = 0) -> None:
    """So many inputs for a target. Raises AssertionError naming the input that failed, and how to have it again."""
    target = TARGETS[name]
    with _alarmed() as alarm:
        for number in range(start, start + count):
            alarm()
            try:
                target(Random(f"{name} {seed} {number}"))
            except BaseException as error:
                again = f".venv/bin/python tests/faults/fuzz.py {name} 1 {seed} {number}"
                raise AssertionError(f"{type(error).__name__}: {error}\nreplay: {again}") from error


if __name__ == "__main__":
    name, count, *rest = sys.argv[1:]
    begun = time.perf_counter()
    blind(name, int(count), *map(int, rest))
    print(f"{name}: {count} inputs, {time.perf_counter() - begun:.0f} s, no failure")  # noqa: T201
