"""Whatever a handler raises, a stranger gets a short answer and no traceback."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from sanfen.gateway.middlewares import guarded
from sanfen.gateway.problems import Refused
from sanfen.log import configure


@pytest.fixture
def log() -> Iterator[StringIO]:
    out = StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure("debug", stream=out)
    yield out
    configure("info", stream=out)
    structlog.reset_defaults()
    root.handlers[:], root.level = before[0], before[1]


def raising(error: BaseException) -> web.RequestHandler | object:
    async def handler(_request: web.Request) -> web.StreamResponse:
        raise error

    return guarded(handler)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused(418, "no"), 418),
        (web.HTTPMethodNotAllowed("GET", ["POST"]), 405),
        (KeyError("a customer's words"), 500),
    ],
)
async def test_errors_become_problems(error: Exception, status: int, log: StringIO) -> None:
    guard = raising(error)
    assert callable(guard)

    answer = await guard(make_mocked_request("POST", "/in/desk/bot123:TOKEN?access=QUERY"))

    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert b"words" not in answer.body
    assert "TOKEN" not in log.getvalue()
    assert "QUERY" not in log.getvalue()
    assert '"place": "/in/desk"' in log.getvalue()


async def test_a_sender_that_left_is_no_error(log: StringIO) -> None:
    guard = raising(BrokenPipeError())
    assert callable(guard)

    with pytest.raises(ConnectionResetError):
        await guard(make_mocked_request("POST", "/in/desk"))

    assert "error" not in log.getvalue()
