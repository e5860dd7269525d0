"""``sanfen serve``: the middleware."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sanfen.cli.options import configuration

if TYPE_CHECKING:  # the command line must not load the service to print its help
    from sanfen.bootstrap import Service
    from sanfen.process import Supervisor

__all__ = ["command"]

_TAKEN_OVER = 4  # exit code: another instance has the log now


@click.command("serve")
@configuration("The configuration file (or SANFEN_CONFIG).")
@click.option("--standby", is_flag=True, help="If another instance writes the log, wait, and take over when it ends.")
def command(config: Path, *, standby: bool) -> None:
    """Relay, judge, escalate and score, until stopped (Ctrl-C or SIGTERM). SIGHUP reads the configuration again."""
    from sanfen.bootstrap import Service  # noqa: PLC0415  # aiohttp and the store load only here
    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.log import configure  # noqa: PLC0415
    from sanfen.plugins import Plugins  # noqa: PLC0415
    from sanfen.process import harden  # noqa: PLC0415

    harden()
    configure()
    loaded = load(config, deadlines=Plugins().deadlines())
    for finding in loaded.warnings:
        _say(finding.render())
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        code = runner.run(_serve(Service(loaded), config, standby=standby))
    if code:
        sys.exit(code)


def _fast_loop() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """The loop of the extra ``speed``, where it is installed."""
    try:
        import uvloop  # noqa: PLC0415  # an extra
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _without_long_pauses() -> None:
    """The writer thread holds up the event loop for a millisecond at most, and garbage is looked for where it can be."""
    sys.setswitchinterval(0.001)
    gc.collect()
    gc.freeze()  # what lives as long as the service
    gc.set_threshold(20_000, 20, 50)


async def _serve(service: "Service", config: Path, *, standby: bool) -> int:
    """Run until told to stop; returns the exit code."""
    from sanfen.log import on_loop_error  # noqa: PLC0415
    from sanfen.process import Supervisor  # noqa: PLC0415

    again, stop, supervisor = asyncio.Event(), asyncio.Event(), Supervisor()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(on_loop_error)
    # Not add_signal_handler: it hears of a signal by the pipe that threads wake the loop with, and loses it when that is full.
    for number, heard in ((signal.SIGINT, stop), (signal.SIGTERM, stop), (signal.SIGHUP, again)):
        signal.signal(number, lambda *_, heard=heard: loop.call_soon_threadsafe(heard.set))
    tasks = [
        asyncio.create_task(_run(service, config, again, supervisor, standby=standby)),
        asyncio.create_task(stop.wait()),
        asyncio.create_task(service.over.wait()),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0] in done:
            tasks[0].result()
    finally:
        supervisor.say("STOPPING=1")
        supervisor.rest()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await service.stop()
    return _TAKEN_OVER if service.over.is_set() else 0


async def _run(
    service: "Service", config: Path, again: asyncio.Event, supervisor: "Supervisor", *, standby: bool
) -> None:
    await service.start(standby=standby)
    _without_long_pauses()
    for line in _addresses(service, config):
        _say(line)
    supervisor.say("READY=1")
    supervisor.beat()
    await _reload(service, config, again)


async def _reload(service: "Service", config: Path, again: asyncio.Event) -> None:
    while True:
        await again.wait()
        again.clear()
        await service.reload(config)


def _say(line: str) -> None:
    """Talk that nobody needs: where it cannot be said, the chat flows all the same."""
    with suppress(OSError):
        click.echo(line, err=True)


def _addresses(service: "Service", config: Path) -> list[str]:
    """Where to point the channel, where to look."""
    settings, policies = service.loaded.settings, service.loaded.policies
    hooks = f"http://{settings.listen.hooks_host}:{settings.listen.hooks_port}"
    board = f"http://{settings.listen.board_host}:{settings.listen.board_port}"
    lines = [f"{config}: {policies[0].id}, {settings.shop.name}, {settings.shop.timezone}, log {settings.storage}"]
    for name, channel in settings.channels.items():
        for way, target in (("in", channel.forward_in), ("out", channel.forward_out)):
            if target:
                lines.append(f"{way:<4} {hooks}/{way}/{name}  → {target}")
    lines.append(f"events {hooks}/events   board {board}/   metrics {board}/metrics")
    return lines
