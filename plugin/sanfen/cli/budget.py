"""``sanfen budget``: how many more misses each target can bear, and when it breaks at this pace."""

from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import spoken
from sanfen.cli.tables import formats

__all__ = ["command"]


@click.command("budget")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.option("--policy", help="Only this policy.")
@click.option("--score-set", help="live, replay, or another; default: live if there is one.")
@click.option("--shop", help="Only this shop.")
@click.option("--channel", help="Only this channel.")
@click.option("--agent", help="Only this agent.")
@click.option("--target", metavar="'>= 90%'", help="A target in place of the policy's own.")
@click.option("--as-of", metavar="TIME", help="Look from this instant. Default: now.")
@click.option("--unmask", is_flag=True, help="Show customers in full.")
@formats
@click.pass_context
def command(
    context: click.Context, /, log: Path, form: str | None, as_of: str | None, unmask: bool, **options: str | None
) -> None:
    """The error budget: misses so far, misses left, burn rates, what leaves the period tomorrow, forecast.

    A miss is a unit that is not hit. The period is the one people can still change: the rolling one that ends today, or
    the running week or month. Exit 1 if a target is broken.
    """
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.asking import asked, instant_of, own_target  # noqa: PLC0415
    from sanfen.cli.story import budget_lines  # noqa: PLC0415
    from sanfen.cli.tables import say_line, show  # noqa: PLC0415
    from sanfen.store import queries, units  # noqa: PLC0415

    language = spoken()
    target, wanted, named = options.pop("target"), options.pop("score_set"), options.pop("policy")
    rows: list[dict[str, Any]] = []
    with asked(log) as connection:
        for score_set, policy in units.asked_policies(connection, wanted, named):
            used = own_target(policy, target) if target else policy
            rows += units.budgets(connection, used, score_set, instant_of(as_of, policy.tz), **options)
    for one in (one for row in rows for one in row["standing"] if not unmask):
        one["customer"] = queries.mask(one["customer"])
    if form is not None or not rows:
        show(rows, form, ("policy", "target", "value", "used", "left", "breaks"), t("budget_no_target", language))
    for line in budget_lines(rows, language) if form is None else ():
        say_line(line)
    if form is None and any(row["incomplete"] for row in rows):
        click.echo(t("incomplete_note", language), err=True)
    context.exit(1 if any(row["holds"] is False for row in rows) else 0)
