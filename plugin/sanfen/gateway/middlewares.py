"""Around every request of the traffic port: errors become problems, one line for the log, no traceback for strangers.

One wrapper around the one handler, not the framework's chain, which costs as much as the relay's own work.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from sanfen.gateway.problems import Refused, problem
from sanfen.log import Throttle, is_debugging

__all__ = ["guarded"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = structlog.get_logger("sanfen.gateway")


def guarded(handler: Handler) -> Handler:
    """A handler that answers whatever is raised inside."""
    throttle = Throttle()

    async def guard(request: web.Request) -> web.StreamResponse:
        started = asyncio.get_running_loop().time()
        try:
            answer = await handler(request)
        except Refused as refused:
            answer = refused.answer()
        except web.HTTPException as error:
            answer = problem(error.status, error.reason)
        except (ConnectionError, TimeoutError):
            raise ConnectionResetError from None  # the sender is gone; there is nobody to answer
        except Exception:  # noqa: BLE001  # a bug of ours is an answer too, not a dropped connection
            swallowed = throttle.take("failed", int(started * 1000))
            if swallowed is not None:
                _log.exception("a request failed inside sanfen", method=request.method, more_like_it=swallowed)
            answer = problem(500, "sanfen failed to serve this request", "the log has the details; please report it")
        if is_debugging():
            _served(request, answer.status, started)
        return answer

    return guard


def _served(request: web.Request, status: int, started: float) -> None:
    """The access line: without path tail or query, where platforms put tokens, and without a path we do not know."""
    place = "/".join(request.raw_path.partition("?")[0].split("/", 3)[:3]) if status != 404 else ""
    took_ms = round((asyncio.get_running_loop().time() - started) * 1000, 1)
    _log.debug("served", method=request.method, place=place, status=status, took_ms=took_ms)
