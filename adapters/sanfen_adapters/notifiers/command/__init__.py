"""A program of one's own: the notice as JSON on its standard input, its exit code as the answer."""

import asyncio
import json
import os
import shlex
import signal
import tempfile
from contextlib import suppress
from typing import IO, ClassVar

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.errors import ConfigError, Phrase
from sanfen_adapters.posting import short

__all__ = ["Command"]

_PATIENCE_S = 10
_TRY_AGAIN = 75  # EX_TEMPFAIL
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")  # ours holds the secrets of others


class Command(Notifier):
    """``command:/path/to/program argument``: no shell. Exit 0: told; 75: try again; any other: refused."""

    name: ClassVar[str] = "command"

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        """Run it, ten seconds at most. Raises DeliveryError."""
        argv = shlex.split(address.partition(":")[2])
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        if secret:
            environment["SANFEN_SECRET"] = secret
        # Files, not pipes: a child that goes on in the background keeps a pipe open, and would look as if it ran.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(json.dumps(notice.plain(), ensure_ascii=False).encode("utf-8", "replace"))
            given.seek(0)
            code = await _run(argv, environment, given, said)
            said.seek(0)
            words = f"exit {code}: {short(said.read(4096).decode('utf-8', 'replace'))}".rstrip(": ")
        if code == 0:
            return words
        if code < 0:  # a signal ended it, at whatever it was doing
            raise DeliveryError(words, reason="killed", retryable=True, unknown=True)
        raise DeliveryError(words, reason=f"exit_{code}", retryable=code == _TRY_AGAIN)

    @classmethod
    def check(cls, address: str) -> None:
        """Raises ConfigError."""
        try:
            argv = shlex.split(address.partition(":")[2])
        except ValueError as error:
            raise ConfigError(
                Phrase("the command cannot be read: {error}", error=error), hint="close the quotes"
            ) from None
        if not argv or not argv[0].startswith("/"):
            raise ConfigError("the command names no program by its whole path", hint="write command:/path/to/program")

    @classmethod
    def shown(cls, address: str) -> str:
        """The program's name."""
        return "command:" + (shlex.split(address.partition(":")[2]) or ["?"])[0].rpartition("/")[2]


async def _run(argv: list[str], environment: dict[str, str], given: IO[bytes], said: IO[bytes]) -> int:
    """The exit code; the whole process group is killed when the time is up, or when nobody waits any more."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=given, stdout=said, stderr=asyncio.subprocess.STDOUT, env=environment, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise DeliveryError(
            Phrase("cannot run {argv}: {error}", argv=argv[0], error=error), reason="no_program", retryable=False
        ) from None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await process.wait()
    except TimeoutError:
        raise DeliveryError("not done in time, killed", reason="timeout", retryable=True, unknown=True) from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
