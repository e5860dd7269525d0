"""The log: lines that cannot be forged, that hide what must not be seen, and that never raise into the caller."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from sanfen.log import OneLine, Throttle, configure, dropped_lines, is_debugging


@pytest.fixture
def out() -> Iterator[StringIO]:
    stream = StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    configure("info", stream=stream)
    yield stream
    structlog.reset_defaults()
    logging.getLogger().handlers[:], logging.getLogger().level = before[0], before[1]


def lines(out: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_a_json_object(out: StringIO) -> None:
    structlog.get_logger("x").info("在吗\nforged: line", channel="desk", number=1)

    (line,) = lines(out)
    assert (line["event"], line["level"], line["channel"], line["number"]) == ("在吗\nforged: line", "info", "desk", 1)
    assert line["timestamp"].endswith("Z")


def test_lower_levels_are_silent(out: StringIO) -> None:
    structlog.get_logger("x").debug("quiet")

    assert not out.getvalue()
    assert not is_debugging()


def test_what_must_not_be_seen_is_not(out: StringIO) -> None:
    structlog.get_logger("x").warning(
        "fine", secret="CANARY", webhook_signature="CANARY", Authorization="CANARY", body=b"CANARY", text="CANARY"
    )

    assert "CANARY" not in out.getvalue()
    assert lines(out)[0]["secret"] == "***"


class Evil:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class Full:
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")

    def isatty(self) -> bool:
        return False


def test_a_log_call_never_raises(out: StringIO) -> None:
    """A bad ``__repr__``, a payload with our own keys, arguments that do not fit, a full disk."""
    log = structlog.get_logger("x")
    before = dropped_lines()

    log.info("evil", thing=Evil())
    payload = {"event": "theirs", "level": "theirs"}
    log.info("payload", **payload)
    log.info("%d %d", *[1])
    log.info(Evil())
    configure("info", stream=Full())  # type: ignore[arg-type]
    structlog.get_logger("x").error("full")
    logging.getLogger("lib").error("full %d", "x")

    assert dropped_lines() > before
    assert lines(out)[0]["event_field"] == "theirs"


def test_tracebacks_show_no_local_variables(out: StringIO) -> None:
    password = "CANARY" + str(len(out.getvalue()))

    try:
        json.loads("what happened")
    except ValueError:
        structlog.get_logger("x").exception("failed")

    assert password not in out.getvalue()
    assert "JSONDecodeError" in lines(out)[0]["exception"]


def test_libraries_are_bridged(out: StringIO) -> None:
    logging.getLogger("aiohttp.access").info("GET /x?token=t")
    logging.getLogger("apscheduler").warning("run %s missed", "job")

    (line,) = lines(out)
    assert (line["event"], line["logger"], line["level"]) == ("run job missed", "apscheduler", "warning")


def test_a_terminal_line_cannot_be_forged() -> None:
    stream = StringIO()
    configure("info", stream=stream, plain=True)
    try:
        structlog.get_logger("x").info("one\x1b[31m\nERROR forged", customer="a\u202eb")
    finally:
        structlog.reset_defaults()

    assert stream.getvalue().count("\n") == 1
    assert "\\x1b" in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


def test_a_throttle_counts_what_it_swallows() -> None:
    throttle = Throttle(1_000)

    assert [throttle.take("a", now_ms) for now_ms in (0, 1, 999, 1_000, 1_001)] == [0, None, None, 2, None]
    assert throttle.take("b", 1) == 0
    assert throttle.take("a", 5) == 1, "a clock that was set back does not silence it"


def test_a_throttle_forgets_rather_than_grows() -> None:
    throttle = Throttle()
    for number in range(5_000):
        throttle.take(str(number), 0)

    assert len(throttle._last) <= 1_000


def test_other_peoples_faults_are_one_line_ours_are_whole() -> None:
    from aiohttp.http_exceptions import BadStatusLine

    filter_ = OneLine(lambda: 0)

    def record(error: Exception) -> logging.LogRecord:
        return logging.LogRecord("x", logging.ERROR, "", 0, "text", (), (type(error), error, None))

    first, second, ours = record(BadStatusLine("x")), record(BadStatusLine("y")), record(KeyError("bug"))

    assert [filter_.filter(one) for one in (first, second, ours)] == [True, False, True]
    assert (first.exc_info, first.getMessage()) == (None, "broken request: BadStatusLine (and 0 more like it)")
    assert ours.exc_info is not None
