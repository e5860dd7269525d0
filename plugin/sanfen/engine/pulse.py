"""A heartbeat for whoever watches the watch: an address is called while steps are served, and left alone once they are not.

The other side (healthchecks, Uptime Kuma, a cron monitor) raises the alarm when the calls stop, so a dead process, a stuck
loop and a log that cannot be written are all noticed by somebody who is not us.
"""

from collections.abc import Awaitable, Callable

import structlog

from sanfen.abc import Call
from sanfen.calls import Calls
from sanfen.errors import DeliveryError
from sanfen.log import Throttle
from sanfen.outbound import Guard

__all__ = ["Pulse"]

_log = structlog.get_logger("sanfen.chores")


class Pulse:
    """Calls an address while all is well. ``trouble``: why it is not, or None. ``guard``: where it may lead."""

    def __init__(
        self,
        url: str,
        trouble: Callable[[], Awaitable[str | None]],
        now_ms: Callable[[], int],
        guard: Guard | None = None,
    ) -> None:
        self._url = url
        self._guard = guard
        self._trouble = trouble
        self._now_ms = now_ms
        self._throttle = Throttle()

    async def beat(self) -> bool:
        """One call, if all is well; whether it was answered with a 2xx."""
        reason = await self._trouble()
        if reason is None:
            reason = await self._call()
        if reason is not None and self._throttle.take(reason, self._now_ms()) is not None:
            _log.warning("no heartbeat", reason=reason)
        return reason is None

    async def _call(self) -> str | None:
        calls = Calls(self._guard)
        try:
            answer = await calls.send(Call("GET", self._url, {}, b""))
        except DeliveryError as error:
            said = error.message if error.reason == "denied" else error.reason  # others may quote the address
            return f"the heartbeat's address cannot be reached: {said}"
        finally:
            await calls.close()
        return None if answer.is_good else f"the heartbeat's address answers {answer.status}"
