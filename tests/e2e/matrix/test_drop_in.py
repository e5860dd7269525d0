"""The proof that only addresses change: a customer on IRC, an agent on Matrix, a real bridge and real servers between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from tests.e2e.matrix.servers import Agent, Bridge, Customer, Homeserver, Irc
from tests.e2e.service import Sanfen, Upstream, eventually

CONFIG = """\
version: 1
listen: {{hooks: "127.0.0.1:{hooks}", board: "{board}"}}
storage: {folder}/sanfen.db
policy: ours
policies: {{ours: {{based_on: taobao-2022-01, deadline: 30s, window: 00:00-24:00, midnight: none}}}}
channels:
  irc:
    adapter: matrix_as
    from_customer: {{forward: "http://127.0.0.1:{bridge}"}}
    from_shop: {{forward: "{homeserver}"}}
    secret: ${{HS_TOKEN}}
    options: {{customers: "{customers}"}}
bots: {{bridge: {{ids: ["@{bot}:shop.test"]}}}}
people:
  lead: {{via: [{{url: "webhook+http://127.0.0.1:{upstream}/notice", secret: "${{NOTICE_SECRET}}"}}]}}
escalation:
  - name: default
    steps: [{{at: 2s, notify: [lead]}}]
"""


class Shop(NamedTuple):
    sanfen: Sanfen
    upstream: Upstream
    agent: Agent
    irc: Irc


@pytest.fixture
async def shop(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Shop]:
    """Everything runs, and the agent has told the bridge where the customers are."""
    async with AsyncExitStack() as stack:
        irc, sanfen = Irc(tmp_path), Sanfen(tmp_path, upstream)
        bridge = Bridge(tmp_path, sanfen.url + "/{}/irc")
        homeserver = Homeserver(tmp_path, bridge)
        sanfen.env = {"HS_TOKEN": bridge.facts["hs_token"]}
        text = CONFIG.format(
            hooks=sanfen.port, board=sanfen.board.removeprefix("http://"), folder=tmp_path, bridge=bridge.port,
            homeserver=homeserver.url, customers=bridge.customers, bot=bridge.facts["sender_localpart"],
            upstream=upstream.port,
        )  # fmt: skip
        sanfen.config.write_text(text, encoding="utf-8")
        await stack.enter_async_context(irc.running())
        await stack.enter_async_context(homeserver.running())
        stack.enter_context(sanfen.keep_listening())
        await sanfen.start()
        stack.push_async_callback(sanfen.stop)
        client = await stack.enter_async_context(aiohttp.ClientSession())
        agent = await Agent(homeserver.url, client).sign_up("agent")
        await stack.enter_async_context(bridge.running())
        await _connect(agent, bridge.facts["sender_localpart"], irc.port)
        yield Shop(sanfen, upstream, agent, irc)


async def _connect(agent: Agent, bot: str, port: int) -> None:
    control = await agent.room_with(f"@{bot}:shop.test")

    async def joined() -> bool:
        return len(await agent.members(control)) == 2

    await eventually(joined, says=lambda: "the bridge did not come")
    await agent.say(control, "addnetwork irc")
    await agent.say(control, f"addserver irc 127.0.0.1 {port}")
    await agent.say(control, "open irc")
    network = await agent.hears("Welcome to the network room")
    await agent.say(network, "nick desk")
    await agent.say(network, "connect")
    await agent.hears("hello")  # the IRC server's words of the day


def told(sanfen: Sanfen) -> list[tuple[str, str]]:
    return [
        (a, b)
        for a, b in sanfen.rows(
            "SELECT sender, text FROM messages WHERE conversation IN "
            "(SELECT conversation FROM messages WHERE sender = 'customer') ORDER BY at_ms, rowid"
        )
    ]


async def test_a_customer_on_irc_and_an_agent_on_matrix(shop: Shop) -> None:
    buyer = await Customer.connect(shop.irc.port, "buyer1")
    buyer.say("desk", "这件大衣有货吗？")
    room = await shop.agent.hears("这件大衣有货吗？")
    await eventually(lambda: shop.upstream.notices, says=lambda: f"nobody was told\n{shop.sanfen.log}")
    await shop.agent.say(room, "自动回复：稍等", "m.notice")
    await shop.agent.say(room, "有的，今天发货")
    await eventually(lambda: buyer.heard, says=lambda: "the customer heard nothing")
    await eventually(lambda: len(told(shop.sanfen)) == 3, says=lambda: f"{told(shop.sanfen)}\n{shop.sanfen.log}")
    await buyer.leave()

    assert buyer.heard == ["有的，今天发货"]  # the bridge itself keeps notices to the Matrix side
    assert told(shop.sanfen) == [
        ("customer", "这件大衣有货吗？"), ("merchant", "自动回复：稍等"), ("merchant", "有的，今天发货"),
    ]  # fmt: skip
    assert shop.sanfen.rows("SELECT status, agent FROM rounds") == [("met", "@agent:shop.test")]
    assert [one["data"]["person"] for one in shop.upstream.notices] == ["lead"]


async def test_ten_seconds_without_us_lose_nothing(shop: Shop) -> None:
    """What the homeserver tells it tells again; the bridge, which asks once, waits at the port that systemd keeps."""
    buyer = await Customer.connect(shop.irc.port, "buyer1")
    buyer.say("desk", "在吗")
    room = await shop.agent.hears("在吗")
    shop.sanfen.kill()
    down = [f"第{number}句" for number in range(1, 4)]
    for text in down:
        await shop.agent.say(room, text)
    buyer.say("desk", "还在吗")
    await asyncio.sleep(10)  # the outage itself
    assert buyer.heard == []
    await shop.sanfen.start()
    await eventually(lambda: len(buyer.heard) == 3, says=lambda: f"the customer heard {buyer.heard}")
    await shop.agent.hears("还在吗")
    await eventually(lambda: len(told(shop.sanfen)) == 5, says=lambda: f"{told(shop.sanfen)}\n{shop.sanfen.log}")
    await buyer.leave()

    assert buyer.heard == down
    assert [text for sender, text in told(shop.sanfen) if sender == "merchant"] == down
    assert sorted(text for sender, text in told(shop.sanfen) if sender == "customer") == ["在吗", "还在吗"]
