"""Webhooks: signed so that others' libraries accept them, and their answers understood."""

import json
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook as Judge
from standardwebhooks import WebhookVerificationError
from tests.served import served

from sanfen.abc import DeliveryError, Notice
from sanfen.outbound import Guard
from sanfen_adapters.notifiers.webhook import Webhook

SECRET = "whsec_bm90aWNlcyBhcmUgc2lnbmVkIQ=="


class Receiver:
    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.seen: dict[str, str] = {}
        self.address = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.body, self.seen = await request.read(), dict(request.headers)
        return web.Response(status=self.status, headers=self.headers, text="taken\n\nthank you")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    async with served(made.handle) as address:
        made.address = f"webhook+http://{address}/h?token=CANARY"
        yield made


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    made = Webhook()
    made.guard = Guard()
    yield made
    await made.close()


async def refused(webhook: Webhook, receiver: Receiver, notice: Notice) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await webhook.notify(notice, receiver.address, None)
    return caught.value


async def test_the_reference_library_accepts_it(webhook: Webhook, receiver: Receiver, notice: Notice) -> None:
    assert await webhook.notify(notice, receiver.address, SECRET) == "200 taken thank you"
    Judge(SECRET).verify(receiver.body, receiver.seen)
    sent: Any = json.loads(receiver.body)

    assert (sent["type"], sent["data"]["round_id"]) == ("round.escalated", "r1")
    assert receiver.seen["webhook-id"] == notice.id
    with pytest.raises(WebhookVerificationError):
        Judge(SECRET).verify(receiver.body + b" ", receiver.seen)


async def test_a_secret_that_is_none(webhook: Webhook, receiver: Receiver, notice: Notice) -> None:
    with pytest.raises(DeliveryError) as caught:
        await webhook.notify(notice, receiver.address, "whsec_%%%")

    assert (caught.value.reason, caught.value.retryable, receiver.body) == ("bad_secret", False, b"")


@pytest.mark.parametrize(
    ("status", "retryable", "unknown"),
    [
        (301, False, False), (400, False, False), (401, False, False), (404, False, False), (410, False, False),
        (408, True, False), (429, True, False), (500, True, False), (503, True, False), (502, True, True), (504, True, True),
    ],
)  # fmt: skip
async def test_what_a_status_means(
    webhook: Webhook, receiver: Receiver, notice: Notice, status: int, retryable: bool, unknown: bool
) -> None:
    receiver.status = status
    receiver.headers = {"Location": "/elsewhere"}
    error = await refused(webhook, receiver, notice)

    assert (error.reason, error.retryable, error.unknown) == (f"http_{status}", retryable, unknown)
    assert error.message == f"{status} taken thank you"


@pytest.mark.parametrize(
    ("header", "pause_ms"),
    [
        ("30", 30_000),
        ("0", 0),
        ("86400", 3_600_000),
        ("9" * 5000, None),
        ("-5", None),
        ("soon", None),
        ("Fri, 31 Feb 2026 10:00:00 GMT", None),
        ("Fri, 27 Nov 1970 10:00:00 GMT", 0),
        ("Fri, 27 Nov 9999 10:00:00 GMT", 3_600_000),
    ],
)
async def test_the_pause_it_asks_for(
    webhook: Webhook, receiver: Receiver, notice: Notice, header: str, pause_ms: int | None
) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": header}

    assert (await refused(webhook, receiver, notice)).retry_after_ms == pause_ms


async def test_a_pause_as_a_date(webhook: Webhook, receiver: Receiver, notice: Notice) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": formatdate(time.time_ns() // 10**9 + 600, usegmt=True)}
    pause_ms = (await refused(webhook, receiver, notice)).retry_after_ms

    assert pause_ms is not None
    assert 0 < pause_ms <= 600_000


async def test_an_address_that_is_none_is_not_quoted(webhook: Webhook, notice: Notice) -> None:
    for address in ("webhook+http://host:port/CANARY", "webhook+http:///CANARY", "webhook+http://[CANARY"):
        with pytest.raises(DeliveryError) as caught:
            await webhook.notify(notice, address, None)

        assert (caught.value.reason, caught.value.retryable) == ("bad_address", False)
        assert "CANARY" not in str(caught.value)
