"""``sanfen erase``: forget what a customer said."""

from pathlib import Path

import click

from sanfen.cli.options import spoken
from sanfen.cli.tables import formats

__all__ = ["command"]


@click.command("erase")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.option("--customer", help="The customer's name, as the channel writes it.")
@click.option("--shop", help="Only this shop.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--list", "listed", is_flag=True, help="What was erased so far.")
@formats
@click.pass_context
def command(
    context: click.Context,
    /,
    log: Path,
    customer: str | None,
    shop: str | None,
    form: str | None,
    yes: bool,
    listed: bool,
) -> None:
    """Empty a customer's messages, raw deliveries and what notices quoted; rounds and scores stay.

    The file must not be in use: a service that runs is asked by HTTP instead (docs/security.md). Exit 1 if the customer
    is not found.
    """
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.cli.tables import show  # noqa: PLC0415
    from sanfen.clock import SystemClock  # noqa: PLC0415
    from sanfen.store.db import Database  # noqa: PLC0415
    from sanfen.store.erasure import erase, erasures  # noqa: PLC0415

    language = spoken()
    with asked(log) as connection:  # a file that is no log of ours is not made into one
        rows = erasures(connection)
    if listed:
        show(rows, form, ("at_ms", "shop", "customer", "messages", "notices", "by"), t("nothing_found", language))
        return
    if not customer:
        raise click.UsageError(t("usage_whom", language))
    if not yes:
        click.confirm(t("erase_sure", language), abort=True, err=True)
    db = Database.open(log)
    try:
        now_ms = SystemClock().now_ms()
        done = db.write(lambda connection: erase(connection, customer, shop, now_ms, "command")).result()
    finally:
        db.close()
    click.echo(t("erase_done", language, messages=done.messages, notices=done.notices), err=True)
    context.exit(0 if done.messages or done.notices else 1)
