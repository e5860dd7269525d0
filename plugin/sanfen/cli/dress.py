"""Commands as their reader sees them: in the reader's language, each with ``--lang``."""

import copy
from typing import Any, TypeVar

import click

from sanfen.cli.options import LANG, spoken

__all__ = ["Verbs", "dressed"]

C = TypeVar("C", bound=click.Command)


class Verbs(click.Group):
    """A group whose commands are dressed."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        found = super().get_command(ctx, cmd_name)
        return None if found is None else dressed(found, f"{self.name} {cmd_name}")


def dressed(command: C, path: str, language: str | None = None) -> C:
    """A copy that has ``--lang``, and speaks the language. ``path``: the verb, below ``sanfen``; empty for ``sanfen`` itself."""
    made = copy.copy(command)
    made._help_option = None  # noqa: SLF001  # the one that is kept has its words already
    made.params = [copy.copy(one) for one in command.params if one.name != LANG.name]
    made.params.append(_language_option(path))
    if (language or spoken()) == "zh":
        from sanfen.cli.chinese import OPTIONS, VERBS  # noqa: PLC0415  # only for who reads it

        made.help = VERBS.get(path, command.help)
        made.short_help = None
        for one in made.params:
            if isinstance(one, click.Option):
                one.help = OPTIONS.get(one.help or "", one.help)
    return made


def _language_option(path: str) -> click.Option:
    """``--lang`` of a command: what comes after it on the line is said in that language, its help too."""

    def choose(context: click.Context, parameter: click.Parameter, value: str | None) -> Any:
        if value is not None and LANG.callback is not None:
            LANG.callback(context, parameter, value)
            context.command = dressed(context.command, path, value)

    option = copy.copy(LANG)
    option.callback = choose
    return option
