"""``sanfen rounds``: the rounds of a log."""

from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import spoken
from sanfen.cli.rates import days_back, narrow
from sanfen.cli.tables import formats

__all__ = ["command"]

_MOST = 10**9
_OUTCOMES = ("met", "late", "missed", "pending", "excluded")


@click.command("rounds")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.option("--status", type=click.Choice(_OUTCOMES), help="Only this outcome.")
@click.option("--reason", help="Only this reason, such as cross_midnight.")
@click.option("--conversation", help="Only this conversation.")
@click.option("--since", metavar="2h|7d|DAY", help="Opened since then: so long ago, or a local day or time.")
@click.option("--longest", type=click.IntRange(1, _MOST), metavar="N", help="The N longest waits.")
@click.option(
    "--limit",
    type=click.IntRange(1, _MOST),
    default=100,
    show_default=True,
    help="At most so many; machine formats show all.",
)
@click.option("--unmask", is_flag=True, help="Show customers in full.")
@narrow
@formats
@click.pass_context
def command(
    context: click.Context,
    /,
    log: Path,
    since: str | None,
    days: int | None,
    longest: int | None,
    limit: int,
    form: str | None,
    unmask: bool,
    **filters: Any,
) -> None:
    """Rounds, newest first."""
    from sanfen.catalogue import said, t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.asking import absent, asked, since_of, zone_of  # noqa: PLC0415
    from sanfen.cli.tables import show_figures  # noqa: PLC0415
    from sanfen.core.reasons import Reason, sentence  # noqa: PLC0415
    from sanfen.store import queries  # noqa: PLC0415

    language = spoken()
    explicit = context.get_parameter_source("limit") != click.core.ParameterSource.DEFAULT
    most = longest or (limit if form is None or explicit else None)
    with asked(log) as connection:
        zone = zone_of(connection)
        days_back(days, filters, zone)
        filters["since_ms"] = None if since is None else since_of(since, zone)
        rows = queries.rounds(connection, longest=longest is not None, limit=most, **filters)
        hint = "" if rows else absent(connection, **filters)
    if not unmask:
        rows = [row | {name: queries.mask(row[name]) for name in ("customer", "conversation")} for row in rows]
    for row in rows:
        row["outcome"] = t(f"outcome_{row['status']}", language) if form is None else row["status"]
        if form is None and row["reason"] and language == "zh":
            row["reason"] = sentence(Reason(row["reason"]), language)
    columns = ["id", "opened", "customer", "agent", "outcome", "reason", "wait_ms"]
    several = [name for name in ("score_set", "policy") if len({row[name] for row in rows}) > 1]
    show_figures(rows, form, [*several, *columns], language)
    if hint:
        click.echo(said(hint, language), err=True)
