"""``sanfen adapters``: what reads which channel, what a payload becomes and why, and the start of a new one."""

import sys
from pathlib import Path
from typing import Any

import click

from sanfen.cli.dress import Verbs
from sanfen.cli.options import configuration, spoken
from sanfen.cli.tables import formats

__all__ = ["command"]


@click.group("adapters", cls=Verbs, invoke_without_command=True)
@formats
@click.pass_context
def command(context: click.Context, form: str | None) -> None:
    """List what reads channels. `adapters check NAME < payload.json` says what a payload becomes, and why;
    `adapters new NAME` writes the folder of a new one, with its tests.
    """
    if context.invoked_subcommand is not None:
        return
    from sanfen.cli.tables import show  # noqa: PLC0415  # loaded only for this verb
    from sanfen.plugins import Plugins  # noqa: PLC0415

    columns = ("name", "answers", "deadline_ms", "reads_answers", "acts")
    show([_facts(kind) for kind in Plugins().channels.values()], form, columns, "")


def _facts(kind: Any) -> dict[str, Any]:
    from sanfen.abc import ChannelAdapter  # noqa: PLC0415

    return {
        "name": kind.name,
        "answers": kind.ack,
        "deadline_ms": kind.deadline_ms,
        "reads_answers": kind.answered is not ChannelAdapter.answered or kind.tap is not ChannelAdapter.tap,
        "acts": kind.act is not ChannelAdapter.act,
        "about": " ".join((kind.__doc__ or "").split()),
    }


@command.command("check")
@click.argument("name")
@configuration("A configuration: its staff, bots, rules and policy; NAME is then a channel's name.", required=False)
@click.option("--out", "outward", is_flag=True, help="It goes from the workflow to the channel.")
@click.option("--path", default="", help="What follows the channel's name in the address.")
@click.option("--query", default="", help="The query.")
@click.option("--method", default="POST", show_default=True, help="GET, POST, …")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; may be repeated.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="The adapter's own; may be repeated.")
@click.option("--answer", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The HTTP answer's body.")
@click.option("--answer-type", default="application/json", show_default=True, help="Its content type.")
@click.option("--status", type=click.IntRange(100, 599), default=200, show_default=True, help="Its status.")
@formats
@click.pass_context
def check(context: click.Context, /, name: str, **given: Any) -> None:
    """What the payload on standard input becomes, and why. Exit 0: it can be read; 1: it cannot."""
    from sanfen.abc import Answer, ParseError, Request  # noqa: PLC0415
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.said import COLUMNS, row  # noqa: PLC0415
    from sanfen.cli.tables import show  # noqa: PLC0415
    from sanfen.clock import SystemClock  # noqa: PLC0415

    language = spoken()
    adapter, policy, rules, directory = _channel(name, given, language)
    pairs = (one.partition(":") for one in given["headers"])
    headers = {key.strip().lower(): value.strip() for key, _, value in pairs}
    request = Request(given["method"], given["path"].lstrip("/"), given["query"], headers, sys.stdin.buffer.read())
    direction, now_ms = "out" if given["outward"] else "in", SystemClock().now_ms()
    try:
        reply = adapter.handshake(request, direction)
        if reply is not None:
            click.echo(t("adapters_challenge", language, answer=repr(reply.body.decode("utf-8", "replace"))))
        facts = list(adapter.parse(request, direction, now_ms))
        if given["answer"] is not None:
            head = {"content-type": given["answer_type"]}
            answer = Answer(given["status"], head, given["answer"].read_bytes())
            facts += adapter.heard(request, answer, direction, now_ms)
    except ParseError as error:
        click.echo(t("adapters_unread", language, error=error), err=True)
        context.exit(1)
    rows = [row(fact, policy, rules, directory, language) for fact in facts]
    columns = [one for one in COLUMNS if any(one in line for line in rows)]
    show(rows, given["form"], columns, t("adapters_nothing", language))


def _channel(name: str, given: dict[str, Any], language: str) -> tuple[Any, Any, Any, Any]:
    """The adapter, and by what its messages are classified and judged."""
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.config import presets  # noqa: PLC0415
    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.config.settings import ChannelSettings  # noqa: PLC0415
    from sanfen.core.classify import NOBODY  # noqa: PLC0415
    from sanfen.plugins import Plugins  # noqa: PLC0415

    options = dict(one.partition("=")[::2] for one in given["options"])
    if given["config"] is None:
        facts = ChannelSettings(name, name, signing="none", options=options)
        return Plugins().channel(facts, "default"), presets.policy(presets.DEFAULT), (), NOBODY
    loaded = load(given["config"])
    settings = loaded.settings
    if name not in settings.channels:
        raise click.UsageError(t("adapters_channel", language, name=repr(name), names=", ".join(settings.channels)))
    adapter = Plugins(named=settings.plugins).channel(settings.channels[name], settings.shop.id)
    return adapter, loaded.policies[0], loaded.rules, settings.directory


@command.command("new")
@click.argument("name")
@click.option(
    "--into", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="A folder; absent: this one."
)
@click.option("--signature", default="hub-sha256", show_default=True, help="A row of sanfen_adapters/signatures.py.")
def new(name: str, into: Path, signature: str) -> None:
    """Write a new adapter: in sanfen's own source tree a folder of it, elsewhere a package of its own."""
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.scaffold import write  # noqa: PLC0415

    language = spoken()
    for path in write(name, into, signature):
        click.echo(t("adapters_wrote", language, path=path))
    click.echo(t("adapters_next", language))
