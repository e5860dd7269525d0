"""``sanfen demo``: a living shop, no configuration needed."""

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click

from sanfen.cli.options import spoken

__all__ = ["command"]


@click.command("demo")
@click.option(
    "--speed", type=click.FloatRange(1, 600), default=30, show_default=True, help="How fast the shop's time runs."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8970, show_default=True, help="Traffic; another if taken."
)
@click.option("--board-port", type=click.IntRange(1, 65535), default=8971, show_default=True, help="Status page.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sanfen-demo"),
    show_default=True,
    help="Where the log and the configuration go.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0),
    default=0,
    help="Stop after so many real seconds; 0: at the end of the shop's day.",
)
def command(speed: float, port: int, board_port: int, folder: Path, seconds: float) -> None:
    """Run the real service between simulated customers and a simulated desk, for one shop day.

    Stop it with Ctrl-C: the log stays in the folder.
    """
    from sanfen.demo.day import Demo, Options  # noqa: PLC0415  # aiohttp and the store load only here
    from sanfen.log import configure  # noqa: PLC0415

    configure("warning")

    language = spoken()
    options = Options(folder, speed=speed, port=port, board_port=board_port, seconds=seconds, language=language)
    demo = Demo(options, sys.stdout)

    async def main() -> None:
        task = asyncio.ensure_future(demo.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
