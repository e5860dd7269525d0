"""Services by Apprise: its verdict is passed on, and what it would take for a success is kept from it."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from tests.robots import Robots
from tests.served import served

from sanfen.abc import DeliveryError, Notice
from sanfen.errors import ConfigError
from sanfen.outbound import Guard
from sanfen_adapters.notifiers import apprise as ours
from sanfen_adapters.notifiers.apprise import Apprise


class Service:
    """A server that takes Apprise's own JSON."""

    def __init__(self) -> None:
        self.status = 200
        self.seen: list[Any] = []
        self.address = ""
        self.ending = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append(await request.json())
        if self.status == 0:
            await self.ending.wait()
        return web.Response(status=self.status or 200, headers={"Location": "/elsewhere"})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    async with served(made.handle) as address:
        made.address = f"json://user:CANARY@{address}/hook"
        yield made
        made.ending.set()


def guarded(*allow: str) -> Apprise:
    made = Apprise()
    made.guard = Guard(allow)
    return made


async def refused(address: str, notice: Notice, *allow: str) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await guarded(*allow).notify(notice, address, None)
    return caught.value


async def test_it_is_told(service: Service, notice: Notice) -> None:
    answer = await guarded().notify(notice._replace(url="http://board.example/1"), service.address, None)
    (seen,) = service.seen

    assert answer == "JSON: sent"
    assert (seen["title"], seen["message"]) == (notice.title, notice.text + "\nhttp://board.example/1")


async def test_a_refusal_says_so_without_the_password(service: Service, notice: Notice) -> None:
    service.status = 403
    error = await refused(service.address, notice)

    assert (error.reason, error.retryable, error.unknown) == ("refused", True, False)
    assert "403" in error.message
    assert "CANARY" not in str(error)


async def test_a_broken_connection_is_unknown(notice: Notice) -> None:
    """Apprise does not say whether anything had left."""
    error = await refused("json://127.0.0.1:1/x", notice)

    assert (error.reason, error.unknown) == ("refused", True)


async def test_no_answer_is_given_up(service: Service, notice: Notice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "_PATIENCE_S", 1)
    service.status = 0
    error = await refused(service.address, notice)

    assert (error.reason, error.retryable, error.unknown) == ("timeout", True, True)


@pytest.mark.parametrize(
    "address",
    [
        "json://10.0.0.1/x",
        "json://169.254.169.254/latest",
        "json://[::ffff:127.0.0.1]/x",
        "json://2130706433/x",
        "jsons://100.64.0.1/x",
        "gotify://192.168.1.7/AbCdEfGhIjKlMno",
    ],
)
async def test_addresses_nobody_may_be_sent_to(address: str, notice: Notice) -> None:
    """The list of ``outbound``, before anything leaves."""
    error = await refused(address, notice)

    assert (error.reason, error.retryable, error.unknown) == ("denied", False, False)


async def test_a_name_that_leads_inside(service: Service, notice: Notice, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a name leads to decides; a moment later too, when Apprise asks for itself; unless the operator wants it."""
    port = int(service.address.rpartition(":")[2].partition("/")[0])
    answers = {"inside.example": ["127.0.0.1"], "rebound.example": ["93.184.216.34", "127.0.0.1"]}
    real = socket.getaddrinfo

    def look_up(host: Any, number: Any, *args: Any, **kwargs: Any) -> Any:
        found = answers.get(host)
        if found is None:
            return real(host, number, *args, **kwargs)
        return real(found.pop(0) if len(found) > 1 else found[0], number, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    errors = [await refused(f"json://{name}:{port}/x", notice) for name in answers]
    allowed = await guarded("inside.example").notify(notice, f"json://inside.example:{port}/x", None)

    assert [(error.reason, error.retryable) for error in errors] == [("denied", False)] * 2
    assert (allowed, len(service.seen)) == ("JSON: sent", 1)


async def test_where_a_service_sends_us_nobody_goes(service: Service, notice: Notice) -> None:
    service.status = 302
    error = await refused(service.address, notice)

    assert (error.reason, len(service.seen)) == ("refused", 1)


async def test_what_hangs_is_left_behind(notice: Notice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given up in time; no more than so many threads; and nothing at the end waits for them."""
    free = threading.Event()
    monkeypatch.setattr(ours, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(ours, "_send", lambda *_: free.wait(20))
    way = guarded()
    reasons = []
    for _ in range(17):
        with pytest.raises(DeliveryError) as caught:
            await way.notify(notice, "json://127.0.0.1:1/x", None)
        reasons.append((caught.value.reason, caught.value.unknown))
    free.set()

    assert reasons == [("timeout", True)] * 16 + [("busy", False)]
    assert not [thread for thread in threading.enumerate() if not thread.daemon and "sanfen" in thread.name]


@pytest.mark.parametrize(
    "address",
    [
        "dingtalk://0123456789abcdef0123456789abcdef",
        "lark://abcdef-abcdef",
        "wecombot://aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        f"feishu://{'a' * 36}",
    ],
)
async def test_the_four_robots_are_not_left_to_it(address: str, notice: Notice) -> None:
    with pytest.raises(ConfigError):
        Apprise.check(address)
    assert (await refused(address, notice)).retryable is False


async def test_why_the_four_robots_are_not_left_to_it(
    robots: Robots, notice: Notice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apprise calls a message delivered that the robot has refused. When this fails, it has been mended there."""
    import apprise
    from apprise.plugins.wecombot import NotifyWeComBot

    robot = robots.add("wecombot")
    url = f"http://127.0.0.1:{robots.port}/cgi-bin/webhook/send?key=nobody"
    monkeypatch.setattr(NotifyWeComBot, "notify_url", url)
    sender = apprise.Apprise()
    sender.add("wecombot://aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")

    assert await asyncio.to_thread(sender.notify, body="x")
    assert robot.group == []


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['apprise'] = None\n"
        "from sanfen.plugins import Plugins\n"
        "from sanfen.errors import ConfigError\n"
        "try: Plugins().check_way('ntfy://topic')\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-Ic", code], capture_output=True, text=True, check=True)

    assert "pip install 'sanfen[notify]'" in done.stdout


def test_it_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys; from sanfen.plugins import Plugins; Plugins().notifiers(); print('apprise' in sys.modules)"
    done = subprocess.run([sys.executable, "-Ic", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
