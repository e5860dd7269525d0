"""Disks that fill, fail, crawl or lie: the chat is relayed, and every delivery is journaled, kept aside or counted.

Mounting a small disk needs root, failing system calls need strace (``make fault-tools`` installs it): skipped without.
``make disk-damage`` starts the service on 1,000 damaged logs (``SANFEN_DAMAGE``) and on one cut at every page.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from random import Random

import aiohttp
import pytest
from tests.engine.shop import START, open_shop
from tests.faults.load import signed
from tests.faults.ours import STRACE, NoMount, fill, injected, small_disk
from tests.faults.seed import SEED
from tests.faults.service import SECRET, Ends, Message, Serve, questions_and_replies, send, serving

from sanfen.bootstrap import Service
from sanfen.config.load import load
from sanfen.testing import FakeClock, ask, reply

DAMAGES = int(os.environ.get("SANFEN_DAMAGE", "6"))
TALKS = 20
RATE = 200.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
with_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed: make fault-tools")


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    async with Ends().running() as made:
        yield made


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small one."""
    with contextlib.ExitStack() as stack:
        try:
            yield stack.enter_context(small_disk(tmp_path / "disk", getattr(request, "param", "size=12m")))
        except NoMount as reason:
            pytest.skip(f"cannot mount here: {reason}")


def passed_on(ends: Ends, messages: Sequence[Message], statuses: Sequence[tuple[int, float]]) -> None:
    assert {status for status, _ in statuses} == {200}
    assert ends.bodies == {message.id: message.body for message in messages}
    assert max(ends.attempts.values()) == 1, "a second POST of ours"


@as_root
async def test_a_full_disk(disk: Path, tmp_path: Path, ends: Ends) -> None:
    """Full in the middle of the day, and free again: relayed all along, scored again without a restart."""
    before, full, after = (
        questions_and_replies(name, count) for name, count in (("before", 20), ("full", 120), ("after", 20))
    )
    async with serving(Serve(tmp_path, ends.port, storage=disk)) as serve:
        statuses = await send(serve.url, before, rate=RATE)
        fill(disk / "filler")
        statuses += await send(serve.url, full, rate=RATE)
        (disk / "filler").unlink()
        statuses += await send(serve.url, after, rate=RATE)
        await serve.until("SELECT count(*) FROM rounds WHERE conversation LIKE 'after%'", 20)
        counts = await serve.settled(len(before + full + after))
        lost = counts["gap"]
        await serve.until("SELECT count(*) FROM messages", len(before + full + after) - lost)
        await serve.until("SELECT coalesce(sum(deliveries), 0) FROM gap_rows", lost)
        assert serve.rows("PRAGMA integrity_check") == [("ok",)]
        log = serve.log

    passed_on(ends, before + full + after, statuses)
    assert "no space left" in log
    assert "Traceback" not in log


@as_root
@pytest.mark.parametrize("disk", ["size=6m,ro"], indirect=True)
async def test_a_disk_that_may_only_be_read(disk: Path, tmp_path: Path, ends: Ends) -> None:
    messages = questions_and_replies("read", TALKS)
    async with serving(Serve(tmp_path, ends.port, storage=disk)) as serve:
        statuses = await send(serve.url, messages, rate=RATE)
        await serve.settled(len(messages))
        log = serve.log

    passed_on(ends, messages, statuses)
    assert "cannot write" in log
    assert "Traceback" not in log


@with_strace
@pytest.mark.parametrize(
    "fault", ["fdatasync:error=EIO:when=32..45", "fdatasync:delay_enter=300000", "pwrite64:error=EIO:when=500..520"]
)
async def test_a_disk_that_fails_or_crawls(fault: str, tmp_path: Path, ends: Ends) -> None:
    """Errors of syncs and writes, and syncs of a third of a second: every delivery is somewhere, and scored if kept."""
    messages = questions_and_replies("disk", TALKS)
    async with serving(Serve(tmp_path, ends.port), prefix=injected(fault)) as serve:
        statuses = await send(serve.url, messages, rate=RATE)
        await serve.settled(len(messages))
        again = questions_and_replies("again", 3)
        statuses += await send(serve.url, again, rate=RATE)
        # What was kept aside is drained, and what could be kept nowhere is written down: syncs may still fail now.
        missing = f"{len(messages + again)} - (SELECT coalesce(sum(deliveries), 0) FROM gap_rows)"
        await serve.until(f"SELECT count(*) = {missing} FROM messages", 1)
        counts = await serve.settled(len(messages + again))
        assert serve.rows("SELECT coalesce(sum(deliveries), 0) FROM gap_rows") == [(counts["gap"],)]
        assert serve.rows("PRAGMA integrity_check") == [("ok",)]
        asked = "SELECT count(DISTINCT conversation) FROM messages WHERE sender = 'customer'"
        assert serve.rows("SELECT count(DISTINCT conversation) FROM rounds") == serve.rows(asked)
        log = serve.log

    passed_on(ends, messages + again, statuses)
    assert "Traceback" not in log


async def test_nowhere_to_write_the_log_lines(tmp_path: Path, ends: Ends) -> None:
    """Standard output and error on a disk that is full: messages that cause lines are relayed like others."""
    messages = questions_and_replies("lines", TALKS)
    broken = [Message("/in/desk", f"x{number}", "{") for number in range(5)]
    async with serving(Serve(tmp_path, ends.port), out=Path("/dev/full")) as serve:
        statuses = await send(serve.url, [*broken, *messages], rate=RATE)
        await serve.until("SELECT count(*) FROM rounds", TALKS)

    passed_on(ends, [*broken, *messages], statuses)


# --- damaged files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A log with a WAL that was not folded back, as a power cut leaves it."""
    folder = tmp_path_factory.mktemp("whole")

    async def made() -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for first in (0, 20):  # what the first opening wrote is folded back when it closes
            with open_shop(folder / "sanfen.db", clock=FakeClock(START)) as shop:
                for number in range(first, first + 20):
                    await shop.send(ask(START, f"c{number}"), reply(START + 60_000, f"c{number}"))
                files = {name: (folder / name).read_bytes() for name in ("sanfen.db", "sanfen.db-wal")}
        return files

    return asyncio.run(made())


def damaged(whole: dict[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Bytes flipped at seeded places, and both files cut at pages: a few, or all."""
    dice = Random(SEED)
    for number in range(DAMAGES):
        name = dice.choice(list(whole))
        flipped = bytearray(whole[name])
        places = [dice.randrange(len(flipped)) for _ in range(dice.choice([1, 4, 64]))]
        for at in places:
            flipped[at] ^= 1 << dice.randrange(8)
        yield f"flip {number}: {name} at {places[:4]}", whole | {name: bytes(flipped)}
    for name, content in whole.items():
        cuts = range(0, len(content), 4096)
        for at in cuts if DAMAGES > 100 else dice.sample(cuts, 3):
            yield f"cut {name} at {at}", whole | {name: content[:at]}


async def test_damaged_logs(tmp_path: Path, ends: Ends, whole: dict[str, bytes]) -> None:
    """It starts on whatever it finds: relays, and what it takes is journaled, kept aside or counted."""
    assert set(whole) == {"sanfen.db", "sanfen.db-wal"}
    number = relayed = 0
    for number, (what, files) in enumerate(damaged(whole)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        serve = Serve(folder, ends.port)
        service = Service(load(serve.config, {"CHANNEL_SECRET": SECRET}))
        await service.start()
        try:
            messages = questions_and_replies(f"d{number}", 2)
            async with aiohttp.ClientSession() as client:
                for message in messages:
                    headers = signed(SECRET, message._asdict() | {"attempt": message.id}, message.body.encode())
                    async with client.post(
                        serve.url + message.path, data=message.body.encode(), headers=headers
                    ) as answer:
                        assert answer.status == 200, (what, await answer.text())
                    assert ends.bodies[message.id] == message.body, what
                    relayed += 1
            counts = service.traffic
            assert counts["received"] == counts["journaled"] + counts["aside"] + counts["gap"] == len(messages), what
        finally:
            await service.stop()
        shutil.rmtree(folder)
    print(f"{number + 1:,} damaged logs, {relayed:,} messages relayed and accounted for")  # noqa: T201  # the long run says how many

    assert relayed
