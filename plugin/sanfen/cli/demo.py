"""``sanfen demo``: a living shop, no configuration needed."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import spoken

__all__ = ["command"]


@click.command("demo")
@click.option(
    "--speed", type=click.FloatRange(1, 600), default=1, show_default=True, help="How fast the shop's time runs."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8970, show_default=True, help="Traffic; another if taken."
)
@click.option(
    "--board-port", type=click.IntRange(1, 65535), default=8971, show_default=True, help="The board; another if taken."
)
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("sanfen-demo"),
    show_default=True,
    help="Where the log and the configuration go.",
)
@click.option("--for", "lasts", metavar="60s", help="End after so long, such as 60s; without it: at Ctrl-C.")
def command(speed: float, port: int, board_port: int, folder: Path, lasts: str | None, *, no_browser: bool) -> None:
    """Run the real service between simulated customers and a simulated desk, with thirty days behind it.

    The board is alive at once. Stop it with Ctrl-C: the log stays in the folder.
    """
    from sanfen.cli.asking import duration_of  # noqa: PLC0415  # loaded only for this verb
    from sanfen.demo.day import Demo, Options  # noqa: PLC0415
    from sanfen.log import configure  # noqa: PLC0415

    configure("warning")
    lasts_s = None if lasts is None else duration_of(lasts, "--for") / 1000
    options = Options(folder, speed=speed, port=port, board_port=board_port, lasts_s=lasts_s, language=spoken())
    demo = Demo(options, _Voice(open_browser=not no_browser and sys.stdout.isatty()))

    async def main() -> None:
        task = asyncio.ensure_future(demo.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


class _Voice:
    """Prints what happens, and where to look."""

    def __init__(self, *, open_browser: bool) -> None:
        self._open_browser = open_browser

    def welcome(self, board_url: str, log: Path, at: str) -> None:
        from sanfen.catalogue import t  # noqa: PLC0415
        from sanfen.demo import history, script  # noqa: PLC0415

        language, counts = spoken(), _counts(log)
        scored = counts["met"] + counts["late"] + counts["missed"]
        facts = {"agents": len(script.AGENTS), "days": history.DAYS, "rounds": f"{scored:,}", "at": at}
        click.echo(t("demo_welcome", language, **facts))
        click.echo(t("demo_board", language, url=board_url, log=log))
        click.echo(t("demo_try", language))
        sys.stdout.flush()
        if self._open_browser and (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"
        ):
            import webbrowser  # noqa: PLC0415

            webbrowser.open(board_url)

    def happened(self, one: Mapping[str, Any]) -> None:
        from sanfen.cli.tail import line, say  # noqa: PLC0415
        from sanfen.demo.day import ZONE  # noqa: PLC0415

        say(line(one, ZONE, spoken()), one)

    def goodbye(self, log: Path, unsigned: int) -> None:
        from fractions import Fraction  # noqa: PLC0415

        from sanfen.catalogue import t  # noqa: PLC0415
        from sanfen.charts import percent  # noqa: PLC0415
        from sanfen.errors import StoreError  # noqa: PLC0415

        language = spoken()
        with suppress(StoreError):  # it did not come so far
            counts = _counts(log)
            decided = counts["met"] + counts["late"] + counts["missed"]
            rate = percent(Fraction(counts["met"], decided) if decided else None, 1)
            click.echo()
            click.echo(t("demo_summary", language, rate=rate, decided=decided, **counts))
            if unsigned:
                click.echo(t("demo_unsigned", language, count=unsigned))
            click.echo(t("demo_next", language, log=log))


def _counts(log: Path) -> dict[str, int]:
    from sanfen.store.opening import open_reader  # noqa: PLC0415
    from sanfen.store.queries import outcomes  # noqa: PLC0415

    with closing(open_reader(log)) as connection:
        return outcomes(connection, score_set="live")
