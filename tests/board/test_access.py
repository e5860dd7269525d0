"""The second port's door: a token where there is one, this machine's own name where there is none."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sanfen.board.views import Trouble, build_board_app
from sanfen.config.load import Loaded
from sanfen.config.settings import Settings, Token
from sanfen.core.policy import Policy
from sanfen.meters import Meters
from sanfen.notify.acting import Acting
from sanfen.store import journal
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock, ask

TOKEN = "8f3b" * 8 + "c0ffee11" * 4
NEXT = "Zm9v-YmFy_" * 5
BEARER = {"Authorization": f"Bearer {TOKEN}"}
GUARDED = ["/", "/api/v1/now", "/api/v1/rounds", "/api/v1/rounds/x", "/api/v1/rates", "/api/v1/budget",
           "/api/v1/report", "/metrics", "/nothing"]  # fmt: skip


LOADED = Loaded(Settings(), (Policy("p"),), ())


class Service:
    db: Database | None = None
    policy = "p"
    front: Any = SimpleNamespace(under_way=0)
    acting = Acting({})
    deliveries: dict[tuple[str, str], int] = {}  # noqa: RUF012  # never changed
    meters = Meters()
    secrets: dict[tuple[str, str], int] = {}  # noqa: RUF012
    trouble: Trouble | None = None
    is_standby = False
    not_adopted: str | None = None
    problems: str = ""
    loaded = LOADED


async def board(aiohttp_client: Any, *tokens: str) -> TestClient[Any, Any]:
    settings = Settings(admin_tokens=tuple(Token(token) for token in tokens))
    made: TestClient[Any, Any] = await aiohttp_client(TestServer(build_board_app(Service(), settings, FakeClock())))
    return made


@pytest.mark.parametrize("path", GUARDED)
async def test_nothing_is_shown_without_the_token(aiohttp_client: Any, path: str) -> None:
    client = await board(aiohttp_client, TOKEN)

    bare = await client.get(path)
    right = await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})

    assert (bare.status, bare.headers["WWW-Authenticate"]) == (401, 'Bearer realm="sanfen"')
    assert right.status in (200, 404, 503)  # there is no log in this test


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}0",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN} {TOKEN}",
        "Bearer 令牌",
        "Bearer \udcff",
        "Bearer " + "a" * 4_000,
    ],
)
async def test_whatever_else_is_sent_is_401(aiohttp_client: Any, given: str) -> None:
    """Also what is no ASCII: comparing it must not become a server error."""
    client = await board(aiohttp_client, TOKEN)

    answer = await client.get("/api/v1/now", headers={"Authorization": given.encode("utf-8", "surrogateescape").decode("latin-1")})  # fmt: skip

    assert answer.status == 401
    assert TOKEN not in await answer.text()


async def test_two_authorizations_are_none(aiohttp_client: Any) -> None:
    client = await board(aiohttp_client, TOKEN)
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]

    assert (await client.get("/metrics", headers=headers)).status == 401


async def test_a_token_in_cookie_or_address_is_none(aiohttp_client: Any) -> None:
    """No authority in cookies, and nothing in URLs, which end in logs."""
    client = await board(aiohttp_client, TOKEN)

    assert (await client.get(f"/metrics?token={TOKEN}&access_token={TOKEN}")).status == 401
    assert (await client.get("/metrics", headers={"Cookie": f"token={TOKEN}; session={TOKEN}"})).status == 401


async def test_both_tokens_hold_while_one_replaces_another(aiohttp_client: Any) -> None:
    client = await board(aiohttp_client, NEXT, TOKEN)

    assert [(await client.get("/metrics", headers={"Authorization": f"bearer {one}"})).status for one in (NEXT, TOKEN)] == [200, 200]  # fmt: skip


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_whoever_restarts_needs_no_token(aiohttp_client: Any, path: str) -> None:
    client = await board(aiohttp_client, TOKEN)

    assert (await client.get(path)).status in (200, 503)


async def test_whoever_restarts_is_told_no_more_than_that(aiohttp_client: Any) -> None:
    """The cause may name files and programs."""
    service = Service()
    service.trouble = Trouble("the log is locked by another program: x (7)", 1, 2, 3)
    settings = Settings(admin_tokens=(Token(TOKEN),))
    client: TestClient[Any, Any] = await aiohttp_client(TestServer(build_board_app(service, settings, FakeClock())))
    stranger = await (await client.get("/readyz")).json()
    known = await (await client.get("/readyz", headers=BEARER)).json()

    assert stranger.keys() == {"status", "reason"}
    assert (known["cause"], known["kept"], known["lost"]) == (service.trouble.cause, 2, 3)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8971", 200),
        ("localhost", 200),
        ("[::1]:8971", 200),
        ("LOCALHOST:1", 200),
        ("evil.example", 421),
        ("evil.example:8971", 421),
        ("127.0.0.1.evil.example", 421),
        ("10.0.0.1", 421),
        ("", 421),
        ("localhost:", 421),
    ],
)
async def test_without_a_token_a_foreign_name_is_turned_away(aiohttp_client: Any, host: str, status: int) -> None:
    """A web page whose own name was made to point at 127.0.0.1 must not read the board of whoever looks at it."""
    client = await board(aiohttp_client)

    assert (await client.get("/metrics", headers={"Host": host})).status == status


@pytest.mark.parametrize("path", ["/", "/api/v1/now", "/metrics", "/nothing", "/healthz"])
async def test_every_answer_says_how_it_may_be_used(aiohttp_client: Any, path: str) -> None:
    """Also refusals: not kept, not framed, not sniffed, no script but our own, and nothing for other sites."""
    client = await board(aiohttp_client, TOKEN)
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}", "Origin": "https://evil.example"}):
        answer = await client.get(path, headers=headers)

        assert answer.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
        assert "Set-Cookie" not in answer.headers


async def test_a_preflight_of_another_site_is_refused(aiohttp_client: Any) -> None:
    client = await board(aiohttp_client)
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    answer = await client.options("/api/v1/now", headers=headers)

    assert answer.status in (403, 405)
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404),
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_without_a_token_only_the_board_itself_acts(
    aiohttp_client: Any, headers: dict[str, str], status: int
) -> None:
    """404 is what an act on nothing gets: it was let in."""
    client = await board(aiohttp_client)

    assert (await client.post("/nothing", json={}, headers=headers)).status == status


async def test_a_link_needs_no_token_and_everything_else_does(aiohttp_client: Any) -> None:
    client = await board(aiohttp_client, TOKEN)

    assert (await client.get("/act/x")).status == 503  # its signature is looked at, and there is no log in this test
    assert (await client.get("/static/act.js")).status == 200
    assert (await client.post("/api/v1/rounds/r/take", json={"by": "x"})).status == 401


def test_the_page_has_no_place_that_is_not_escaped() -> None:
    """Autoescape is on, no template turns it off, and no script writes HTML."""
    folder = Path(__file__).parents[2] / "plugin" / "sanfen" / "board"
    text = "".join(path.read_text(encoding="utf-8") for path in [*folder.rglob("*.html"), *folder.rglob("*.js")])

    assert not [
        word
        for word in ("|safe", "autoescape false", "innerHTML", "outerHTML", "document.write", "eval(")
        if word in text
    ]


async def test_changes_need_a_token_also_on_loopback(aiohttp_client: Any, tmp_path: Path) -> None:
    """A page of another site can make a browser send; it cannot make it send a bearer."""
    db = Database.open(tmp_path / "log.db")
    try:
        said = [ask(1_700_000_000_000, "tb_zhao", text="CANARY")]
        db.write(lambda c: journal.append(c, Delivery(1, "desk", "in", "POST", "", b"CANARY"), said)).result()
        service = Service()
        service.db = db

        async def served(*tokens: str) -> TestClient[Any, Any]:
            settings = Settings(admin_tokens=tuple(Token(token) for token in tokens))
            made: TestClient[Any, Any] = await aiohttp_client(
                TestServer(build_board_app(service, settings, FakeClock()))
            )
            return made

        wanted = {"customer": "tb_zhao"}
        assert (await (await served()).post("/api/v1/erase", json=wanted)).status == 403
        client = await served(TOKEN)
        assert (await client.post("/api/v1/erase", json=wanted)).status == 401
        answer = await client.post("/api/v1/erase", headers=BEARER, json=wanted)
        assert (answer.status, await answer.json()) == (200, {"messages": 1, "notices": 0})
        assert db.write(lambda c: c.execute("SELECT text FROM events").fetchall()).result() == [(None,)]
        for body, kind in (("{}", "application/json"), ("x", "application/json"), ('{"customer": "a"}', "text/plain"),
                           ('{"customer": 1}', "application/json"), ('["a"]', "application/json")):  # fmt: skip
            answer = await client.post("/api/v1/erase", data=body, headers=BEARER | {"Content-Type": kind})
            assert answer.status == 400
        answer = await client.post(
            "/api/v1/erase", data=b"x" * 20_000, headers=BEARER | {"Content-Type": "application/json"}
        )
        assert answer.status == 413
    finally:
        await asyncio.to_thread(db.close)
