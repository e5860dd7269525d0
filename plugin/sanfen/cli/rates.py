"""``sanfen rates``: response rates of a log."""

from pathlib import Path
from typing import Any

import click

from sanfen.cli.tables import formats

__all__ = ["command", "narrow"]

_GROUPS = ("shop", "channel", "agent", "day", "week", "month", "hour")


def narrow(command: Any) -> Any:
    """The options that narrow a question, for every verb that asks a log."""
    for names, word in (
        (("--score-set",), "live, replay, or another; default: live if there is one."),
        (("--policy",), "Only this policy."),
        (("--shop",), "Only this shop."),
        (("--channel",), "Only this channel."),
        (("--agent",), "Only this agent."),
        (("--from", "first_day"), "First local day, 2026-11-01."),
        (("--to", "last_day"), "Last local day."),
    ):
        command = click.option(*names, help=word)(command)
    return command


@click.command("rates")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.option("--by", "by", multiple=True, type=click.Choice(_GROUPS), help="Group by; may be given several times.")
@click.option(
    "--period", type=click.Choice(["policy"]), help="The policy's own period, as it stands now or at --as-of."
)
@click.option("--as-of", metavar="TIME", help="With --period: look from this instant.")
@narrow
@formats
@click.pass_context
def command(
    context: click.Context,
    /,
    log: Path,
    by: tuple[str, ...],
    period: str | None,
    as_of: str | None,
    form: str | None,
    **filters: str | None,
) -> None:
    """Rounds, outcomes and rates; the score set, the policy and what --by names are the rows.

    ``rate`` is the share of rounds that were met; ``units``, ``hits`` and ``value`` are what the policy counts, where that
    differs: sessions, a customer's days, a mean in seconds.
    """
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.asking import asked, instant_of  # noqa: PLC0415
    from sanfen.cli.tables import show_figures  # noqa: PLC0415
    from sanfen.store import queries, units  # noqa: PLC0415

    language = (context.obj or {}).get("language", "en")
    with asked(log) as connection:
        if period is None:
            rows = units.rates(connection, by=by, **filters)
        elif filters["first_day"] or filters["last_day"]:
            raise click.UsageError(t("usage_own_days", language))
        else:
            narrowed = {name: filters[name] for name in units.WHO}
            rows = [
                row
                for name, one in units.asked_policies(connection, filters["score_set"], filters["policy"])
                for row in units.assessed(connection, one, name, instant_of(as_of, one.tz), by=by, **narrowed)
            ]
        unknown = queries.unknown(connection, **filters)
    if unknown:
        click.echo(t("unknown_replies", language, count=unknown, file=log), err=True)
    columns = ["policy", *by, "rounds", "met", "late", "missed", "pending", "excluded", "rate", "mean_wait_ms"]
    if any(row["value"] != row.get("rate") for row in rows):
        columns += ["units", "hits", "value"]
    if period is not None:
        columns = ["policy", *by, "first", "last", "units", "hits", "value", "assessed", "targets"]
    if len({row["score_set"] for row in rows}) > 1:
        columns.insert(0, "score_set")
    show_figures(rows, form, columns, language)
