"""``sanfen explain``: why a round got its outcome, message by message."""

import json
from pathlib import Path

import click

__all__ = ["command"]


@click.command("explain")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.argument("round_id", metavar="ROUND")
@click.option("--policy", help="Under this policy: one that the log holds, a preset or a file.")
@click.option("--score-set", help="live, replay, or another.")
@click.option("--unmask", is_flag=True, help="Show the customer in full.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    /,
    log: Path,
    round_id: str,
    policy: str | None,
    score_set: str | None,
    unmask: bool,
    as_json: bool,
) -> None:
    """Why a round got its outcome. Exit 1 if there is no such round."""
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.cli.story import lines, what_if  # noqa: PLC0415
    from sanfen.store import queries  # noqa: PLC0415

    language = (context.obj or {}).get("language", "en")
    with asked(log) as connection:
        found = queries.explain(connection, round_id, policy=policy, score_set=score_set)
        other = None
        if found is None and policy is not None:
            found = queries.explain(connection, round_id, score_set=score_set)
            other = what_if(connection, found["round"], policy) if found is not None else None
    if found is None:
        click.echo(t("nothing_found", language), err=True)
        context.exit(1)
    if not unmask:
        found["round"]["customer"] = queries.mask(found["round"]["customer"])
    if as_json:
        found |= {"what_if": other} if other is not None else {}
        click.echo(json.dumps(found, ensure_ascii=False, indent=1, default=str))
        return
    for line in lines(found, language, other):
        click.echo(line)
