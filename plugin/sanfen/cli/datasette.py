"""``sanfen datasette``: a log in the browser."""

from pathlib import Path

import click

from sanfen.cli.options import spoken

__all__ = ["command"]


@click.command("datasette", context_settings={"ignore_unknown_options": True})
@click.argument("log", type=click.Path(path_type=Path), metavar="DB")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTION OF DATASETTE]...")
def command(log: Path, options: tuple[str, ...]) -> None:
    """Serve a log with Datasette: facets, charts of your own, ready questions, links back to the board.

    Customers are masked and what was said is left out. What follows DB goes to datasette serve: -p 8001, --open.
    """
    import os  # noqa: PLC0415  # loaded only for this verb
    import sys  # noqa: PLC0415
    from importlib.util import find_spec  # noqa: PLC0415

    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.errors import InputError  # noqa: PLC0415

    with asked(log):  # a clear word for what is no log of ours
        pass
    if find_spec("datasette") is None:
        raise InputError(t("datasette_missing", spoken()), hint="pip install 'sanfen[datasette]'")
    os.execv(sys.executable, [sys.executable, "-m", "datasette", "serve", str(log), *options])  # noqa: S606
