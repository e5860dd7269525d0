"""The shop's service as a process of its own, to be killed."""

import asyncio
from pathlib import Path

from tests.browser.shop import SECRETS, running

from sanfen.bootstrap import Service
from sanfen.config.load import load

__all__ = ["main"]


def main(folder: str) -> None:
    """Serve the log of a folder until killed; a line on stdout when it can be asked."""
    asyncio.run(_serve(Path(folder)))


async def _serve(folder: Path) -> None:
    service = Service(load(folder / "sanfen.yaml", env=SECRETS), running())
    await service.start()
    print("serving", flush=True)
    await asyncio.Event().wait()
