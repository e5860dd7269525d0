"""SIGHUP again and again under load: no request notices, bad files change nothing, no round mixes two policies.

``make reload-storm`` reloads 1,000 times at 200 messages a second (``SANFEN_RELOADS``); three in ten files are bad.
"""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

from tests.faults.seed import SEED
from tests.faults.service import Ends, Message, Serve, send, serving

from sanfen.config.load import inspect

RELOADS = int(os.environ.get("SANFEN_RELOADS", "12"))
RATE = 200.0
EACH_S = 0.25
APART = 100  # questions
DEADLINES = ("30s", "31s")
ENVIRONMENT = {"CHANNEL_SECRET": "a secret of the channel under load"}


def messages(count: int) -> Iterator[Message]:
    """Questions, each answered a second later; they carry no time of their own."""
    for turn in range(count // 2 + APART):
        for number, sender, way in ((turn, "customer", "in"), (turn - APART, "agent", "out")):
            if 0 <= number < count // 2:
                fields = {
                    "conversation": f"c{number}",
                    "message_id": f"{sender}{number}",
                    "role": sender,
                    "text": "在吗",
                }
                yield Message(f"/{way}/desk", fields["message_id"], json.dumps(fields))


class Files:
    """What an operator might leave in the place of the configuration."""

    def __init__(self, config: Path, dice: Random) -> None:
        self.config = config
        self.good = config.read_text(encoding="utf-8")
        self.dice = dice

    def put_good(self, number: int) -> None:
        text = self.good.replace(f"deadline: {DEADLINES[0]}", f"deadline: {DEADLINES[number % 2]}")
        self.config.write_text(text, encoding="utf-8")

    def put_bad(self) -> None:
        kind = self.dice.randrange(4)
        if kind == 0:
            self.config.unlink(missing_ok=True)
        elif kind == 1:
            self.config.write_text(self.good + "# " + "x" * 300_000, encoding="utf-8")
        elif kind == 2:
            self.config.write_text(self.good.replace("adapter: generic", "adapter: generik"), encoding="utf-8")
        else:
            self._put_cut()

    def _put_cut(self) -> None:
        """Cut at any byte where what is left is not by chance a configuration of its own."""
        raw = self.good.encode()
        while True:
            self.config.write_bytes(raw[: self.dice.randrange(len(raw))])
            loaded, findings = inspect(self.config, ENVIRONMENT)
            if loaded is None or any(finding.is_error for finding in findings):
                return


class Said:
    """What the service has said of its reloads. Only what is new is read: the workflow lives in this process too."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read_bytes = 0

    def new(self) -> list[bool]:
        """Of each reload since the last look, whether the file was adopted."""
        with self._log.open("rb") as file:
            file.seek(self._read_bytes)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        return [b"not adopted" not in line for line in whole.splitlines() if b'"event": "configuration' in line]

    async def next(self) -> bool:
        """Whether the file that is there now was adopted."""
        for _ in range(6000):
            found = self.new()
            if found:
                return found[-1]
            await asyncio.sleep(0.01)  # until it has said so; bounded
        raise AssertionError("nothing was said of a reload for a minute")


async def test_reloads_under_load(tmp_path: Path) -> None:
    dice = Random(SEED)
    sent = list(messages(int(RATE * EACH_S * RELOADS)))
    good = bad = 0
    async with Ends().running() as ends, serving(Serve(tmp_path, ends.port, timeout="10s")) as serve:
        assert serve.process is not None
        files, said = Files(serve.config, dice), Said(tmp_path / "serve.log")
        said.new()
        load = asyncio.create_task(send(serve.url, sent, rate=RATE))
        started = asyncio.get_running_loop().time()
        while good + bad < RELOADS:
            await asyncio.sleep(
                started + (good + bad) * EACH_S - asyncio.get_running_loop().time()
            )  # spread over the load
            is_bad = dice.random() < 0.3
            await asyncio.to_thread(files.put_bad if is_bad else partial(files.put_good, good))
            serve.process.send_signal(signal.SIGHUP)
            assert await said.next() is not is_bad, serve.log[-2000:]
            bad += is_bad
            good += not is_bad
        statuses = await load
        await serve.until("SELECT count(*) FROM messages", len(sent))
        wrong = serve.rows(
            # Under a load that overtakes itself an answer may come before its question: then the round waits, rightly.
            "SELECT r.status, r.opened_ms, r.due_ms - r.clock_ms, r.policy_version FROM round_rows r "
            "WHERE r.due_ms - r.clock_ms NOT IN (30000, 31000) "
            "OR (r.status <> 'met' AND EXISTS (SELECT 1 FROM events e WHERE e.conversation = r.conversation "
            "AND e.sender = 'merchant' AND e.at_ms >= r.opened_ms)) OR "
            "r.policy_version <> (SELECT p.version FROM policy_rows p WHERE p.policy = r.policy AND p.since_ms <= r.opened_ms "
            "ORDER BY p.since_ms DESC LIMIT 1)"
        )
        versions = serve.rows(
            "SELECT policy_version, min(due_ms - clock_ms), max(due_ms - clock_ms), count(*) FROM round_rows GROUP BY 1"
        )
        log = serve.log
    print(f"{good} good reloads, {bad} bad, {len(sent)} messages")  # noqa: T201  # the figures of the long run

    assert {status for status, _ in statuses} == {200}
    assert max(ends.attempts.values()) == 1
    assert len(ends.bodies) == len(sent)
    assert wrong == []
    assert all(least == most for _, least, most, _ in versions), versions
    assert len(versions) == 2
    assert sum(count for *_, count in versions) == len(sent) // 2
    assert "Traceback" not in log
