"""Two instances on one log: one writes, the other waits; whoever was stopped finds its role gone and writes nothing."""

import asyncio
import json
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import aiohttp
from tests.e2e.service import Sanfen, Upstream, eventually, message, post, signed


async def ask(sanfen: Sanfen, name: str) -> int:
    body = message(name, "customer", conversation=name)
    return (await post(sanfen, "/in/desk", body, signed(body, name)))[0]


async def takes(sanfen: Sanfen, name: str) -> bool:
    try:
        return await ask(sanfen, name) == 200
    except aiohttp.ClientError:
        return False


async def tell_the_old_one(sanfen: Sanfen, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A question to an instance that stands still: the system keeps it until somebody reads."""
    body = message(name, "customer", conversation=name)
    head = "".join(f"{header}: {value}\r\n" for header, value in signed(body, name).items())
    reader, writer = await asyncio.open_connection("127.0.0.1", sanfen.port)
    writer.write(f"POST /in/desk HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body)
    await writer.drain()
    return reader, writer


async def board(sanfen: Sanfen, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client, client.get(sanfen.board + path) as answer:
        return answer.status, await answer.text()


async def shows(sanfen: Sanfen) -> bool:
    """Whether it has a board."""
    with suppress(aiohttp.ClientError):
        return (await board(sanfen, "/healthz"))[0] == 200
    return False


async def standing_by(sanfen: Sanfen) -> None:
    sanfen.spawn("--standby")
    await eventually(lambda: "standing by" in sanfen.log, says=lambda: sanfen.log)


def names(sanfen: Sanfen) -> set[str]:
    return {row[0] for row in sanfen.rows("SELECT id FROM messages")}


def heard_of(upstream: Upstream) -> Counter[str]:
    """How many notices named each conversation."""
    return Counter(one["conversation"] for notice in upstream.notices for one in notice["waiting"])


async def test_a_second_writer_is_refused_by_name(sanfen: Sanfen, upstream: Upstream) -> None:
    second = Sanfen(sanfen.folder, upstream)
    second.spawn()
    assert second.process is not None
    assert sanfen.process is not None

    assert await asyncio.to_thread(second.process.wait, 20) == 2
    assert f"in use by another sanfen (process {sanfen.process.pid})" in second.log
    assert "Traceback" not in second.log


async def test_a_standby_shows_the_board_and_takes_over_when_the_first_dies(sanfen: Sanfen, upstream: Upstream) -> None:
    assert await ask(sanfen, "first") == 200
    second = Sanfen(sanfen.folder, upstream)
    await standing_by(second)
    await eventually(lambda: shows(second), says=lambda: second.log)
    status, text = await board(second, "/readyz")
    assert (status, json.loads(text)["status"]) == (503, "standby")
    assert "first"[:2] in (await board(second, "/api/v1/rounds"))[1]
    sanfen.kill()
    await eventually(lambda: takes(second, "second"), says=lambda: second.log)

    await eventually(lambda: names(second) == {"first", "second"}, says=lambda: second.log)
    assert (await board(second, "/readyz"))[0] == 200
    assert await second.stop() == 0


async def test_of_who_waited_when_the_first_died_the_standby_tells(sanfen: Sanfen, upstream: Upstream) -> None:
    """Killed as soon as it has acknowledged: its step is not due yet. The channel sends the question again."""
    second = Sanfen(sanfen.folder, upstream)
    await standing_by(second)
    assert await ask(sanfen, "waits") == 200
    sanfen.kill()
    await eventually(lambda: takes(second, "waits"), says=lambda: second.log)
    await eventually(lambda: heard_of(upstream)["waits"], says=lambda: second.log)
    told = "SELECT 1 FROM escalations WHERE state IN ('waiting', 'sending')"
    await eventually(lambda: not second.rows(told), says=lambda: second.log)

    assert second.rows("SELECT conversation, count(*) FROM rounds") == [("waits", 1)]
    assert heard_of(upstream)["waits"] <= 2  # the first may have told it in its last moment
    assert await second.stop() == 0


async def test_a_standby_of_the_same_file_takes_the_ports_too(sanfen: Sanfen, upstream: Upstream) -> None:
    second = Sanfen(sanfen.folder, upstream)
    second.config.write_text(sanfen.text, encoding="utf-8")
    await standing_by(second)
    sanfen.kill()
    await eventually(lambda: takes(sanfen, "again"), says=lambda: second.log)
    assert await second.stop() == 0


async def test_what_stands_still_keeps_its_ports_and_no_more(sanfen: Sanfen, upstream: Upstream) -> None:
    """Of the same file: people are told by the standby at once; it hears the channel when the old one has ended."""
    second = Sanfen(sanfen.folder, upstream)
    second.config.write_text(sanfen.text, encoding="utf-8")
    await standing_by(second)
    assert await ask(sanfen, "waits") == 200
    assert sanfen.process is not None
    sanfen.process.send_signal(signal.SIGSTOP)
    await eventually(lambda: "the writer's role is ours" in second.log, says=lambda: second.log)
    await eventually(lambda: heard_of(upstream)["waits"], says=lambda: second.log)
    sanfen.process.send_signal(signal.SIGCONT)

    assert await asyncio.to_thread(sanfen.process.wait, 20) == 4
    await eventually(lambda: takes(sanfen, "again"), says=lambda: second.log)
    assert heard_of(upstream)["waits"] <= 2
    assert await second.stop() == 0


async def test_stopped_taken_over_and_woken_up_it_writes_nothing(sanfen: Sanfen, upstream: Upstream) -> None:
    """SIGSTOP, takeover, SIGCONT: what the old one was still sent is not lost, nor counted again, and it leaves by itself."""
    assert await ask(sanfen, "first") == 200
    second = Sanfen(sanfen.folder, upstream)
    await standing_by(second)
    assert sanfen.process is not None
    sanfen.process.send_signal(signal.SIGSTOP)
    await eventually(lambda: takes(second, "second"), says=lambda: second.log)
    told = [await tell_the_old_one(sanfen, name) for name in ("to the old one", "second")]
    sanfen.process.send_signal(signal.SIGCONT)

    for reader, writer in told:
        assert (await reader.read(12)) == b"HTTP/1.1 200"
        writer.close()
    assert await asyncio.to_thread(sanfen.process.wait, 20) == 4
    assert "another instance has taken over" in sanfen.log
    assert await ask(second, "third") == 200
    ((writers,),) = sanfen.rows("SELECT fence FROM lease_rows")
    assert writers == 2
    await eventually(lambda: names(second) >= {"first", "second", "to the old one", "third"}, says=lambda: second.log)
    await eventually(lambda: second.rows("SELECT count(*) FROM deliveries") == [(5,)], says=lambda: second.log)
    counted = "SELECT conversation, count(*) FROM rounds GROUP BY conversation"
    assert dict(second.rows(counted)) == dict.fromkeys(("first", "second", "third", "to the old one"), 1)
    assert await second.stop() == 0


async def test_a_standby_can_be_stopped(sanfen: Sanfen, upstream: Upstream, tmp_path: Path) -> None:
    second = Sanfen(sanfen.folder, upstream)
    await standing_by(second)

    assert await second.stop() == 0
