"""A progress bar on a terminal's standard error; nothing anywhere else."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self

__all__ = ["Progress"]


class _Read(Protocol):
    size: int
    read_bytes: int


class Progress:
    """How far the logs have been read."""

    def __init__(self, logs: Sequence[_Read], label: str) -> None:
        self._logs = logs
        self._label = label
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415  # on a terminal only
            from rich.progress import Progress as Bar  # noqa: PLC0415

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=sum(log.size for log in self._logs))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self) -> None:
        """Look again."""
        if self._bar is not None:
            self._bar.update(self._task, completed=sum(log.read_bytes for log in self._logs))
