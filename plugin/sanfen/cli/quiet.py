"""``sanfen quiet``: planned silences of a running service, begun and ended by hand."""

import getpass
import json
from pathlib import Path
from typing import Any

import click

from sanfen.cli.options import configuration
from sanfen.cli.tables import formats, show

__all__ = ["command"]

_CONFIG = configuration("The configuration of the running service (or SANFEN_CONFIG).")


@click.group("quiet")
def command() -> None:
    """Nobody is told for a while: add, list, end. Exit 3 if no service answers."""


@command.command("add")
@_CONFIG
@click.option("--for", "lasts", required=True, help="How long: 2h, 30m.")
@click.option("--why", required=True, help="What for; shown to whoever asks why nobody was told.")
@click.option("--by", default=None, help="Who says so; default: the user's name.")
@click.pass_context
def add(context: click.Context, config: Path, lasts: str, why: str, by: str | None) -> None:
    """Begin a silence now."""
    body = {"for": lasts, "why": why, "by": by or getpass.getuser()}
    made = _call(context, config, "POST", "/api/v1/quiet", body)
    click.echo(made["id"])


@command.command("list")
@_CONFIG
@formats
@click.pass_context
def list_(context: click.Context, config: Path, form: str | None) -> None:
    """The silences that have not ended, also those of the file to come."""
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.wire import instant_text  # noqa: PLC0415

    rows = _call(context, config, "GET", "/api/v1/quiet")["quiet"]
    for row in rows:
        row |= {"from": instant_text(row["from_ms"]), "until": instant_text(row["until_ms"])}
    empty = t("nothing_found", (context.obj or {}).get("language", "en"))
    show(rows, form, ("id", "from", "until", "by", "why"), empty)


@command.command("end")
@_CONFIG
@click.argument("number", type=int)
@click.pass_context
def end(context: click.Context, config: Path, number: int) -> None:
    """End a silence now."""
    _call(context, config, "DELETE", f"/api/v1/quiet/{number}")


def _call(context: click.Context, config: Path, method: str, path: str, body: Any = None) -> Any:
    """Ask the running service. Exits 3 where nobody answers; raises InputError for what it refuses."""
    from urllib.error import HTTPError, URLError  # noqa: PLC0415
    from urllib.request import ProxyHandler, Request, build_opener  # noqa: PLC0415

    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.errors import InputError  # noqa: PLC0415

    settings = load(config).settings
    listen = settings.listen
    address = f"http://{listen.board_host}:{listen.board_port}{path}"
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if settings.admin_tokens:
        headers["Authorization"] = f"Bearer {settings.admin_tokens[0].reveal()}"
    request = Request(address, data, headers, method=method)  # our own port
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
            return json.load(answer)
    except HTTPError as error:
        said = json.load(error)
        raise InputError(said.get("title", f"{error.code}"), hint=said.get("hint", "")) from None
    except URLError as error:
        click.echo(
            f"sanfen: no service answers at {address}: {error.reason}\n  = help: start it: sanfen serve -c {config}",
            err=True,
        )
        context.exit(3)
