"""Options that several verbs have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["configuration"]

F = TypeVar("F", bound=Callable[..., Any])


def configuration(told: str, *, required: bool = True) -> Callable[[F], F]:
    """The option ``-c``, which may come from the environment. ``told``: its line of help."""
    return click.option(
        "-c", "--config", type=click.Path(path_type=Path), envvar="SANFEN_CONFIG", required=required, help=told
    )
