"""delivery: store, with real processes: answered when it is kept, passed on once and in order, whatever dies meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from tests.e2e.service import Sanfen, Upstream, eventually, message, post, signed


class Moody(Upstream):
    """A workflow that can be down, refuse, or take a message and never answer."""

    def __init__(self) -> None:
        super().__init__()
        self.mood = "well"
        self.seen: list[str] = []
        self._site: web.TCPSite | None = None
        self._runner: web.AppRunner | None = None

    async def handle(self, request: web.Request) -> web.Response:
        if request.path.startswith("/notice"):
            return await super().handle(request)
        body = await request.read()
        self.seen.append(json.loads(body)["id"])
        if self.mood == "busy":
            return web.Response(status=503)
        if self.mood == "mute":
            assert request.transport is not None
            request.transport.abort()
        return await super().handle(request)

    async def up(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


async def ask(sanfen: Sanfen, name: str, conversation: str) -> tuple[int, bytes]:
    body = message(name, "customer", conversation=conversation)
    return await post(sanfen, "/in/desk", body, signed(body, name))


def states(sanfen: Sanfen) -> list[str]:
    return [row[0] for row in sanfen.rows("SELECT state FROM onward ORDER BY number")]


@pytest.fixture
async def moody() -> AsyncIterator[Moody]:
    made = Moody()
    await made.up()
    yield made
    await made.down()


def storing(folder: Path, moody: Moody, word: str = "store") -> Sanfen:
    made = Sanfen(folder, moody)
    made.text = made.text.replace(
        "    adapter: generic\n", f"    adapter: generic\n    delivery: {word}\n    timeout: 2s\n"
    )
    made.config.write_text(made.text, encoding="utf-8")
    return made


async def test_answered_while_the_workflow_is_away_and_passed_on_in_order(tmp_path: Path, moody: Moody) -> None:
    """Also over a kill: nothing twice, nothing out of order within a conversation."""
    sanfen = storing(tmp_path, moody)
    await sanfen.start()
    await moody.down()
    for number in range(6):
        status, text = await ask(sanfen, f"m{number}", f"c{number % 2}")
        assert (status, json.loads(text)) == (200, {"accepted": 1, "duplicates": 0})
    sanfen.kill()
    await sanfen.start()
    assert (await ask(sanfen, "m6", "c0"))[0] == 200
    assert json.loads((await ask(sanfen, "m6", "c0"))[1]) == {"accepted": 0, "duplicates": 1}
    await moody.up()
    await eventually(lambda: states(sanfen).count("passed") == 7, says=lambda: f"{states(sanfen)} {sanfen.log}")

    assert sorted(moody.seen) == [f"m{number}" for number in range(7)]
    assert [name for name in moody.seen if name in ("m0", "m2", "m4", "m6")] == ["m0", "m2", "m4", "m6"]
    assert [name for name in moody.seen if name in ("m1", "m3", "m5")] == ["m1", "m3", "m5"]
    assert sanfen.rows("SELECT count(*) FROM rounds") == [(2,)]
    assert await sanfen.stop() == 0


async def test_a_busy_workflow_is_asked_again(tmp_path: Path, moody: Moody) -> None:
    sanfen = storing(tmp_path, moody)
    await sanfen.start()
    moody.mood = "busy"
    assert (await ask(sanfen, "m", "c"))[0] == 200
    await eventually(lambda: len(moody.seen) == 1)
    moody.mood = "well"
    await eventually(lambda: states(sanfen) == ["passed"], says=lambda: sanfen.log)

    assert moody.seen == ["m", "m"]  # a definite no, and then a yes
    assert len(moody.bodies) == 1
    assert await sanfen.stop() == 0


@pytest.mark.parametrize(("word", "state", "times"), [("store", "unsure", 1), ("store-repeat", "passed", 2)])
async def test_what_may_have_arrived(tmp_path: Path, moody: Moody, word: str, state: str, times: int) -> None:
    """The workflow takes it and breaks off: sent again only where the operator chose so."""
    sanfen = storing(tmp_path, moody, word)
    await sanfen.start()
    moody.mood = "mute"
    assert (await ask(sanfen, "m", "c"))[0] == 200
    await eventually(lambda: len(moody.seen) == 1)
    moody.mood = "well"
    await eventually(lambda: states(sanfen) == [state], says=lambda: f"{states(sanfen)} {sanfen.log}")

    assert moody.seen == ["m"] * times
    assert ("a delivery was not passed on" in sanfen.log) == (word == "store")
    assert (await ask(sanfen, "n", "c"))[0] == 200
    await eventually(lambda: states(sanfen) == [state, "passed"])
    assert await sanfen.stop() == 0


async def test_without_a_log_it_is_passed_on_at_once(tmp_path: Path, moody: Moody) -> None:
    """The chat flows: what cannot be stored is relayed, with the workflow's own answer."""
    (tmp_path / "sanfen.db").mkdir()
    sanfen = storing(tmp_path, moody)
    sanfen.spawn()
    await eventually(lambda: "events http" in sanfen.log, says=lambda: sanfen.log)
    status, text = await ask(sanfen, "m", "c")

    assert (status, text) == (200, b'{"upstream": "/in"}')
    assert moody.seen == ["m"]
    await asyncio.sleep(0)
    (tmp_path / "sanfen.db").rmdir()
    await eventually(lambda: _count(sanfen) == 1, says=lambda: sanfen.log)
    assert states(sanfen) == []
    assert await sanfen.stop() == 0


def _count(sanfen: Sanfen) -> int:
    try:
        return int(sanfen.rows("SELECT count(*) FROM messages")[0][0])
    except Exception:  # noqa: BLE001  # no log yet
        return 0
