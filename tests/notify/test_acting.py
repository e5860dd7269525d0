"""What a step does at the channel, over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import pytest
from aiohttp import web
from tests.served import served

from sanfen.abc import Action, Answer, Call, ChannelAdapter, DeliveryError, Direction, Event, Request
from sanfen.notify.acting import Acting
from sanfen.outbound import Guard


class Desk(ChannelAdapter):
    """A channel with an API for both."""

    name: ClassVar[str] = "desk"

    def verify(self, request: Request, direction: Direction, now_ms: int) -> None:
        """Anybody."""

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        return ()

    def act(self, action: Action) -> Call | None:
        body = f"{action.kind} {action.conversation} {action.agent or action.text}"
        return Call("POST", self.options["api"], {"x-key": "k"}, body.encode())

    def refusal(self, answer: Answer) -> str | None:
        return "errcode 95013" if b"95013" in answer.body else None


class Api:
    def __init__(self) -> None:
        self.script: list[int | str] = []
        self.seen: list[tuple[str, str]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append((request.headers["x-key"], (await request.read()).decode()))
        step = self.script.pop(0) if self.script else 200
        if isinstance(step, str):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        words = "errcode 95013" if step == 299 else "in its own words"
        return web.Response(status=step, text=words, headers={"Location": "/elsewhere"})


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    async with served(made.handle) as address:
        made.url = f"http://{address}/act"
        yield made


@pytest.fixture
async def acting(api: Api) -> AsyncIterator[Acting]:
    made = Acting({"desk": Desk("shop", "desk", (), {"api": api.url})})
    yield made
    await made.close()


ASSIGN = Action("assign", "c1", agent="lily")


async def test_an_action_is_one_request(acting: Acting, api: Api) -> None:
    assert await acting.act("desk", ASSIGN) == "200 in its own words"
    assert await acting.act("desk", Action("note", "c1", text="hurry")) == "200 in its own words"
    assert api.seen == [("k", "assign c1 lily"), ("k", "note c1 hurry")]


@pytest.mark.parametrize(
    ("step", "reason", "retryable", "unknown"),
    [
        (404, "http_404", False, False),
        (429, "http_429", True, False),
        (503, "http_503", True, False),
        (302, "http_302", False, False),
        ("reset", "lost", True, True),
    ],
)
async def test_what_the_channel_refuses_is_said(
    acting: Acting, api: Api, step: int | str, reason: str, *, retryable: bool, unknown: bool
) -> None:
    api.script = [step]
    with pytest.raises(DeliveryError) as caught:
        await acting.act("desk", ASSIGN)

    assert (caught.value.reason, caught.value.retryable, caught.value.unknown) == (reason, retryable, unknown)
    assert len(api.seen) == 1  # not followed, not repeated


async def test_nobody_listens() -> None:
    acting = Acting({"desk": Desk("shop", "desk", (), {"api": "http://127.0.0.1:1/"})})
    with pytest.raises(DeliveryError) as caught:
        await acting.act("desk", ASSIGN)
    await acting.close()

    assert (caught.value.reason, caught.value.unknown) == ("refused", False)


async def test_a_name_is_asked_for_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked at is what is connected to: a name server that changes its mind in between gains nothing."""
    port = int(api.url.rpartition(":")[2].partition("/")[0])
    leads = iter(["127.0.0.2", "127.0.0.1"])

    async def found(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(leads), port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    desk = Desk("shop", "desk", (), {"api": f"http://api.example:{port}/act"})
    acting = Acting({"desk": desk}, Guard(["127.0.0.2/32"]).inside())
    with pytest.raises(DeliveryError):
        await acting.act("desk", ASSIGN)
    await acting.close()

    assert api.seen == []


async def test_a_channel_without_an_api() -> None:
    with pytest.raises(DeliveryError, match="channel nowhere has no way to assign"):
        await Acting({}).act("nowhere", ASSIGN)


async def test_a_200_that_says_no(acting: Acting, api: Api) -> None:
    """Some APIs say in the body that nothing was done."""
    api.script = [299]
    with pytest.raises(DeliveryError, match="errcode 95013") as caught:
        await acting.act("desk", Action("assign", "c", agent="a"))

    assert (caught.value.reason, caught.value.retryable) == ("channel_refused", False)
