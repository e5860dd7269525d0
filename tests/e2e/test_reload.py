"""SIGHUP under traffic: all of a good file or nothing of a bad one, and no request notices."""

import asyncio
import signal
from collections.abc import Callable

import aiohttp
from tests.e2e.service import Sanfen, Upstream, eventually, message, post, signed


async def metric(sanfen: Sanfen, name: str) -> float:
    async with aiohttp.ClientSession() as client, client.get(f"{sanfen.board}/metrics") as answer:
        text = await answer.text()
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def reload(sanfen: Sanfen) -> bool:
    """Whether the file was adopted."""
    before = sanfen.log.count("configuration adopted"), sanfen.log.count("configuration not adopted")
    assert sanfen.process is not None
    sanfen.process.send_signal(signal.SIGHUP)
    await eventually(
        lambda: (sanfen.log.count("configuration adopted"), sanfen.log.count("configuration not adopted")) != before,
        says=lambda: sanfen.log,
    )
    return sanfen.log.count("configuration adopted") > before[0]


BAD: dict[str, Callable[[str], str]] = {
    "half-written": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "huge": lambda text: text + "# " + "x" * 300_000,
    "unknown key": lambda text: text + "colour: red\n",
    "nobody": lambda text: text.replace("notify: [lead]", "notify: [leda]"),
    "unknown adapter": lambda text: text.replace("adapter: generic", "adapter: generik"),
    "no number": lambda text: text.replace("secret: ", "options: {forward_bytes: many}\n    secret: "),
    "other ports": lambda text: text.replace('board: "127.0.0.1:', 'board: "127.0.0.2:'),
    "other log": lambda text: text.replace("/sanfen.db", "/other.db"),
}


async def test_a_bad_file_changes_nothing_and_is_shown(sanfen: Sanfen) -> None:
    for name, spoil in BAD.items():
        sanfen.config.write_text(spoil(sanfen.text), encoding="utf-8")
        assert not await reload(sanfen), name
        assert await metric(sanfen, "sanfen_last_reload_ok") == 0, name
        body = message(name, "customer")
        assert (await post(sanfen, "/in/desk", body, signed(body, name)))[0] == 200
    sanfen.config.unlink()
    assert not await reload(sanfen)
    async with aiohttp.ClientSession() as client, client.get(f"{sanfen.board}/?lang=en") as answer:
        assert "The changed configuration is not in force" in await answer.text()

    for words in ("unknown key 'colour'", "is not under `people:`", "listen: cannot change while the service runs"):
        assert words in sanfen.log
    sanfen.config.write_text(sanfen.text, encoding="utf-8")
    assert await reload(sanfen)
    assert await metric(sanfen, "sanfen_last_reload_ok") == 1
    assert sanfen.rows("SELECT count(*) FROM deliveries") == [(len(BAD),)]


async def test_reloads_under_traffic_lose_and_mix_nothing(sanfen: Sanfen, upstream: Upstream) -> None:
    """Two policies in turn, every third file broken: every request is answered, every round is of one policy."""
    deadlines = {"deadline: 3s": 3_000, "deadline: 5s": 5_000}
    statuses: list[int] = []
    stop = asyncio.Event()

    async def talk(client: aiohttp.ClientSession, number: int) -> None:
        sent = 0
        while not stop.is_set():
            name = f"t{number}-{sent}"
            body = message(name, "customer", conversation=name)
            url = f"{sanfen.url}/in/desk"
            async with client.post(url, data=body, headers=signed(body, name)) as answer:
                statuses.append(answer.status)
            sent += 1

    async with aiohttp.ClientSession() as client:
        talks = [asyncio.create_task(talk(client, number)) for number in range(4)]
        for turn in range(15):
            text = sanfen.text.replace("deadline: 3s", ["deadline: 3s", "deadline: 5s"][turn % 2])
            sanfen.config.write_text(text[:-40] if turn % 3 == 2 else text, encoding="utf-8")
            assert await reload(sanfen) == (turn % 3 != 2)
            await more(statuses, 4)
        stop.set()
        await asyncio.gather(*talks)

    assert set(statuses) == {200}
    assert len(upstream.bodies) == len(statuses)
    assert sanfen.rows("SELECT count(*) FROM deliveries") == [(len(statuses),)]
    found = sanfen.rows("SELECT DISTINCT policy_version, due_ms - clock_ms FROM rounds ORDER BY 2")
    assert [row[1] for row in found] == sorted(deadlines.values())
    assert "Traceback" not in sanfen.log


async def more(statuses: list[int], count: int) -> None:
    """Until so many further requests were answered."""
    wanted = len(statuses) + count
    await eventually(lambda: len(statuses) >= wanted)


async def test_a_channel_appears_and_its_secret_is_exchanged(sanfen: Sanfen) -> None:
    body = message("q1", "customer")
    assert (await post(sanfen, "/in/second", body, signed(body, "q1")))[0] == 404
    other = sanfen.text.replace("  desk:\n", "  second:\n")
    sanfen.config.write_text(other, encoding="utf-8")
    assert await reload(sanfen)

    assert (await post(sanfen, "/in/second", body, signed(body, "q1")))[0] == 200
    assert (await post(sanfen, "/in/desk", body, signed(body, "q1")))[0] == 404


async def test_the_people_of_a_step_are_those_of_the_new_file(sanfen: Sanfen, upstream: Upstream) -> None:
    sanfen.config.write_text(sanfen.text.replace("lead: {", "boss: {").replace("[lead]", "[boss]"), encoding="utf-8")
    assert await reload(sanfen)
    body = message("q1", "customer")
    await post(sanfen, "/in/desk", body, signed(body, "q1"))
    await eventually(lambda: upstream.notices)

    assert [notice["person"] for notice in upstream.notices] == ["boss"]
