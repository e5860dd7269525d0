"""POST /events: our own events, one, an array, or one a line; all of them or none.

Where a channel is called ``events``, its secret signs the requests. Where none is, only programs on this machine may
send: not a browser on somebody's behalf (it always says its Origin), and not a stranger through a local proxy.
"""

from typing import Any

from aiohttp import web

from sanfen.abc import ChannelAdapter, Event, ParseError, RowError, json_rows, read_event
from sanfen.clock import Clock
from sanfen.config.settings import Settings
from sanfen.gateway.intake import Target, adapter_request, read_body, reads
from sanfen.gateway.journaling import Journaling
from sanfen.gateway.limits import Limits
from sanfen.gateway.problems import Refused, is_local
from sanfen.gateway.verifier import Verifier
from sanfen.gateway.webhooks import answer_receipt
from sanfen.store.journal import Delivery
from sanfen.wire import FIELDS

__all__ = ["EVENTS", "Events"]

EVENTS = "events"
"""The channel whose secret signs POST /events."""


class Events:
    """The door for producers that speak ``sanfen.event/1``."""

    def __init__(
        self, settings: Settings, adapter: ChannelAdapter | None, journaling: Journaling, clock: Clock, limits: Limits
    ) -> None:
        self._shop = settings.shop.id
        self._adapter = adapter
        self._journaling = journaling
        self._verifier = Verifier(journaling, settings.channels, clock)
        self._clock = clock
        self._limits = limits

    async def serve(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Answer POST /events. Raises Refused."""
        received_ms = self._clock.now_ms()
        if request.method != "POST":
            raise Refused(405, "events are posted", "send POST", headers={"Allow": "POST"})
        if self._adapter is None and (not is_local(request) or "Origin" in request.headers):
            raise Refused(
                403, "events are taken from this machine only", "configure a channel named events, with a secret"
            )
        body = await read_body(request, self._limits.body_bytes, self._limits)
        replay_key: bytes | None = None
        if self._adapter is not None:
            wire = adapter_request(request, "", target.query, body)
            replay_key = self._verifier.check(request, self._adapter, wire, "in", received_ms)
        if not reads(ChannelAdapter, {"content-type": request.headers.get("Content-Type", "")}):
            raise Refused(415, "the body is not declared as JSON", "send Content-Type: application/json")
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused(415, "the body is compressed", "send it as it is")
        events = self._read(body)
        delivery = Delivery(received_ms, EVENTS, "in", "POST", target.journal_path(), body, replay_key=replay_key)
        return await answer_receipt(
            self._journaling, self._journaling.submit(delivery, events), EVENTS, self._limits.events_ms
        )

    def _read(self, body: bytes) -> list[Event]:
        """Every event of the body. Raises Refused, saying which of them is wrong and why."""
        out: list[Event] = []
        try:
            for row in json_rows(body):
                try:
                    out.append(read_event(row.value, shop=self._shop))
                except ParseError as error:
                    raise RowError(row.place, row.number, error) from None
        except ParseError as error:
            raise Refused(400, error.message, error.hint, **_place(error)) from None
        return out


def _place(error: ParseError) -> dict[str, Any]:
    """Which object, and which of its fields."""
    out: dict[str, Any] = {}
    inner = error
    if isinstance(error, RowError):
        inner = error.inner
        if error.place:
            out[error.place] = error.number
    field = inner.message.partition(" ")[0]  # messages of read_event start with the field's name
    if field in FIELDS:
        out["field"] = field
    return out
