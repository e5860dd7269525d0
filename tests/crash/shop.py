"""The shop that is crashed: its configuration, its customers' talk, and its service as a real process."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.crash.native import witness
from tests.crash.wire import SECRET, here

from sanfen.config.load import Loaded, load

__all__ = ["Ports", "Sent", "Service", "Talk", "configure", "environment", "loaded"]

CONFIG = """\
version: 1
shop: {{id: shop, name: 旗舰店, timezone: Asia/Shanghai, language: zh}}
listen: {{hooks: "{host}:{hooks}", board: "{host}:{board}"}}
storage: {storage}
text: {{keep: {keep}}}
policy: ours
also: [split]
policies:
  ours: {{based_on: taobao-2022-01, deadline: {deadline}, window: 00:00-24:00, midnight: none, exclude: [spam, closed_shop]}}
  split: {{based_on: taobao-2022-01, deadline: {deadline}, window: 00:00-24:00, midnight: none, transfer: split, away: exclude}}
channels:
  desk:
    adapter: generic
    from_customer: {{forward: "http://{host}:{workflow}/in"}}
    from_shop: {{forward: "http://{host}:{workflow}/out"}}
    secret: ${{SANFEN_CRASH_SECRET}}
    ack_within: {ack}
classify:
  - {{name: robots, match: {{agent: [客服机器人]}}, mode: bot, bot: xiaoduo}}
merge: {merge}
people:
  lead: {{via: ["webhook+http://{host}:{workflow}/notice"]}}
  boss: {{via: ["webhook+http://{host}:{workflow}/notice/1", "webhook+http://{host}:{workflow}/notice/2"]}}
escalation:
  - name: default
    steps: [{{at: {first}, notify: [lead]}}, {{at: {second}, notify: [boss, lead]}}]
"""


class Ports(NamedTuple):
    """Where the service listens, and what is behind it."""

    hooks: int
    board: int
    workflow: int


def configure(folder: Path, ports: Ports, **words: str) -> Path:
    """Write the configuration; ``words``: storage, deadline, first, second (of the steps), keep (of the text), ack."""
    given = {
        "host": here(),
        "storage": "sanfen.db",
        "deadline": "400ms",
        "first": "100ms",
        "second": "200ms",
        "keep": "30d",
        "merge": "10ms",
        "ack": "9s",
    } | words
    path = folder / "sanfen.yaml"
    path.write_text(CONFIG.format(**ports._asdict(), **given), encoding="utf-8")
    return path


def loaded(config: Path) -> Loaded:
    """What the service reads there."""
    return load(config, {"SANFEN_CRASH_SECRET": SECRET})


def environment(folder: Path | None = None, trace: Path | None = None, **more: str) -> dict[str, str]:
    """Of a process with the witness, which looks at ``folder`` from the start if there is one."""
    inside = os.pathsep.join(filter(None, (str(Path(__file__).with_name("inside")), os.environ.get("PYTHONPATH"))))
    out = os.environ | {"LD_PRELOAD": str(witness()), "SANFEN_CRASH_SECRET": SECRET, "PYTHONPATH": inside} | more
    if folder is not None:
        out |= {"IOLOG_DIR": str(folder), "IOLOG_OUT": str(trace or "")}
    return out


class Service:
    """``sanfen serve``, a process of its own, everything it writes and sends witnessed."""

    def __init__(self, folder: Path, trace: Path, config: Path, board: int, **words: str) -> None:
        self._config, self._board = config, board
        self._environment = environment(folder, trace, **words)
        self._process: subprocess.Popen[bytes] | None = None
        self.log = trace.with_suffix(".log")

    async def start(self) -> None:
        """Start, and wait until it is ready."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "sanfen.cli", "serve", "-c", str(self._config)]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)  # noqa: ASYNC220
        for _ in range(1000):
            if self._process.poll() is not None:
                break
            if await is_ready(self._board):
                return
            await asyncio.sleep(0.02)  # until the port answers; bounded
        raise RuntimeError(f"the service did not start: {self.log.read_text(encoding='utf-8')[-2000:]}")

    async def end(self, number: int) -> None:
        """Send a signal and wait for the end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            await asyncio.to_thread(self._process.wait, 30)

    async def stop(self) -> None:
        """Ask it to end."""
        await self.end(signal.SIGTERM)


async def is_ready(board: int) -> bool:
    """Whether the service on this port says so."""
    try:
        reader, writer = await asyncio.open_connection(here(), board)
    except OSError:
        return False
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
    finally:
        writer.close()


class Sent(NamedTuple):
    """One thing to post: where, under which name, what."""

    path: str
    name: str
    event: Any


class Talk:
    """Customers, people, robots and systems, by the dice: every kind of event, some late, some unreadable."""

    def __init__(self, dice: Random, prefix: str = "", customers: int = 12) -> None:
        self._dice = dice
        self._prefix = prefix
        self._customers = customers
        self._count = 0
        self._asked: list[str] = []

    def next(self, now_ms: int) -> Sent:
        """Something that happens now, or happened a while ago and comes now."""
        dice = self._dice
        self._count += 1
        name = f"{self._prefix}{self._count}"
        late_ms = dice.choice((150, 5_000, 60_000)) if dice.random() < 0.1 else 0
        base = {
            "id": name,
            "at": now_ms - late_ms,
            "channel": "desk",
            "conversation": f"客户{dice.randrange(self._customers)}",
        }
        kind = dice.choices(
            ("ask", "answer", "robot", "transfer", "handoff", "close", "tag", "recall", "order", "store", "poison", "direct"),
            (40, 22, 6, 4, 2, 3, 3, 4, 4, 2, 3, 7),
        )[0]  # fmt: skip
        system = base | {"from": "system", "event": kind}
        match kind:
            case "ask" | "direct":
                self._asked.append(name)
                asked = base | {"from": "customer", "text": "在吗？" + "这个有货吗" * dice.randrange(8)}
                return Sent("/in/desk" if kind == "ask" else "/events", name, asked)
            case "answer":
                mode = dice.choice(("human", "human", "shortcut", "assisted", "auto"))
                agent = dice.choice(("小美", "阿强"))
                return Sent(
                    "/out/desk", name, base | {"from": "merchant", "mode": mode, "agent": agent, "text": "在的"}
                )
            case "robot":
                return Sent("/out/desk", name, base | {"from": "merchant", "agent": "客服机器人", "text": "亲，稍等"})
            case "transfer":
                return Sent("/in/desk", name, system | {"agent": "小美", "to": "阿强"})
            case "tag":
                return Sent("/in/desk", name, system | {"tag": dice.choice(("spam", "vip"))})
            case "recall":
                return Sent("/in/desk", name, system | {"message": dice.choice(self._asked or ["none"])})
            case "order":
                stage = dice.choice(("created", "paid", "received"))
                return Sent(
                    "/in/desk", name, system | {"order": f"o{dice.randrange(9)}", "stage": stage, "amount": 1999}
                )
            case "store":
                return Sent("/in/desk", name, system | {"state": dice.choice(("online", "away", "closed_shop"))})
            case "poison":
                return Sent("/in/desk", "poison" + name, b'{"id": "x", ')
            case _:
                return Sent("/in/desk", name, system)
