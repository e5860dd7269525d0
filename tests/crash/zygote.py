"""Services by the thousand: everything is imported once, and each service is a fork of that.

    python tests/crash/zygote.py        a command for each line of its input, an answer for each

A fork runs ``sanfen serve`` itself. Its clock may be ahead of the machine's, as if the machine had been off for a while;
it may be told to die at its nth write, sync or send.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.crash.native import BEFORE, arm
from tests.crash.shop import environment, loaded

__all__ = ["Run", "Zygote"]

_LATE = ("apscheduler.executors.asyncio", "apscheduler.triggers.cron", "apscheduler.triggers.interval",
         "concurrent.futures.thread", "encodings.ascii")  # fmt: skip
"""What a service imports only once it starts."""


class Run(NamedTuple):
    """How a service is to be run. ``ahead_ms``: of its clock. ``point``: where it is to die, 0 nowhere."""

    config: Path
    folder: Path
    ahead_ms: int = 0
    point: int = 0
    how: int = BEFORE


class Zygote:
    """The process that forks services, as its user sees it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, run: Run) -> int:
        """Fork a service; its process id."""
        return int(self._ask(["start", str(run.config), str(run.folder), *run[2:]]))

    async def end(self, process: int) -> int:
        """Wait for a service's end; minus the signal that killed it, or its exit code."""
        return await asyncio.to_thread(lambda: int(self._ask(["wait", process])))

    def ended(self, process: int) -> bool:
        """Whether it has ended; it must still be waited for."""
        return bool(self._ask(["ended", process]))

    def close(self) -> None:
        """No more services."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(30)

    def _ask(self, command: list[Any]) -> Any:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def serve() -> None:
    """The process itself: fork and wait as asked."""
    from sanfen.cli.serve import command

    warm = False
    for line in sys.stdin:
        word, *given = json.loads(line)
        if word == "start":
            warm = warm or _warmed(Path(given[0]))
            process = os.fork()
            if process == 0:
                _child(command, *given)
            answer: Any = process
        elif word == "ended":
            answer = os.waitid(os.P_PID, given[0], os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(given[0], 0)[1])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _warmed(config: Path) -> bool:
    """Do once what each service would do at its start."""
    import gc
    from importlib import import_module

    import jinja2

    from sanfen.board.views import build_board_app
    from sanfen.bootstrap import Service
    from sanfen.plugins import Plugins

    for name in _LATE:
        import_module(name)
    found = Plugins()

    def as_before(self: Plugins, **_named: Any) -> None:
        self.__dict__.update(found.__dict__)

    compiled, plain = dict[Any, Any](), jinja2.Environment.compile

    def once(self: jinja2.Environment, *given: Any, **named: Any) -> Any:
        key = repr((given, named))
        if key not in compiled:
            compiled[key] = plain(self, *given, **named)
        return compiled[key]

    jinja2.Environment.compile = once  # type: ignore[method-assign]
    Plugins.__init__ = as_before  # type: ignore[assignment,method-assign]
    service = Service(loaded(config))
    build_board_app(service, service.loaded.settings, service.clock)
    gc.freeze()
    return True


def _child(command: Any, config: str, folder: str, ahead_ms: int, point: int, how: int) -> None:
    """One service, from its fork to its end."""
    code = 1
    try:
        logged = os.open(Path(config).with_name("serve.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for descriptor in (1, 2):
            os.dup2(logged, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        from sanfen.clock import SystemClock

        # mypy: a method is replaced, which is what is meant
        SystemClock.now_ms = lambda _self: time.time_ns() // 1_000_000 + ahead_ms  # type: ignore[assignment,method-assign]
        arm(Path(folder), None, point, how)
        command.main(["-c", config], standalone_mode=False)
        code = 0
    except BaseException:  # noqa: BLE001  # the child must not go on as its parent
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
