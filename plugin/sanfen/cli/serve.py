"""``sanfen serve``: the middleware."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sanfen.catalogue import said, t
from sanfen.cli.options import configuration, spoken

if TYPE_CHECKING:  # the command line must not load the service to print its help
    from sanfen.bootstrap import Service
    from sanfen.process import Supervisor

__all__ = ["command"]

_SILENT_S = 60.0
_TAKEN_OVER = 4  # exit code: another instance has the log now


@click.command("serve")
@configuration("The configuration file (or SANFEN_CONFIG).")
@click.option("--standby", is_flag=True, help="If another instance writes the log, wait, and take over when it ends.")
@click.option("--listen", metavar="HOST:PORT", help="Where messages arrive, in place of the file's listen.hooks.")
@click.option("--board", metavar="HOST:PORT", help="Where the board and the API are, in place of listen.board.")
@click.option("--dry-run", is_flag=True, help="Judge and show everything, tell nobody, hand nothing over.")
def command(config: Path, listen: str | None, board: str | None, *, standby: bool, dry_run: bool) -> None:
    """Relay, judge, escalate and score, until stopped (Ctrl-C or SIGTERM). SIGHUP reads the configuration again."""
    from sanfen.bootstrap import Service  # noqa: PLC0415  # aiohttp and the store load only here
    from sanfen.config.findings import Findings  # noqa: PLC0415
    from sanfen.config.load import Loaded, load  # noqa: PLC0415
    from sanfen.log import configure  # noqa: PLC0415
    from sanfen.plugins import Plugins  # noqa: PLC0415
    from sanfen.process import harden  # noqa: PLC0415

    harden()
    configure()
    places = {name: place for name, place in (("hooks", listen), ("board", board)) if place is not None}

    def read(path: Path) -> Loaded:
        found = load(path, deadlines=Plugins().deadlines(), listen=places)
        return replace(found, settings=replace(found.settings, dry_run=dry_run))

    loaded = read(config)
    for finding in loaded.warnings:
        _say(said(Findings((finding,)), spoken()))
    service = Service(loaded, read=read)
    if dry_run:
        service.front.on_kept = partial(_tell, service)
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        code = runner.run(_serve(service, config, standby=standby))
    if code:
        sys.exit(code)


def _tell(service: "Service", delivery: Any, events: Sequence[Any], spent_ms: float) -> None:
    """What passes, a line for each message."""
    from sanfen.cli.said import line  # noqa: PLC0415  # for a dry run only

    for event in events:
        _say(line(delivery.direction, event, spent_ms, service.loaded, spoken()))


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
    tasks: list[asyncio.Task[Any]] = [
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
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_reload(service, config, again))
        tasks.create_task(_mind_silence(service, _SILENT_S))


async def _mind_silence(service: "Service", silent_s: float) -> None:
    """Where nothing has come for a while after the start, say what may be missing."""
    await asyncio.sleep(silent_s)
    traffic = service.traffic
    if not traffic.get("received") and not sum(count for name, count in traffic.items() if name.startswith("refused_")):
        _say(t("serve_silent", spoken(), seconds=f"{silent_s:g}"))


async def _reload(service: "Service", config: Path, again: asyncio.Event) -> None:
    while True:
        await again.wait()
        again.clear()
        if not await service.reload(config):
            _say(said(service.problems, spoken()))


def _say(line: str) -> None:
    """Talk that nobody needs: where it cannot be said, the chat flows all the same."""
    with suppress(OSError):
        click.echo(line, err=True)


def _addresses(service: "Service", config: Path) -> list[str]:
    """Where to point the channel, where to look."""
    language, settings, policies = spoken(), service.loaded.settings, service.loaded.policies
    hooks = f"http://{settings.listen.hooks_host}:{settings.listen.hooks_port}"
    board = f"http://{settings.listen.board_host}:{settings.listen.board_port}"
    facts = {
        "warnings": len(service.loaded.warnings), "rules": len(service.loaded.rules),
        "ladders": len(policies[0].ladders), "people": len(settings.people),
    }  # fmt: skip
    lines = [
        t("serve_head", language, config=config, **facts),
        f"{policies[0].id}  {settings.shop.name}  {settings.shop.timezone}  {os.path.normpath(settings.storage)}",
    ]
    for name, channel in settings.channels.items():
        for way, target in (("in", channel.forward_in), ("out", channel.forward_out)):
            if target or way == "in" or channel.forward_in is None:
                onward = f"→ {target}" if target else t("serve_kept", language)
                lines.append(f"{way:<6} {hooks}/{way}/{name}  {onward}")
    lines += [f"events {hooks}/events", f"board  {board}/   api {board}/api/docs   metrics {board}/metrics"]
    return [*lines, t("serve_dry", language)] if settings.dry_run else lines
