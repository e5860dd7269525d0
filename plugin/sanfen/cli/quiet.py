"""``sanfen quiet``: planned silences of a running service, begun and ended by hand."""

import getpass
from pathlib import Path

import click

from sanfen.cli.dress import Verbs
from sanfen.cli.options import anywhere, spoken
from sanfen.cli.tables import formats, show

__all__ = ["command"]


@click.group("quiet", cls=Verbs)
def command() -> None:
    """Nobody is told for a while: add, list, end. Exit 3 if no service answers."""


@command.command("add")
@anywhere
@click.option("--for", "lasts", required=True, help="How long: 2h, 30m.")
@click.option("--why", required=True, help="What for; shown to whoever asks why nobody was told.")
@click.option("--by", default=None, help="Who says so; default: the user's name.")
def add(config: Path | None, url: str | None, lasts: str, why: str, by: str | None) -> None:
    """Begin a silence now."""
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.server import board  # noqa: PLC0415

    body = {"for": lasts, "why": why, "by": by or getpass.getuser()}
    made = board(config, url).ask("/api/v1/quiet", method="POST", body=body)
    click.echo(made["id"])
    click.echo(t("quiet_added", spoken(), number=made["id"], lasts=lasts), err=True)


@command.command("list")
@anywhere
@formats
def list_(config: Path | None, url: str | None, form: str | None) -> None:
    """The silences that have not ended, also those of the file to come."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415  # loaded only for this verb

    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.server import board  # noqa: PLC0415
    from sanfen.wire import instant_text  # noqa: PLC0415

    service = board(config, url)
    zone = ZoneInfo(service.ask("/api/v1/now")["timezone"])
    rows = service.ask("/api/v1/quiet")["quiet"]
    for row in rows:
        row |= {"from": instant_text(row["from_ms"], zone), "until": instant_text(row["until_ms"], zone)}
    show(rows, form, ("id", "from", "until", "by", "why"), t("quiet_none", spoken()))


@command.command("end")
@anywhere
@click.argument("number", type=int)
def end(config: Path | None, url: str | None, number: int) -> None:
    """End a silence now."""
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.server import board  # noqa: PLC0415

    board(config, url).ask(f"/api/v1/quiet/{number}", method="DELETE")
    click.echo(t("quiet_ended", spoken(), number=number), err=True)
