"""The log: lines that cannot be forged, that hide what must not be seen, and that never raise into the caller."""

import asyncio
import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from sanfen.errors import StoreError
from sanfen.log import OneLine, Throttle, configure, dropped_lines, is_debugging, on_loop_error


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


def fail(error: Exception, cause: Exception | None = None) -> None:
    if cause is not None:
        try:
            fail(cause)
        except type(cause) as first:
            raise error from first
    raise error


def test_a_librarys_words_are_not_logged(out: StringIO) -> None:
    """An exception quotes what it was given; only ours, the system's and SQLite's words are known to quote nothing."""
    log = structlog.get_logger("x")
    for error in (KeyError("CANARY"), ValueError("CANARY"), ExceptionGroup("CANARY", [ValueError("CANARY")])):
        try:
            fail(RuntimeError("CANARY"), error)
        except RuntimeError:
            log.exception("failed")
    try:
        fail(StoreError("the disk is full"))
    except StoreError:
        log.exception("failed")

    found = [line["exception"] for line in lines(out)]
    assert "CANARY" not in out.getvalue().replace('fail(RuntimeError(\\"CANARY\\"), error)', "")  # the line of code
    assert "KeyError (its words are not logged)" in found[0]
    assert found[0].index("KeyError") < found[0].index("RuntimeError")
    assert found[-1].endswith("StoreError: the disk is full")


def test_a_library_cannot_fill_the_disk(out: StringIO) -> None:
    for number in range(500):
        logging.getLogger("lib").warning("again %d", number)
    logging.getLogger("lib").warning("something else")

    assert [line["event"] for line in lines(out)] == ["again 0", "something else"]


async def test_the_loops_own_complaints_show_no_objects(out: StringIO) -> None:
    """Asyncio shows the task that failed, its coroutine and its exception, and with them what they hold."""
    loop = asyncio.get_running_loop()
    for _ in range(20):
        on_loop_error(loop, {"message": "Task exception was never retrieved", "exception": KeyError("CANARY"), "task": "CANARY"})  # fmt: skip

    assert "CANARY" not in out.getvalue()
    (line,) = lines(out)
    assert (line["event"], "KeyError" in line["exception"]) == ("Task exception was never retrieved", True)
