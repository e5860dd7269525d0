"""What the real command refuses to do: start open to strangers, take a message twice, connect to where nobody meant."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.faults.service import SECRET, Ends, Serve, serving
from tests.security.test_service import signed
from yarl import URL

from sanfen.config.settings import ChannelSettings, Settings
from sanfen.gateway.limits import Limits
from sanfen.gateway.upstream import Upstream, UpstreamError
from sanfen.outbound import Guard

ANYWHERE = "0.0.0.0"  # noqa: S104  # it must not start there
STRONG = "0123456789abcdef" * 4
OPEN = {
    "hooks: '{any}:0'}}\nchannels: {{desk: {{signing: none}}}}": "takes unsigned messages on 0.0.0.0",
    "hooks: '[::]:0'}}\nchannels: {{desk: {{signing: none}}}}": "takes unsigned messages on ::",
    "hooks: '{any}:0'}}\nchannels: {{desk: {{adapter: generic}}}}": "has no secret to check signatures with",
    "board: '{any}:0'}}": "would be open to anybody on 0.0.0.0",
    "board: '192.0.2.1:0'}}": "would be open to anybody on 192.0.2.1",
    "board: '{any}:0'}}\nadmin: {{token: hunter2}}": "the token could be guessed",
    "board: '{any}:0'}}\nadmin: {{token: '{short}'}}": "the token could be guessed",
    "board: '{any}:0'}}\nadmin: {{token: '{dull}'}}": "the token could be guessed",
    "board: '{any}:0'}}\nadmin: {{tokens: ['{strong}', short]}}": "the token could be guessed",
}


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    async with Ends().running() as made:
        yield made


@pytest.mark.parametrize("wrong", OPEN)
def test_it_does_not_start_open_to_strangers(tmp_path: Path, wrong: str) -> None:
    """One sentence with its mend, exit 2, nothing listening and nothing written."""
    text = wrong.format(any=ANYWHERE, short=STRONG[:42], dull="a" * 64, strong=STRONG)
    config = tmp_path / "sanfen.yaml"
    config.write_text("version: 1\nlisten: {" + text + "\n", encoding="utf-8")
    flags = "-m" if "PYTHONPATH" in os.environ else "-Im"

    done = subprocess.run(
        [sys.executable, flags, "sanfen.cli", "serve", "-c", str(config)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert OPEN[wrong] in done.stderr
    assert "help:" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["sanfen.yaml"]


async def test_a_replay_has_no_second_effect(tmp_path: Path, ends: Ends) -> None:
    """The same bytes with the same signature: taken each time with a 2xx, kept and counted once."""
    serve = Serve(tmp_path, ends.port)
    # Nothing in the body says which message it is: its id is the webhook's, or a replay would be another message.
    bodies = [
        json.dumps({"conversation": "c1", "role": "customer", "text": "在吗"}),
        json.dumps({"type": "message.created", "data": {"conversation": "c2", "role": "customer"}}),
        json.dumps(
            {"specversion": "1.0", "type": "message.created", "data": {"conversation": "c3", "role": "customer"}}
        ),
    ]
    captured = [(body.encode(), signed(SECRET, f"w{n}", body.encode())) for n, body in enumerate(bodies)]
    binary = {"ce-specversion": "1.0", "ce-type": "message.created"}
    async with serving(serve), aiohttp.ClientSession() as client:
        for attempt in range(3):
            for body, headers in captured:
                more = {"x-attempt": str(attempt)}
                async with client.post(f"{serve.url}/in/desk", data=body, headers=headers | more) as answer:
                    assert answer.status == 200
            # What is not signed is changed: another id for the same message, as a binary CloudEvent.
            forged = captured[0][1] | binary | {"ce-id": f"forged-{attempt}", "x-attempt": str(attempt)}
            async with client.post(f"{serve.url}/in/desk", data=captured[0][0], headers=forged) as answer:
                assert answer.status == 200
        await serve.until("SELECT count(*) FROM messages", 3)

    assert serve.rows("SELECT count(*), count(DISTINCT conversation) FROM rounds") == [(3, 3)]


async def test_a_name_that_leads_inside_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workflow's name is made to point at this machine: no connection is opened, and the reason is said."""
    touched: list[str] = []

    async def inside(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        touched.append("connected")
        writer.close()

    server = await asyncio.start_server(inside, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", getaddrinfo)
    upstream = Upstream(URL(f"http://workflow.example:{port}/in"), Limits(), Guard(private=True))

    with pytest.raises(UpstreamError, match=r"not public") as caught:
        await upstream.send("POST", b"POST /in HTTP/1.1\r\n\r\n", b"", asyncio.get_running_loop().time() + 5)
    server.close()

    assert caught.value.status == 502
    assert not touched


def test_the_defaults_are_the_careful_ones() -> None:
    """Whoever configures nothing opens nothing."""
    settings, channel = Settings(), ChannelSettings("desk", "generic")

    assert (settings.listen.hooks_host, settings.listen.board_host) == ("127.0.0.1", "127.0.0.1")
    assert (settings.admin_tokens, settings.outbound, settings.plugins) == ((), (), ())
    assert settings.text_keep_ms == 30 * 86_400_000
    assert (channel.signing, channel.secrets) == ("required", ())
    assert channel.ack_budget_ms < channel.timeout_ms
