"""Strangers' bytes at every way in: refused or taken, never a crash, a 5xx, a hang, or what cannot be kept.

``make fuzz`` runs 10,000,000 inputs (``SANFEN_FUZZ``), ``make fuzz-guided`` lets coverage choose them.
"""

import hmac
import os
import time
from types import SimpleNamespace
from typing import Any

import pytest
from tests.faults import fuzz
from tests.faults.seed import SEED

from sanfen import strictjson
from sanfen.board.api import routes
from sanfen.bulk import columns
from sanfen.config.yaml import Document
from sanfen.gateway import events
from sanfen_adapters import signatures

INPUTS = int(os.environ.get("SANFEN_FUZZ", "10000"))
ENOUGH = 5_000


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_no_input_does_harm(name: str) -> None:
    count, began = max(200, int(INPUTS * fuzz.SHARES[name])), time.perf_counter()
    fuzz.blind(name, count, SEED)
    print(f"{name}: {count:,} inputs, no failure, {time.perf_counter() - began:.0f} s")  # noqa: T201  # the long run says how many


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_what_coverage_found_does_none_either(name: str) -> None:
    for data in fuzz.saved(name):
        fuzz.TARGETS[name](fuzz.Bytes(data))


def forgiving(wanted: bytes, given: bytes) -> bool:
    return given.startswith(wanted[:20])


def off_by_one(self: Document, code: str, message: str, line: int, column: int, width: int, **more: str) -> Any:
    return (self.lines[line], RIGHT_AT(self, code, message, line, column, width, **more))[1]


RIGHT_AT = Document.at
RIGHT_CHECK = routes.check
BUGS: dict[str, tuple[Any, str, Any]] = {
    "ingest": (strictjson, "_mended", lambda value: value),
    "signed": (signatures, "hmac", SimpleNamespace(digest=hmac.digest, compare_digest=forgiving)),
    "yaml": (Document, "at", off_by_one),
    "replay": (columns.Columns, "fields", lambda self, row: {f: row[c] for f, (c, _, _) in self._rules.items()}),
    "http": (events, "_place", lambda error: {"field": error.inner.field}),
    "board": (routes, "check", lambda wanted, given, what: dict(given) | RIGHT_CHECK(wanted, (), what)),
}
"""For each target a mistake somebody could make: half a character passed on, a signature compared in part, a line too
far, a short row, a field that errors do not have, parameters that nobody checked."""


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And without it the same inputs pass."""
    monkeypatch.setattr(*BUGS[name])

    with pytest.raises(AssertionError, match=f"replay: .*fuzz.py {name} 1 {SEED} "):
        fuzz.blind(name, ENOUGH, SEED)
