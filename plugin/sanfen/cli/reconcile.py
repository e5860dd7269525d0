"""``sanfen reconcile``: a platform's own figures against ours."""

from pathlib import Path

import click

from sanfen.cli.options import spoken
from sanfen.cli.tables import formats

__all__ = ["command"]

_SHOWN = ("day", "agent", "figure", "theirs", "ours", "difference", "same", "answered_here")


@click.command("reconcile")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@formats
@click.pass_context
def command(context: click.Context, /, log: Path, files: tuple[Path, ...], form: str | None) -> None:
    """Compare a scored log with the platform's own unreplied customers and average waits (docs/imports.md).

    Exit 1 if any figure differs.
    """
    from sanfen.bulk.reconcile import reconcile, theirs  # noqa: PLC0415  # loaded only for this verb
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.cli.tables import show  # noqa: PLC0415

    language = spoken()
    given = [one for path in files for one in theirs(path)]
    with asked(log) as connection:
        rows = reconcile(connection, given)
    shown = (
        [row | {"same": t("reconcile_same" if row["same"] else "reconcile_differs", language)} for row in rows]
        if form is None
        else rows
    )
    show(shown, form, _SHOWN, t("nothing_found", language))
    context.exit(0 if all(row["same"] for row in rows) else 1)
