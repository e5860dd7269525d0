"""``sanfen completion``: verbs, options and their values, completed by the shell."""

import click

__all__ = ["command"]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script for your shell; docs/cli.md says where to put it."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415  # loaded only for this verb

    from sanfen.cli import cli  # noqa: PLC0415

    kind = get_completion_class(shell)
    if kind is not None:  # click has all three
        click.echo(kind(cli, {}, "sanfen", "_SANFEN_COMPLETE").source())
