"""The real command between a real upstream and real clients: relayed byte for byte, judged, escalated, never lost."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from tests.e2e.service import Sanfen, Upstream, eventually, message, post, signed


async def test_a_question_and_its_answer(sanfen: Sanfen, upstream: Upstream) -> None:
    """Both directions byte for byte, the upstream's own answers returned, the round scored."""
    ask, reply = message("q1", "customer"), message("m1", "merchant", mode="human", agent="小美")

    assert await post(sanfen, "/in/desk/a%2Fb?x=%20y", ask, signed(ask, "q1")) == (
        200,
        b'{"upstream": "/in/a%2Fb?x=%20y"}',
    )
    assert (await post(sanfen, "/out/desk", reply, signed(reply, "m1")))[0] == 200
    assert upstream.bodies == [ask, reply]
    assert sanfen.rows("SELECT status, agent, customer FROM rounds") == [("met", "小美", "客户A")]
    assert sanfen.rows("SELECT valid, evidence FROM messages WHERE sender = 'merchant'") == [(1, "field")]


async def test_cloudevents_of_the_reference_library(sanfen: Sanfen, upstream: Upstream) -> None:
    """A structured CloudEvent, made by the cloudevents package and signed, is a question like any other."""
    event = CloudEvent(
        {"id": "ce-1", "source": "/shop/1", "type": "dev.sanfen.message.created", "time": datetime.now(UTC)},  # noqa: TID251
        {"conversation": "c1", "message_id": "g1", "role": "customer", "actor": "c1", "text": "有货吗"},
    )
    made = to_structured_event(event, JSONFormat())
    body = made.body

    assert (await post(sanfen, "/in/desk", body, {**made.headers, **signed(body, "ce-1")}))[0] == 200
    assert upstream.bodies == [body]
    assert sanfen.rows("SELECT id, text FROM messages") == [("g1", "有货吗")]


async def test_a_round_that_waits_reaches_the_lead(sanfen: Sanfen, upstream: Upstream) -> None:
    """One second without an answer: one signed notice, recorded as told."""
    ask = message("q1", "customer")
    await post(sanfen, "/in/desk", ask, signed(ask, "q1"))
    for _ in range(100):
        if upstream.notices and sanfen.rows("SELECT 1 FROM escalations WHERE state = 'told'"):
            break
        await asyncio.sleep(0.1)  # until it arrives; bounded

    assert [notice["person"] for notice in upstream.notices] == ["lead"]
    assert sanfen.rows("SELECT person, state, attempts FROM escalations") == [("lead", "told", 1)]


async def test_kill_nine_loses_nothing_acknowledged(tmp_path: Path, upstream: Upstream) -> None:
    """Killed while requests are under way, again and again: every 2xx is in the journal, every round once."""
    sanfen = Sanfen(tmp_path, upstream)
    acknowledged: set[str] = set()

    async def talk(number: int) -> None:
        body = message(f"k{number}", "customer", conversation=f"c{number}")
        try:
            status, _ = await post(sanfen, "/in/desk", body, signed(body, f"k{number}"))
        except (aiohttp.ClientError, OSError):
            return
        if status == 200:
            acknowledged.add(f"k{number}")

    for start in range(0, 120, 40):
        await sanfen.start()
        talks = [asyncio.create_task(talk(number)) for number in range(start, start + 40)]
        wanted = len(acknowledged) + 10
        while len(acknowledged) < wanted and not all(one.done() for one in talks):
            await asyncio.wait(talks, return_when=asyncio.FIRST_COMPLETED, timeout=0.01)
        sanfen.kill()
        await asyncio.gather(*talks)
    await sanfen.start()

    def stored() -> set[str]:
        return {row[0] for row in sanfen.rows("SELECT id FROM messages")}

    assert len(acknowledged) >= 30
    await eventually(
        lambda: acknowledged <= stored(), says=lambda: sanfen.log
    )  # what was kept aside is journaled first
    assert sanfen.rows("SELECT count(*), count(DISTINCT conversation) FROM rounds") == [(len(stored()),) * 2]
    assert sanfen.rows("PRAGMA integrity_check") == [("ok",)]
    assert await sanfen.stop() == 0


async def test_no_database_and_the_chat_flows(tmp_path: Path, upstream: Upstream) -> None:
    """A foreign database: one clear sentence in the log, the message relayed all the same, and not claimed as kept."""
    foreign = tmp_path / "sanfen.db"
    with closing(sqlite3.connect(foreign)) as other:
        other.execute("CREATE TABLE theirs (a)")
    before = foreign.read_bytes()
    sanfen = Sanfen(tmp_path, upstream)
    sanfen.spawn()
    ask = message("q1", "customer")
    status = 0
    for _ in range(200):
        try:
            status, _ = await post(sanfen, "/in/desk", ask, signed(ask, "q1"))
            break
        except aiohttp.ClientError:
            await asyncio.sleep(0.05)  # until the port answers; bounded

    assert (status, upstream.bodies) == (200, [ask])
    assert "is not a sanfen log" in sanfen.log
    assert "Traceback" not in sanfen.log
    assert foreign.read_bytes() == before
    await sanfen.stop()


async def test_bad_requests_get_one_clear_answer(sanfen: Sanfen, upstream: Upstream) -> None:
    """Wrong signature: refused and not forwarded. Broken JSON of an authentic sender: forwarded, kept as unreadable."""
    ask, broken = message("q1", "customer"), b'{"id": "x", '

    assert (await post(sanfen, "/in/desk", ask, signed(b"other", "q1")))[0] == 401
    assert upstream.bodies == []
    assert (await post(sanfen, "/in/desk", broken, signed(broken, "b1")))[0] == 200
    assert upstream.bodies == [broken]
    assert (await post(sanfen, "/in/nobody", ask, signed(ask, "q1")))[0] == 404
    async with aiohttp.ClientSession() as client, client.get(f"{sanfen.board}/metrics") as answer:
        metrics = await answer.text()
    assert 'sanfen_deliveries_total{channel="desk",what="poison"} 1.0' in metrics
    assert 'sanfen_refused_total{channel="desk",reason="mismatch"} 1.0' in metrics
    assert "Traceback" not in sanfen.log
