"""Readable by everyone and whole in both languages; every number opens as many rounds as it says."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.async_api import Browser, Page
from playwright.async_api import TimeoutError as PlaywrightTimeout
from tests.browser.pages import SCREENS, live, opened_page, rounds, violations
from tests.browser.shop import NOW, Board

from sanfen.board import pages
from sanfen.catalogue import TEXTS
from sanfen.core import reasons
from sanfen.links import Grant, sign
from sanfen.store import keys

LOOKS = [(theme, language, 1440) for theme in ("light", "dark") for language in ("zh", "en")] + [
    ("light", "zh", 390), ("dark", "en", 390),
]  # fmt: skip


@pytest.mark.parametrize(("theme", "language", "width"), LOOKS)
async def test_axe_finds_nothing(browser: Browser, still: Board, theme: str, language: str, width: int) -> None:
    """On every screen, on pages beside them, and in what opens above them."""
    async with opened_page(browser, language=language, theme=theme, width=width) as page:
        found = []
        link = await act_link(still, (await rounds(page, still.url))[1])
        screens = [one if one != "/rounds" else "/rounds?status=missed" for one in SCREENS]  # shorter, and no other
        for path in (*screens, *await rounds(page, still.url), "/nowhere", link):
            await page.goto(still.url + path)
            await page.wait_for_selector("main" if path != link else "main [role=status]")  # it is taken by then
            found += [(path, *one) for one in await violations(page)]
        await live(page, still.url)
        for key, dialog in (("?", "#keys"), ("t", "#who"), ("r", "#give")):
            await opened_by(page, key, dialog)
            found += [(dialog, *one) for one in await violations(page)]
            await page.keyboard.press("Escape")
            await page.wait_for_selector(f"{dialog}:not([open])", state="attached")

        assert found == []
        assert [said for said in page.complaints if "404" not in said] == []  # type: ignore[attr-defined, unused-ignore]


async def opened_by(page: Page, key: str, dialog: str) -> None:
    """Press until it is open: a key between two renderings of the rows finds none that is chosen."""
    for _ in range(5):
        await page.keyboard.press(key)
        with suppress(PlaywrightTimeout):
            await page.wait_for_selector(f"{dialog}[open]", timeout=6_000)
            return
    raise AssertionError(dialog)


async def act_link(board: Board, round_path: str) -> str:
    """The page of a link that stands in a notice; where scripts run it takes the round."""
    db = board.service.db
    assert db is not None
    key = await asyncio.wrap_future(db.write(keys.link_key))
    return "/act/" + sign(key, Grant(round_path.rpartition("/")[2], "主管", NOW + 3_600_000))


async def test_every_number_opens_as_many_rounds_as_it_says(browser: Browser, still: Board) -> None:
    """After the page's own scripts had their say."""
    async with opened_page(browser) as page:
        said: dict[str, int] = {}
        for path in SCREENS:
            await page.goto(still.url + path)
            await page.wait_for_selector("#waiting > li[data-seen]" if path in ("/", "/?wall=1") else "main")
            numbers = await page.evaluate("""() => [...document.querySelectorAll('a [data-n], a[data-n]')].map((one) =>
              [one.closest('a').getAttribute('href') ?? one.closest('a').href.baseVal, Number(one.dataset.n ?? one.getAttribute('data-n'))])""")
            assert numbers or path == "/rounds", path
            for href, count in numbers:
                if href is not None:
                    assert said.setdefault(href, count) == count, (path, href)
        wrong = {}
        for href, count in said.items():
            text = await (await page.request.get(still.url + href.removeprefix(still.url))).text()
            total = re.findall(r'data-total="(\d+)"', text)
            if total != [str(count)]:
                wrong[href] = (count, total)

        assert wrong == {}
        assert len(said) > 150


def forget_words(board: Board) -> None:
    """The feed keeps what it has put into words."""
    picture = board.service._changed.__self__._picture  # type: ignore[attr-defined]
    for entry in picture.rows.values() if picture else ():
        entry.words.clear()


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch, still: Board) -> Iterator[None]:
    """English twice as long, every text of the catalogue between brackets."""
    words = {name: f"⟦{english} {english}⟧" for name, (english, _) in TEXTS.items()}
    monkeypatch.setitem(pages._WORDS, "en", words)
    for name, (_, chinese) in list(TEXTS.items()):
        monkeypatch.setitem(TEXTS, name, (words[name], chinese))
    for reason, (english, chinese) in list(reasons._SENTENCES.items()):
        monkeypatch.setitem(reasons._SENTENCES, reason, (f"⟦{english} {english}⟧", chinese))
    forget_words(still)
    yield
    forget_words(still)


@pytest.mark.parametrize("width", [390, 1440])
async def test_nothing_overflows_in_a_language_twice_as_long(
    browser: Browser, still: Board, doubled: None, width: int
) -> None:
    async with opened_page(browser, width=width) as page:
        wide = []
        for path in (*SCREENS, *await rounds(page, still.url)):
            await page.goto(still.url + path)
            await page.wait_for_selector("main")
            if await page.evaluate("() => document.documentElement.scrollWidth > window.innerWidth"):
                wide.append((path, await page.evaluate("() => document.documentElement.scrollWidth")))

        assert wide == []


async def test_every_text_is_from_the_catalogue(browser: Browser, still: Board, doubled: None) -> None:
    """What stands outside the brackets is data: names, numbers, addresses, codes."""
    loose = """() => {
      const out = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const said = walk.currentNode, parent = said.parentElement;
        if (parent.closest('code, pre, kbd, script, datalist, option, .brand, .facts, .what a, .text, .said, #language, svg')) continue;
        let all = parent, text = said.data;
        while (all.parentElement && !/⟦.*⟧/s.test(all.textContent) && all.tagName !== 'TD' && all.tagName !== 'LI') all = all.parentElement;
        text = text.replace(/⟦[^⟧]*⟧/gs, '').trim();
        if (/[A-Za-z\\u4e00-\\u9fff]{3,}/.test(text)) out.push(text);
      }
      for (const one of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]'))
        for (const name of ['aria-label', 'title', 'placeholder', 'alt']) {
          const text = one.getAttribute(name);
          if (text && !one.closest('svg a') && /[A-Za-z\\u4e00-\\u9fff]{3,}/.test(text.replace(/⟦[^⟧]*⟧/gs, ''))) out.push(text);
        }
      return out;
    }"""
    data = re.compile(
        r"^(⟦.*|.*⟧|r[0-9a-f]{8,}.*|tb\*\*.*|.*\b(taobao|default|own|never-used|platform-flag|greeting)\b.*|webhook.*|→ .*|.*值班组长.*|.*主管.*|售后.*|"
        r"sanfen\.yaml:\d+|(in)?valid|hours|unit|judge|wait_from|due|replies|bots|no_reply|midnight|transfer|exclude|period|report|targets?|session"
        r"|▲ .*|.*\d{2}:\d{2}.*|norm .*|agent_clock|JSON|CSV|API|SQL|[· ]+|[\d.,]+ ?s?)$",
        re.DOTALL,
    )
    async with opened_page(browser) as page:
        found = []
        for path in (*SCREENS, *await rounds(page, still.url)):
            await page.goto(still.url + path)
            await page.wait_for_selector("main")
            found += [(path, one) for one in await page.evaluate(loose) if not data.match(one)]

        assert sorted({one for _, one in found}) == []
