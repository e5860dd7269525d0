"""Notices as lines on the terminal: for a first trial, and as a last way that cannot be refused."""

import sys
from typing import ClassVar

from sanfen.abc import Notice, Notifier

__all__ = ["Console"]


class Console(Notifier):
    """``console:`` prints to standard error."""

    name: ClassVar[str] = "console"

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:  # noqa: ARG002  # has none
        """Print one line; control characters cannot forge another."""
        text = notice.text if len(notice.waiting) + len(notice.still) < 2 else f"{notice.title}: {notice.text}"
        line = f"▲ {notice.person}: {' '.join(text.split())}"
        print("".join(char if char.isprintable() else "?" for char in line), file=sys.stderr, flush=True)  # noqa: T201
        return "printed"
