"""What several verbs have: options, and the language they speak."""

import os
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["LANG", "anywhere", "coloured", "configuration", "listed", "reset", "running", "spoken"]

F = TypeVar("F", bound=Callable[..., Any])


def configuration(told: str, *, required: bool = True) -> Callable[[F], F]:
    """The option ``-c``, which may come from the environment. ``told``: its line of help."""
    return click.option(
        "-c", "--config", type=click.Path(path_type=Path), envvar="SANFEN_CONFIG", required=required, help=told
    )


def running(command: F) -> F:
    """The option ``-c`` of a verb that asks a running service: where it is left out, the usual places are tried."""
    return configuration("The configuration of the running service (or SANFEN_CONFIG).", required=False)(command)


def anywhere(command: F) -> F:
    """The options ``-c`` and ``--url`` of a verb that asks a running service, here or elsewhere."""
    address = click.option("--url", metavar="URL", envvar="SANFEN_URL", help=_ELSEWHERE)
    return running(address(command))


_ELSEWHERE = "The board of a service elsewhere (or SANFEN_URL); its token: SANFEN_TOKEN."
_LANGUAGE: ContextVar[str | None] = ContextVar("language", default=None)


def spoken() -> str:
    """The language of this run, zh or en: as chosen, else as the environment has it."""
    found = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return _LANGUAGE.get() or ("zh" if found.startswith("zh") else "en")


def reset() -> None:
    """A new run: nothing is chosen."""
    _LANGUAGE.set(None)


def coloured() -> bool:
    """Whether what is printed may be coloured: on a terminal, unless NO_COLOR says otherwise."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _choose(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        _LANGUAGE.set(value)
    return value


LANG = click.Option(
    ["--lang"],
    type=click.Choice(["zh", "en"]),
    is_eager=True,
    expose_value=False,
    callback=_choose,
    help="Language of what is said (default: LANG).",
)
"""Every command has it, before the verb or after."""


class _Listed(click.ParamType[tuple[str, ...]]):
    """Names with commas between them, each from a list."""

    name = "names"

    def __init__(self, known: tuple[str, ...]) -> None:
        self._choice = click.Choice(known)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        return self._choice.get_metavar(param, ctx)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return tuple(self._choice.convert(one.strip(), param, ctx) for one in str(value).split(",") if one.strip())

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[click.shell_completion.CompletionItem]":
        return self._choice.shell_complete(ctx, param, incomplete)


def listed(name: str, known: tuple[str, ...], told: str) -> Callable[[F], F]:
    """An option with names from a list, with commas between them or given several times; a flat tuple."""
    return click.option(
        name,
        multiple=True,
        type=_Listed(known),
        callback=lambda _context, _parameter, value: tuple(one for part in value for one in part),
        help=told,
    )
