"""``sanfen query``: a log, asked in SQL."""

from pathlib import Path

import click

from sanfen.cli.options import spoken
from sanfen.cli.tables import formats
from sanfen.errors import Phrase

__all__ = ["command"]


@click.command("query")
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.argument("sql")
@click.option("-p", "--param", "params", nargs=2, multiple=True, metavar="NAME VALUE", help="Fill :NAME in the SQL.")
@formats
def command(log: Path, sql: str, params: tuple[tuple[str, str], ...], form: str | None) -> None:
    """Ask one question; the log is opened read-only. The views and their columns: docs/sql-cookbook.md.

    Also sqlite-utils, Datasette and the sqlite3 shell read the file, while the service writes to it.
    """
    import sqlite3  # noqa: PLC0415  # loaded only for this verb

    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.cli.tables import show  # noqa: PLC0415
    from sanfen.errors import InputError  # noqa: PLC0415

    with asked(log) as connection:
        try:
            found = connection.execute(sql, dict(params))
            rows = [dict(row) for row in found]
        except (sqlite3.OperationalError, sqlite3.ProgrammingError, sqlite3.Warning) as error:
            raise InputError(Phrase("SQL: {error}", error=error), hint=_mend(str(error))) from None
    show(rows, form, [one[0] for one in found.description or ()], t("nothing_found", spoken()))


def _mend(error: str) -> str:
    """What to do about SQLite's words."""
    from sanfen.errors import nearest  # noqa: PLC0415  # loaded only for this verb
    from sanfen.store import views  # noqa: PLC0415

    what, _, name = error.partition(": ")
    if "readonly" in what:
        return Phrase("nothing can be changed here: the log is opened read-only")
    if what == "no such column":
        return Phrase("docs/sql-cookbook.md lists the columns of every view")
    known = Phrase("views: {names}", names=", ".join(views.NAMES))
    return nearest(name, views.NAMES, known) if what == "no such table" else known
