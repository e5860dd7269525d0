"""The example configurations of nginx and Caddy, in front of the real service: only ports and certificates are other ones."""

import asyncio
import os
import shutil
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web
from tests.e2e.service import Sanfen, Upstream, eventually, message, signed
from tests.ports import free_port
from tests.served import served
from yarl import URL

CONFIG = Path(__file__).parents[2] / "config"
TOKEN = "0123456789abcdef" * 4
NAMES = ("hooks.example.com", "board.example.com")
COMMON = """\
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    include {folder}/sanfen.conf;
}}
"""


def nginx(folder: Path, port: int, hooks: int, board: str, standby: int | None) -> list[str]:
    text = (CONFIG / "nginx.conf").read_text(encoding="utf-8").replace("127.0.0.1:8970", f"127.0.0.1:{hooks}")
    if standby is not None:
        text = text.replace("#server 127.0.0.1:8980", f"server 127.0.0.1:{standby}")
    text = text.replace("127.0.0.1:8971", board).replace("listen 443", f"listen 127.0.0.1:{port}")
    text = text.replace("/etc/ssl/", f"{folder}/").replace("/var/log/nginx/", f"{folder}/")
    (folder / "sanfen.conf").write_text(text, encoding="utf-8")
    (folder / "nginx.conf").write_text(COMMON.format(folder=folder), encoding="utf-8")
    return ["nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]


def caddy(folder: Path, port: int, hooks: int, board: str, standby: int | None) -> list[str]:
    text = (CONFIG / "Caddyfile").read_text(encoding="utf-8")
    if standby is not None:
        text = text.replace("127.0.0.1:8980\n", f"127.0.0.1:{standby}\n")
        for option in ("to", "lb_policy", "fail_duration"):
            text = text.replace(f"#{option} ", f"{option} ")
    text = text.replace("127.0.0.1:8970", f"127.0.0.1:{hooks}").replace("127.0.0.1:8971", board)
    for name in NAMES:
        text = text.replace(f"{name} {{", f"{name}:{port} {{\n\ttls {folder}/{name}.pem {folder}/{name}.key")
    bounds = "{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n}\n"
    (folder / "Caddyfile").write_text(bounds + text, encoding="utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]


def started(command: list[str], output: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with output.open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


@asynccontextmanager
async def proxied(
    name: str, folder: Path, hooks: int, board: str, standby: int | None = None
) -> AsyncIterator[tuple[aiohttp.ClientSession, int]]:
    """Give a client that finds both names at the proxy's port; they are not anybody's names elsewhere. ``standby``: its port."""
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here: apt-get install {name}")
    authority, port = trustme.CA(), free_port()
    for one in NAMES:
        issued = authority.issue_cert(one)
        issued.private_key_pem.write_to_path(str(folder / f"{one}.key"))
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{one}.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    command = {"nginx": nginx, "caddy": caddy}[name](folder, port, hooks, board, standby)
    environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = started(command, folder / "proxy.log", environment)
    connector = aiohttp.TCPConnector(resolver=Here(), ssl=context)
    try:
        async with aiohttp.ClientSession(connector=connector) as client:
            for _ in range(200):
                assert process.poll() is None, (folder / "proxy.log").read_text(encoding="utf-8")
                try:
                    async with client.get(f"https://{NAMES[0]}:{port}/"):
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)  # until the port answers; bounded
            yield client, port
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 10)


class Here(aiohttp.abc.AbstractResolver):
    """Every name is this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[aiohttp.abc.ResolveResult]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def test_deliveries_pass_as_they_were_signed_and_nothing_else_passes(
    proxy: str, tmp_path: Path, upstream: Upstream
) -> None:
    """Byte for byte, path and query as written; a page of this machine's stays this machine's; the board asks for its token."""
    sanfen = Sanfen(tmp_path, upstream, more="admin: {token: '${SANFEN_TOKEN}'}\n", env={"SANFEN_TOKEN": TOKEN})
    await sanfen.start()
    body = message("q1", "customer")
    try:
        async with proxied(proxy, tmp_path, sanfen.port, sanfen.board.removeprefix("http://")) as (client, port):
            hooks, board = (f"https://{name}:{port}" for name in NAMES)

            async def status(url: str, body: bytes | None = None, **headers: str) -> int:
                async with client.request("GET" if body is None else "POST", url, data=body, headers=headers) as answer:
                    return answer.status

            url = URL(f"{hooks}/in/desk/a%2Fb?x=%20y", encoded=True)
            async with client.post(url, data=body, headers=signed(body, "q1")) as answer:
                assert (answer.status, await answer.read()) == (200, b'{"upstream": "/in/a%2Fb?x=%20y"}')
            assert upstream.bodies == [body]
            assert await status(f"{hooks}/events", body) == 403
            assert await status(f"{hooks}/metrics") == 404
            assert await status(f"{hooks}/in/desk", b"x" * 300_000) == 413
            assert await status(f"{board}/healthz") == 200
            assert await status(f"{board}/metrics") == 401
            assert await status(f"{board}/metrics", Authorization=f"Bearer {TOKEN}") == 200
            form = {"token": TOKEN, "next": "/"}
            async with client.post(
                f"{board}/login", data=form, headers={"Origin": board}, allow_redirects=False
            ) as answer:
                assert answer.status == 303, (dict(answer.headers), await answer.text())
                cookie = answer.headers["Set-Cookie"]
                assert (answer.status, cookie.startswith("__Host-"), "Secure" in cookie) == (303, True, True)
            async with client.get(
                f"{board}/", headers={"Accept": "text/html", "Cookie": cookie.split(";")[0]}
            ) as answer:
                assert (answer.status, "旗舰店" in await answer.text()) == (200, True)
    finally:
        await sanfen.stop()


async def test_a_standby_that_took_over_has_the_traffic(proxy: str, tmp_path: Path, upstream: Upstream) -> None:
    """The first is killed: the standby gets what the channel sends again, and nothing comes twice."""
    first, second = (Sanfen(tmp_path, upstream) for _ in range(2))
    body = message("q1", "customer")
    await first.start()
    second.spawn("--standby")
    await eventually(lambda: "standing by" in second.log, says=lambda: second.log)
    async with proxied(proxy, tmp_path, first.port, first.board.removeprefix("http://"), second.port) as (client, port):

        async def taken() -> bool:
            headers = signed(body, "q1")
            async with client.post(f"https://{NAMES[0]}:{port}/in/desk", data=body, headers=headers) as answer:
                return answer.status == 200

        first.kill()
        await eventually(taken, says=lambda: second.log)

    assert second.rows("SELECT id FROM messages") == [("q1",)]
    assert upstream.bodies == [body]
    assert await second.stop() == 0


async def test_a_live_feed_is_not_held_back(proxy: str, tmp_path: Path) -> None:
    """The first line arrives while the answer still goes on."""
    seen = asyncio.Event()

    async def feed(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: first\n\n")
        await seen.wait()
        return answer

    async with (
        served(feed) as board,
        proxied(proxy, tmp_path, free_port(), board) as (client, port),
        client.get(f"https://{NAMES[1]}:{port}/stream") as answer,
    ):
        assert await asyncio.wait_for(answer.content.readline(), 20) == b"data: first\n"
        seen.set()
