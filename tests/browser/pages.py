"""Pages of a browser as these tests want them, and what can be measured of a page."""

import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.async_api import Browser, Page

__all__ = ["ARGUMENTS", "CHROMIUM", "SCREENS", "live", "luminance", "opened_page", "rounds", "violations"]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
SCREENS = ("/", "/?wall=1", "/rounds", "/agents", "/hours", "/budget", "/escalations", "/rules")


@asynccontextmanager
async def opened_page(
    browser: Browser, *, language: str = "en", theme: Any = "light", width: int = 1440, height: int = 900, **more: Any
) -> AsyncIterator[Page]:
    """A page of a fresh visitor. What the browser complains of (scripts, styles, policies) is in ``page.complaints``."""
    context = await browser.new_context(
        locale={"zh": "zh-CN", "en": "en-US"}[language], color_scheme=theme, timezone_id="Asia/Shanghai",
        viewport={"width": width, "height": height}, **more,
    )  # fmt: skip
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.complaints = complaints  # type: ignore[attr-defined, unused-ignore]
    yield page
    await context.close()


async def live(page: Page, url: str) -> None:
    """Open a board and wait until its feed speaks."""
    await page.goto(url)
    await page.wait_for_selector("#live:not([hidden])")


async def rounds(page: Page, board: str) -> list[str]:
    """A round that is answered late and one that is open."""
    out = []
    for status in ("late", "pending"):
        answer = await page.request.get(f"{board}/api/v1/rounds?status={status}&limit=1")
        out.append(f"/rounds/{(await answer.json())['rounds'][0]['id']}")
    return out


async def violations(page: Page) -> list[Any]:
    """What axe finds of WCAG 2.1 A and AA on the page as it stands."""
    await page.evaluate(AXE)
    found = await page.evaluate("() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    assert len(found["passes"]) > 5  # it did look
    return [
        (one["id"], node["target"], node["failureSummary"]) for one in found["violations"] for node in one["nodes"][:3]
    ]


async def luminance(page: Page, x: float, y: float) -> float:
    """How light a point of the page is on the screen, 0 to 1, by WCAG's formula."""
    png = await page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
    kind, data, at = 0, b"", 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        name, chunk = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        kind = chunk[9] if name == b"IHDR" else kind
        data += chunk if name == b"IDAT" else b""
        at += size + 12
    assert kind in (2, 6), "a picture of true colours"
    channels = [value / 255 for value in zlib.decompress(data)[1:4]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
