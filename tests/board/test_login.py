"""A browser shows its token once, has a cookie from then on, and acts only from the board's own pages."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from tests.board.test_access import Service

from sanfen.board.views import BOARD, build_board_app
from sanfen.config.settings import Settings, Token
from sanfen.testing import FakeClock

LEAD, VIEWER = Token("8f3b" * 16, "lily"), Token("c0ffee11" * 8, "wall", "viewer")
PAGE = {"Accept": "text/html"}
Client = TestClient[Any, Any]


class Browser:
    """A client that keeps cookies, and the service it looks at."""

    def __init__(self, client: Client, clock: FakeClock) -> None:
        self.client = client
        self.clock = clock

    async def login(self, token: Token, **fields: str) -> Any:
        data = {"token": token.reveal(), **fields}
        return await self.client.post("/login", data=data, allow_redirects=False)

    async def csrf(self) -> str:
        text = await (await self.client.get("/", headers=PAGE)).text()
        found = re.search(r'<meta name="csrf" content="(\w*)">', text)
        assert found
        return found[1]

    async def post(self, path: str = "/nothing", **headers: str) -> int:
        """404 is what an act on nothing gets: it was let in."""
        return int((await self.client.post(path, json={}, headers=headers, allow_redirects=False)).status)


@pytest.fixture
def browse(aiohttp_client: Any) -> Callable[..., Awaitable[Browser]]:
    async def make(*tokens: Token) -> Browser:
        clock = FakeClock(1_000_000)
        app = build_board_app(Service(), Settings(admin_tokens=tokens or (LEAD, VIEWER)), clock)
        client: Client = await aiohttp_client(TestServer(app), cookie_jar=CookieJar(unsafe=True))
        return Browser(client, clock)

    return make


Browse = Callable[..., Awaitable[Browser]]


async def test_a_browser_is_sent_to_the_login_and_back(browse: Browse) -> None:
    browser = await browse()
    sent = await browser.client.get("/rounds?status=late", headers=PAGE, allow_redirects=False)
    page = await browser.client.get(sent.headers["Location"])
    done = await browser.login(LEAD, next="/rounds?status=late")

    assert (sent.status, sent.headers["Location"]) == (303, "/login?next=%2Frounds%3Fstatus%3Dlate")
    assert 'value="/rounds?status=late"' in await page.text()
    assert (done.status, done.headers["Location"]) == (303, "/rounds?status=late")
    assert (await browser.client.get("/metrics")).status == 200
    again = await browser.client.get("/login", allow_redirects=False)
    assert (again.status, again.headers["Location"]) == (303, "/")


async def test_a_program_is_told_and_not_sent_anywhere(browse: Browse) -> None:
    browser = await browse()

    assert (await browser.client.get("/", allow_redirects=False)).status == 401
    assert (await browser.client.get("/api/v1/now", headers=PAGE, allow_redirects=False)).status == 401


@pytest.mark.parametrize(
    ("headers", "name", "secure"), [({}, "sanfen", False), ({"X-Forwarded-Proto": "https"}, "__Host-sanfen", True)]
)
async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    browse: Browse, headers: dict[str, str], name: str, secure: bool
) -> None:
    browser = await browse()
    done = await browser.client.post("/login", data={"token": LEAD.reveal()}, headers=headers, allow_redirects=False)
    cookie = done.cookies[name]

    assert (cookie["httponly"], cookie["samesite"], bool(cookie["secure"]), cookie["path"]) == (
        True,
        "Strict",
        secure,
        "/",
    )
    assert (cookie["domain"], cookie["max-age"]) == ("", "43200")
    assert LEAD.reveal() not in cookie.value


@pytest.mark.parametrize(
    "onward",
    ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\nb", "/login", "", "/" + "x" * 600],
)
async def test_a_login_leads_to_this_board_only(browse: Browse, onward: str) -> None:
    browser = await browse()

    assert (await browser.login(LEAD, next=onward)).headers["Location"] == "/"


async def test_a_link_from_another_site_asks_once_more(browse: Browse) -> None:
    """Such a request brings no cookie; the page asks again by itself, and that one does."""
    browser = await browse()
    from_chat = await browser.client.get("/login?next=/rounds/r1", headers={"Sec-Fetch-Site": "cross-site"})
    typed = await browser.client.get("/login?next=/rounds/r1", headers={"Sec-Fetch-Site": "none"})

    assert '<meta http-equiv="refresh" content="0; url=/rounds/r1">' in await from_chat.text()
    assert "refresh" not in await typed.text()


async def test_an_act_needs_what_only_our_pages_know(browse: Browse) -> None:
    browser = await browse()
    await browser.login(LEAD)
    csrf = await browser.csrf()

    assert len(csrf) == 64
    assert await browser.post() == 403
    assert await browser.post(**{"X-CSRF-Token": csrf[:-1] + "g"}) == 403
    assert await browser.post(**{"X-CSRF-Token": "令".encode().decode("latin-1")}) == 403
    assert await browser.post(**{"X-CSRF-Token": csrf}) == 404
    assert (await browser.client.post("/nothing", data={"csrf": csrf})).status == 404
    assert (await browser.client.post("/nothing", data={"csrf": "x"})).status == 403
    assert await browser.post(**{"X-CSRF-Token": csrf, "Origin": "https://evil.example"}) == 403
    assert await browser.post(**{"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-site"}) == 403
    bearer = {"Authorization": f"Bearer {LEAD.reveal()}"}
    assert await browser.post(**bearer) == 404  # no browser adds that by itself


async def test_one_browsers_proof_is_no_other_ones(browse: Browse) -> None:
    browser = await browse()
    await browser.login(LEAD)
    first = await browser.csrf()
    await browser.login(LEAD)

    assert await browser.csrf() != first
    assert await browser.post(**{"X-CSRF-Token": first}) == 403


async def test_a_viewer_looks_and_does_nothing(browse: Browse) -> None:
    browser = await browse()
    await browser.login(VIEWER)
    csrf = await browser.csrf()

    assert (await browser.client.get("/metrics")).status == 200
    assert await browser.post(**{"X-CSRF-Token": csrf}) == 403
    assert await browser.post(Authorization=f"Bearer {VIEWER.reveal()}") == 403
    assert await browser.post("/logout", **{"X-CSRF-Token": csrf}) == 303


async def test_logging_out_ends_the_session_for_good(browse: Browse) -> None:
    browser = await browse()
    cookie = (await browser.login(LEAD)).cookies["sanfen"].value
    left = await browser.client.post("/logout", data={"csrf": await browser.csrf()}, allow_redirects=False)

    assert (left.status, left.headers["Location"], left.cookies["sanfen"].value) == (303, "/login", "")
    kept = await browser.client.get("/metrics", headers={"Cookie": f"sanfen={cookie}"})
    assert kept.status == 401


async def test_a_session_ends_with_its_time_and_with_its_token(browse: Browse) -> None:
    browser = await browse()
    await browser.login(VIEWER)
    board = browser.client.app[BOARD]
    board.adopt(Settings(admin_tokens=(LEAD,)))
    assert (await browser.client.get("/metrics")).status == 401
    board.adopt(Settings(admin_tokens=(LEAD, VIEWER)))
    assert (await browser.client.get("/metrics")).status == 200
    browser.clock._now_ms += 12 * 3_600_000
    assert (await browser.client.get("/metrics")).status == 401


async def test_a_token_ends_when_it_says(browse: Browse) -> None:
    browser = await browse(Token("8f3b" * 16, "old", "lead", 1_000_500))
    await browser.login(LEAD)
    bearer = {"Authorization": f"Bearer {LEAD.reveal()}"}
    assert [(await browser.client.get("/metrics", headers=one)).status for one in ({}, bearer)] == [200, 200]
    browser.clock._now_ms += 500
    assert [(await browser.client.get("/metrics", headers=one)).status for one in ({}, bearer)] == [401, 401]


async def test_guessing_is_slow_and_costs_nobody_else(browse: Browse) -> None:
    browser = await browse()
    wrong = [await browser.login(Token("wrong" * 10)) for _ in range(11)]
    right = await browser.login(LEAD)
    other = await browser.client.post(
        "/login", data={"token": LEAD.reveal()}, headers={"X-Forwarded-For": "192.0.2.7"}, allow_redirects=False
    )

    assert [one.status for one in wrong] == [401] * 10 + [429]
    assert (right.status, right.headers["Retry-After"]) == (429, "301")
    assert other.status == 303
    browser.clock._now_ms += 300_000
    assert (await browser.login(LEAD)).status == 303


async def test_the_login_pages_own_form_is_let_in(browse: Browse) -> None:
    """As browsers send it. A policy of no-referrer would make them say that its origin is null."""
    browser = await browse()
    page = await browser.client.get("/login")
    own = {"Origin": str(browser.client.make_url("")).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    data = {"token": LEAD.reveal()}

    assert page.headers["Referrer-Policy"] == "same-origin"
    for headers, status in ((own, 303), ({"Origin": own["Origin"]}, 303), ({"Origin": "null"}, 403)):
        answer = await browser.client.post("/login", data=data, headers=headers, allow_redirects=False)
        assert answer.status == status


async def test_another_site_cannot_log_somebody_in(browse: Browse) -> None:
    browser = await browse()
    data = {"token": LEAD.reveal()}

    answer = await browser.client.post("/login", data=data, headers={"Origin": "https://evil.example"})
    assert answer.status == 403


async def test_without_tokens_there_is_nothing_to_log_in_to(aiohttp_client: Any) -> None:
    client: Client = await aiohttp_client(TestServer(build_board_app(Service(), Settings(), FakeClock())))
    shown = await client.get("/login?next=/x", allow_redirects=False)
    posted = await client.post("/login", data={"token": "x", "next": "/x"}, allow_redirects=False)

    assert [(one.status, one.headers["Location"]) for one in (shown, posted)] == [(303, "/x"), (303, "/x")]
