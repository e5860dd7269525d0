"""Around every request of the traffic port: errors become problems, one line for the log, no traceback for strangers."""

import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from sanfen.gateway.problems import Refused, problem

__all__ = ["guard"]

_log = structlog.get_logger("sanfen.gateway")


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever was raised. Without path tail or query: platforms put tokens there."""
    started = time.perf_counter()
    try:
        answer = await handler(request)
    except Refused as refused:
        answer = refused.answer()
    except web.HTTPException as error:
        answer = problem(error.status, error.reason)
    except (ConnectionError, TimeoutError):
        raise ConnectionResetError from None  # the sender is gone; there is nobody to answer
    except Exception:
        _log.exception("a request failed inside sanfen", method=request.method)
        answer = problem(500, "sanfen failed to serve this request", "the log has the details; please report it")
    _log.debug(
        "served",
        method=request.method,
        place="/".join(request.raw_path.partition("?")[0].split("/", 3)[:3]),
        status=answer.status,
        took_ms=round((time.perf_counter() - started) * 1000, 1),
    )
    return answer
