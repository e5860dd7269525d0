"""The real servers of the drop-in proof: an IRC server, a Matrix homeserver, and the bridge between them.

The customer sits on IRC, the agent on Matrix. Of all this only two addresses are ours: the ``url`` of the bridge's
registration, and the homeserver's address that the bridge is given.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from tests.e2e.service import eventually
from tests.ports import free_port

__all__ = ["Agent", "Bridge", "Customer", "Homeserver", "Irc", "program"]

ROOT = Path(__file__).parent.parent.parent.parent
SHOP = "shop.test"
TIMEOUT = aiohttp.ClientTimeout(total=20)


def program(name: str) -> Path:
    """A program of one of the environments that ``make test-e2e`` sets up."""
    return ROOT / ".venv" / name


class Process:
    """A program that runs until its owner is done with it."""

    def __init__(self, command: Sequence[str], folder: Path, name: str) -> None:
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def runs(self) -> bool:
        return self._process.poll() is None

    async def end(self) -> None:
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, 15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.to_thread(self._process.wait, 15)


@asynccontextmanager
async def running(command: Sequence[str], folder: Path, name: str, port: int) -> AsyncIterator[Process]:
    """The program, once it listens."""
    process = Process(command, folder, name)
    try:
        for _ in range(1200):
            assert process.runs(), process.log
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)  # until it listens; bounded
        else:
            raise AssertionError(f"{name} does not listen: {process.log}")
        yield process
    finally:
        await process.end()


class Irc:
    """ngircd, with room for the long names a bridge gives."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._conf = folder / "ngircd.conf"
        self._conf.write_text(
            f"[Global]\nName = irc.test\nInfo = test\nListen = 127.0.0.1\nPorts = {self.port}\nMotdPhrase = hello\n"
            "ServerUID = 0\nServerGID = 0\n[Limits]\nMaxNickLength = 30\nMaxConnectionsIP = 0\n"
            "[Options]\nDNS = no\nIdent = no\nPAM = no\nSyslogFacility = local1\n"
        )

    def running(self) -> Any:
        return running(["/usr/sbin/ngircd", "-n", "-f", str(self._conf)], self._folder, "ngircd", self.port)


class Bridge:
    """heisenbridge: writes its registration itself; we change the address in it."""

    def __init__(self, folder: Path, here: str) -> None:
        """``here``: where sanfen takes traffic of the channel, ``http://127.0.0.1:8970/{}/irc`` with ``in`` or ``out``."""
        self.port = free_port()
        self._folder = folder
        self._out = here.format("out")
        self.registration = folder / "registration.yaml"
        made = ["-m", "heisenbridge", "-c", str(self.registration), "--generate"]
        subprocess.run([program("bridge") / "bin" / "python", *made], check=True, cwd=folder, timeout=60)
        self.facts: dict[str, Any] = yaml.safe_load(self.registration.read_text()) | {"url": here.format("in")}
        self.registration.write_text(yaml.safe_dump(self.facts))

    @property
    def customers(self) -> str:
        """The pattern of the names it speaks for."""
        return str(self.facts["namespaces"]["users"][0]["regex"])

    def running(self) -> Any:
        command = [
            str(program("bridge") / "bin" / "python"), "-m", "heisenbridge", "-c", str(self.registration),
            "-l", "127.0.0.1", "-p", str(self.port), "-o", f"@agent:{SHOP}", self._out,
        ]  # fmt: skip
        return running(command, self._folder, "bridge", self.port)


class Homeserver:
    """Synapse, on SQLite, federating with nobody."""

    def __init__(self, folder: Path, bridge: Bridge) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._conf = folder / "homeserver.yaml"
        unlimited = {"per_second": 1000, "burst_count": 1000}
        logs = folder / "log.yaml"
        logs.write_text("version: 1\nroot: {level: WARNING}\n")
        self._conf.write_text(
            yaml.safe_dump(
                {
                    "server_name": SHOP,
                    "report_stats": False,
                    "signing_key_path": str(folder / "signing.key"),
                    "media_store_path": str(folder / "media"),
                    "pid_file": str(folder / "synapse.pid"),
                    "log_config": str(logs),
                    "database": {"name": "sqlite3", "args": {"database": str(folder / "synapse.db")}},
                    "listeners": [
                        {"port": self.port, "bind_addresses": ["127.0.0.1"], "type": "http",
                         "resources": [{"names": ["client"]}]},
                    ],
                    "app_service_config_files": [str(bridge.registration)],
                    "enable_registration": True,
                    "enable_registration_without_verification": True,
                    "bcrypt_rounds": 4,
                    "trusted_key_servers": [],
                    "rc_message": unlimited,
                    "rc_registration": unlimited,
                    "rc_invites": {"per_room": unlimited, "per_user": unlimited, "per_issuer": unlimited},
                    "rc_joins": {"local": unlimited, "remote": unlimited},
                    "rc_login": {"address": unlimited, "account": unlimited, "failed_attempts": unlimited},
                }
            )
        )  # fmt: skip
        python = program("synapse") / "bin" / "python"
        made = ["-m", "synapse.app.homeserver", "-c", str(self._conf), "--generate-keys"]
        subprocess.run([python, *made], check=True, cwd=folder, timeout=60)

    def running(self) -> Any:
        python = str(program("synapse") / "bin" / "python")
        return running(
            [python, "-m", "synapse.app.homeserver", "-c", str(self._conf)], self._folder, "synapse", self.port
        )


class Agent:
    """A person with a Matrix client, at the homeserver itself."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self._url = f"{url}/_matrix/client/v3"
        self._client = client
        self._headers: dict[str, str] = {}
        self._since: str | None = None
        self._sent = 0
        self.invited: list[str] = []
        self.heard: list[tuple[str, str, str]] = []  # room, sender, text

    async def sign_up(self, name: str) -> Self:
        given = {"username": name, "password": "a password", "auth": {"type": "m.login.dummy"}}
        found = await self._ask("POST", "register", given)
        self._headers = {"Authorization": f"Bearer {found['access_token']}"}
        return self

    async def room_with(self, user: str) -> str:
        found = await self._ask("POST", "createRoom", {"invite": [user], "is_direct": True, "preset": "private_chat"})
        return str(found["room_id"])

    async def say(self, room: str, text: str, kind: str = "m.text") -> str:
        self._sent += 1
        found = await self._ask(
            "PUT", f"rooms/{room}/send/m.room.message/{self._sent}", {"msgtype": kind, "body": text}
        )
        return str(found["event_id"])

    async def members(self, room: str) -> set[str]:
        return set((await self._ask("GET", f"rooms/{room}/joined_members"))["joined"])

    async def sync(self) -> None:
        """Take what is new; join every room it is invited to."""
        query = "?timeout=0" + (f"&since={self._since}" if self._since else "")
        found = await self._ask("GET", f"sync{query}")
        self._since = found["next_batch"]
        for room in found.get("rooms", {}).get("invite", {}):
            await self._ask("POST", f"rooms/{room}/join", {})
            self.invited.append(room)
        for room, told in found.get("rooms", {}).get("join", {}).items():
            for one in told["timeline"]["events"]:
                if one["type"] == "m.room.message" and one["content"].get("body") is not None:
                    self.heard.append((room, one["sender"], one["content"]["body"]))

    async def hears(self, text: str) -> str:
        """The room in which it was said."""

        async def found() -> bool:
            await self.sync()
            return any(text in said for _, _, said in self.heard)

        await eventually(found, says=lambda: f"{text!r} was not heard: {self.heard}")
        return next(room for room, _, said in self.heard if text in said)

    async def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        async with self._client.request(
            method, f"{self._url}/{path}", json=body, headers=self._headers, timeout=TIMEOUT
        ) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == 200, (path, answer.status, found)
            return found


class Customer:
    """A person on IRC."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nick: str) -> None:
        self._writer = writer
        self.nick = nick
        self.heard: list[str] = []
        self.ready = asyncio.Event()
        self._task = asyncio.create_task(self._listen(reader))

    @classmethod
    async def connect(cls, port: int, nick: str) -> Self:
        made = cls(*await asyncio.open_connection("127.0.0.1", port), nick)
        made._write(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
        await asyncio.wait_for(made.ready.wait(), 20)
        return made

    def say(self, to: str, text: str) -> None:
        self._write(f"PRIVMSG {to} :{text}")

    def _write(self, *lines: str) -> None:
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while line := (await reader.readline()).decode(errors="replace").strip():
            words = line.split(" ", 3)
            if words[0] == "PING":
                self._write(f"PONG {words[1]}")
            elif words[1] == "001":
                self.ready.set()
            elif words[1] == "PRIVMSG":
                self.heard.append(words[3].removeprefix(":"))

    async def leave(self) -> None:
        self._write("QUIT")
        self._writer.close()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
