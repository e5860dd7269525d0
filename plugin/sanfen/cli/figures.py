"""``sanfen figures``: those of a log that follow no policy."""

from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import listed, spoken
from sanfen.cli.rates import GROUPS
from sanfen.cli.tables import formats

__all__ = ["command"]

_SHOWN = (
    "consult_num", "no_reply_num", "ask_num", "first_reply_mean", "total_reply_mean", "longest_reply", "rounds", "ok",
    "slow_reception_num", "long_receive_num", "seller_msg_num", "buyer_msg_num", "mark", "order_num", "paid_num",
    "paid_amount",
)  # fmt: skip


@click.command("figures")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@listed("--by", GROUPS, "Group by; several with commas between them.")
@click.option("--shop", help="Only this shop.")
@click.option("--channel", help="Only this channel.")
@click.option("--agent", help="Only this agent.")
@click.option("--from", "first_day", help="First local day, 2026-11-01.")
@click.option("--to", "last_day", help="Last local day.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a definition: cap=10m, slow=90s, slow_times=2, within=1m (docs/figures.md).",
)
@formats
def command(log: Path, *, by: tuple[str, ...], sets: tuple[str, ...], form: str | None, **options: Any) -> None:
    """First and average response, unreplied customers, messages, slow receptions, inquiries, orders: per agent or hour."""
    from sanfen.cli.asking import asked, figure_settings  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.tables import show_figures  # noqa: PLC0415
    from sanfen.store.figures import figures  # noqa: PLC0415

    language = spoken()
    settings = figure_settings(sets)
    with asked(log) as connection:
        rows = figures(connection, by=by, settings=settings, **options)
    shown = [row | {"mark": row["mark"] and round(row["mark"], 1)} for row in rows] if form in (None, "md") else rows
    show_figures(shown, form, [*by, *_SHOWN], language)
