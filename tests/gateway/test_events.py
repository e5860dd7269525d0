"""POST /events: all of a request's events or none, and a refusal that says which, which field, and the mend."""

import json
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from standardwebhooks import Webhook

from sanfen.config.settings import ChannelSettings, Secret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def event(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "at": "2026-11-22T08:58:52+08:00", "conversation": "c1", "from": "customer"} | more


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(event("a")),
        json.dumps(event("a"), indent=2),
        "\ufeff" + json.dumps(event("a")),
        json.dumps([event("a"), event("b")]),
        json.dumps(event("a")) + "\n\n" + json.dumps(event("b")) + "\r\n",
    ],
)
async def test_one_many_or_one_a_line(start: Any, client: aiohttp.ClientSession, body: str) -> None:
    gateway = await start()
    count = body.count('"id"')

    async with client.post(f"{gateway.url}/events", data=body.encode()) as answer:
        assert (answer.status, await answer.json()) == (200, {"accepted": count, "duplicates": 0})

    assert [one.id for one in gateway.engine.events] == ["a", "b"][:count]
    assert gateway.engine.events[0].key == ("shop", "default", "c1")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([event("a"), event("b", at="x")], {"index": 1, "field": "at"}),
        ([event("a"), 5], {"index": 1}),
        (event("a", **{"from": "me"}), {"field": "from"}),
        (event("a", mode="robot", **{"from": "merchant"}), {"field": "mode"}),
        (event("a", at="2026-11-22T08:58:52"), {"field": "at"}),
        ([], None),
    ],
)
async def test_one_bad_event_refuses_all(
    start: Any, client: aiohttp.ClientSession, body: Any, expected: dict[str, Any] | None
) -> None:
    """Nothing is stored, and the answer can be acted on."""
    gateway = await start()

    async with client.post(f"{gateway.url}/events", data=json.dumps(body).encode()) as answer:
        said = json.loads(await answer.read())

    if expected is None:
        assert said == {"accepted": 0, "duplicates": 0}
        return
    assert said["status"] == 400
    assert said["hint"]
    assert expected.items() <= said.items()
    assert not gateway.engine.deliveries


async def test_a_bad_line_is_named(start: Any, client: aiohttp.ClientSession) -> None:
    gateway = await start()
    body = json.dumps(event("a")) + "\n" + '{"id": }\n'

    async with client.post(f"{gateway.url}/events", data=body.encode()) as answer:
        said = json.loads(await answer.read())

    assert (said["status"], said["line"]) == (400, 2)
    assert said["title"].startswith("line 2: the body is not JSON")


@pytest.mark.parametrize("mode", ["fail", "raise"])
async def test_nothing_is_promised_before_the_commit(start: Any, client: aiohttp.ClientSession, mode: str) -> None:
    gateway = await start()
    gateway.engine.mode = mode

    async with client.post(f"{gateway.url}/events", data=json.dumps(event("a")).encode()) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "203.0.113.9"}, {"Origin": "http://evil.example"}])
async def test_without_a_secret_only_this_machine_may_send(
    start: Any, client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    """Neither a stranger through a local proxy, nor a web page through somebody's browser."""
    gateway = await start()

    async with client.post(f"{gateway.url}/events", data=json.dumps(event("a")).encode(), headers=headers) as answer:
        assert answer.status == 403

    assert not gateway.engine.deliveries


async def test_with_a_secret_everybody_signs(start: Any, client: aiohttp.ClientSession) -> None:
    channel = ChannelSettings("events", "generic", secrets=(Secret(SECRET),))
    gateway = await start(channels={"events": channel})
    body = json.dumps(event("a"))
    now = datetime.fromtimestamp(1_795_309_132, UTC)
    signature = Webhook(SECRET).sign("m", now, body)
    headers = {"webhook-id": "m", "webhook-timestamp": "1795309132", "webhook-signature": signature}

    async with client.post(f"{gateway.url}/events", data=body.encode()) as answer:
        assert answer.status == 401
    async with client.post(
        f"{gateway.url}/events", data=body.encode(), headers=headers | {"X-Forwarded-For": "203.0.113.9"}
    ) as answer:
        assert answer.status == 200

    assert len(gateway.engine.deliveries) == 1


async def test_only_plain_posts(start: Any, client: aiohttp.ClientSession) -> None:
    gateway = await start()

    async with client.get(f"{gateway.url}/events") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    async with client.post(f"{gateway.url}/events", data=b"x", headers={"Content-Encoding": "gzip"}) as answer:
        assert answer.status == 415
