"""Every screen as a picture, for the documents: docs/pictures. Small files of few colours."""

import asyncio
import io
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from playwright.async_api import async_playwright  # noqa: E402
from tests.browser.pages import ARGUMENTS, CHROMIUM, opened_page  # noqa: E402
from tests.browser.shop import opened  # noqa: E402

SCREENS = {"now": "/", "rounds": "/rounds?status=late,missed", "round": "", "agents": "/agents", "hours": "/hours",
           "budget": "/budget", "escalations": "/escalations", "rules": "/rules"}  # fmt: skip
LOOKS = (
    ("zh", "light", 1280, 860), ("en", "dark", 1280, 860), ("zh", "light", 390, 844), ("en", "dark", 390, 844),
)  # fmt: skip


def save(picture: bytes, path: Path) -> None:
    """With as few colours as it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


async def main(folder: Path) -> None:
    """Take them all."""
    with tempfile.TemporaryDirectory() as shop:
        async with opened(Path(shop)) as board, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for language, theme, width, height in LOOKS:
                look = f"{language}-{'phone' if width < 500 else theme}"
                async with opened_page(browser, language=language, theme=theme, width=width, height=height) as page:
                    answer = await page.request.get(f"{board.url}/api/v1/rounds?status=late&limit=1")
                    late = f"/rounds/{(await answer.json())['rounds'][0]['id']}"
                    for name, path in SCREENS.items():
                        await page.goto(board.url + (path or late))
                        await page.wait_for_selector("#live:not([hidden])" if path == "/" else "main")
                        if name in ("hours", "budget"):
                            await page.wait_for_selector(".plot-area canvas")
                        save(await page.screenshot(), folder / f"{name}-{look}.png")
            for language in ("zh", "en"):
                async with opened_page(browser, language=language, theme="dark", width=1600, height=900) as page:
                    await page.goto(board.url + "/?wall=1")
                    await page.wait_for_selector("#waiting > li[data-seen]")
                    save(await page.screenshot(), folder / f"wall-{language}-dark.png")
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"))
