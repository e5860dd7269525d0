"""``sanfen doctor``: what may go wrong on this machine and with this configuration, before it does."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from sanfen.cli.options import running, spoken
from sanfen.cli.tables import formats

if TYPE_CHECKING:  # the command line must not load the service to print its help
    from sqlite3 import Connection

    from sanfen.cli.server import Server
    from sanfen.outbound import Guard

__all__ = ["command"]

_USUAL = "config/sanfen.yaml"
_FEW_BYTES, _SOME_BYTES = 200 << 20, 1 << 30
_APART_MS = 2_000
_OVERDUE_MS = 10_000
_DAYS = 7
_LAST = 1_000  # deliveries that are looked at
_MANY = 10  # one in so many that cannot be read is worth a look: a picture now and then is not
_DAY_MS = 86_400_000
_REACH_S = 3.0


class _Found(NamedTuple):
    """What was looked at, and how it stands: ✓, ▲ (look at it) or ✕ (mend it)."""

    state: str
    what: str
    told: str


@click.command("doctor")
@running
@formats
@click.pass_context
def command(context: click.Context, config: Path | None, form: str | None) -> None:
    """Look at the configuration, the service, clocks, disk, log, deadlines, holidays, forwards and the ways to people.

    Sends nothing to anybody; sanfen notify NAME does. Exit 1 if something must be mended.
    """
    from sanfen.cli.tables import show  # noqa: PLC0415  # loaded only for this verb

    rows = [one._asdict() for one in _look(config, spoken())]
    show(rows, form, ("state", "what", "told"), "")
    context.exit(1 if any(row["state"] == "✕" for row in rows) else 0)


def _look(config: Path | None, language: str) -> Iterator[_Found]:
    from sanfen.catalogue import said, t  # noqa: PLC0415
    from sanfen.cli.server import NoServiceError, Server, server  # noqa: PLC0415
    from sanfen.config.load import load  # noqa: PLC0415
    from sanfen.errors import ConfigError  # noqa: PLC0415

    yield from _machine(language)
    try:
        found = server(config) if config is None else Server(config, load(config).settings)
    except NoServiceError:
        path = Path(_USUAL)
        if not path.is_file():
            yield _Found("✕", t("doctor_config", language), t("doctor_no_config", language))
            return
        found = Server(path, load(path).settings)
    except ConfigError as error:
        yield _Found(
            "✕",
            t("doctor_config", language),
            said(error.message, language).splitlines()[0],
        )
        return
    yield _Found("✓", t("doctor_config", language), str(found.config))
    yield from _service(found, language)
    yield from _disk(found, language)
    yield from _log(found, language)
    yield from _forwards(found, language)
    yield from _ways(found, language)


def _machine(language: str) -> Iterator[_Found]:
    """Python and SQLite, extras, and whether next year's holidays are known."""
    import sqlite3  # noqa: PLC0415
    import sys  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415
    from importlib.metadata import version  # noqa: PLC0415
    from importlib.util import find_spec  # noqa: PLC0415

    import holidays  # noqa: PLC0415

    from sanfen import __version__  # noqa: PLC0415
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.clock import SystemClock  # noqa: PLC0415

    versions = f"{__version__}, Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    extras = {
        "notify": "apprise", "rules": "cel_expr_python", "channels": "cryptography", "excel": "python_calamine",
        "speed": "uvloop", "datasette": "datasette", "otel": "opentelemetry",
    }  # fmt: skip
    there = [name for name, module in extras.items() if find_spec(module)]
    yield _Found("✓", "sanfen", t("doctor_versions", language, versions=versions, extras=", ".join(there) or "–"))
    today = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC).date()
    for year in (today.year, today.year + 1):
        names = [str(name) for name in holidays.country_holidays("CN", years=year, language="en_US").values()]
        known = any("substituted" in name for name in names)
        late = year == today.year or today.month == 12
        word = "doctor_holidays_known" if known else "doctor_holidays_unknown"
        state = "✓" if known or not late else "▲"
        yield _Found(state, t("doctor_holidays", language, year=year), t(word, language, version=version("holidays")))


def _service(found: "Server", language: str) -> Iterator[_Found]:
    """Whether it answers, is ready, and goes by our time."""
    from sanfen import __version__  # noqa: PLC0415
    from sanfen.catalogue import said, t  # noqa: PLC0415
    from sanfen.cli.server import NoServiceError  # noqa: PLC0415
    from sanfen.cli.tables import clock  # noqa: PLC0415
    from sanfen.clock import SystemClock  # noqa: PLC0415
    from sanfen.errors import InputError  # noqa: PLC0415

    what = t("doctor_service", language)
    try:
        version = found.ask("/healthz")["version"]
        now = found.ask("/api/v1/now")
        found.ask("/readyz")
    except NoServiceError:
        yield _Found("▲", what, t("doctor_silent", language, address=found.board))
        return
    except InputError as error:
        yield _Found("✕", what, said(error.message, language))
        return
    word = "doctor_answers" if version == __version__ else "doctor_other_version"
    yield _Found("✓" if version == __version__ else "▲", what, t(word, language, address=found.board, version=version))
    apart_ms = abs(now["now_ms"] - SystemClock().now_ms())
    state = "✓" if apart_ms < _APART_MS else "▲"
    yield _Found(state, t("doctor_clock", language), t("doctor_apart", language, apart=clock(apart_ms)))


def _disk(found: "Server", language: str) -> Iterator[_Found]:
    import shutil  # noqa: PLC0415

    from sanfen.catalogue import t  # noqa: PLC0415

    for path in dict.fromkeys(one.parent for one in (found.settings.storage, found.settings.spill)):
        there = next((one for one in (path, *path.parents) if one.is_dir()), Path())
        free = shutil.disk_usage(there).free
        state = "✕" if free < _FEW_BYTES or not os.access(there, os.W_OK) else "▲" if free < _SOME_BYTES else "✓"
        word = "doctor_free" if os.access(there, os.W_OK) else "doctor_not_writable"
        yield _Found(
            state,
            t("doctor_disk", language),
            t(word, language, folder=os.path.normpath(path), free=f"{free / (1 << 30):.1f}"),
        )


def _log(found: "Server", language: str) -> Iterator[_Found]:
    from sanfen.catalogue import said, t  # noqa: PLC0415
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.errors import StoreError  # noqa: PLC0415

    path = Path(os.path.normpath(found.settings.storage))
    if not path.exists():
        yield _Found("✓", t("doctor_log", language), t("doctor_no_log", language, path=path))
        return
    try:
        with asked(path) as connection:
            size = f"{path.stat().st_size / (1 << 20):.1f}"
            events = connection.execute("SELECT count(*) FROM events").fetchone()[0]
            yield _Found(
                "✓", t("doctor_log", language), t("doctor_size", language, path=path, size=size, events=events)
            )
            yield _read(connection, language)
            yield from _told(connection, language)
    except StoreError as error:
        yield _Found("✕", t("doctor_log", language), said(error.message, language))


def _read(connection: "Connection", language: str) -> _Found:
    """How many of the last deliveries told us nothing: a wrong shape is answered by the workflow, so nobody else says it."""
    from sanfen.catalogue import t  # noqa: PLC0415

    what = t("doctor_deliveries", language)
    deliveries, unread = connection.execute(
        "SELECT count(*), count(error) FROM (SELECT error FROM deliveries ORDER BY seq DESC LIMIT ?)", (_LAST,)
    ).fetchone()
    if not unread:
        return _Found("✓", what, t("doctor_read", language, deliveries=deliveries))
    channel, reason = connection.execute(
        "SELECT channel, reason FROM unread ORDER BY received_ms DESC, number DESC LIMIT 1"
    ).fetchone()
    facts = {"deliveries": deliveries, "unread": unread, "channel": channel, "reason": reason}
    return _Found("▲" if unread * _MANY >= deliveries else "✓", what, t("doctor_unread", language, **facts))


def _told(connection: "Connection", language: str) -> Iterator[_Found]:
    """What the log says of the last days: notices late or lost, gaps, clocks that were set."""
    from sanfen.catalogue import t  # noqa: PLC0415

    last_ms = connection.execute("SELECT coalesce(max(at_ms), 0) FROM events").fetchone()[0]
    since = (last_ms - _DAYS * _DAY_MS,)
    sent, late, lost = connection.execute(
        "SELECT count(*), coalesce(sum(state = 'told' AND took_ms > ?), 0), coalesce(sum(state IN ('failed', 'unsure')), 0) "
        "FROM escalations WHERE due_ms > ?",
        (_OVERDUE_MS, *since),
    ).fetchone()
    facts = {"days": _DAYS, "sent": sent, "late": late, "lost": lost}
    yield _Found("▲" if late or lost else "✓", t("doctor_notices", language), t("doctor_sent", language, **facts))
    gaps, deliveries = connection.execute(
        "SELECT count(*), coalesce(sum(deliveries), 0) FROM gaps WHERE until_ms > ?", since
    ).fetchone()
    word = t("doctor_gaps_found", language, days=_DAYS, gaps=gaps, deliveries=deliveries)
    yield _Found("▲" if deliveries else "✓", t("doctor_gaps", language), word)
    (steps,) = connection.execute("SELECT count(*) FROM clock_steps WHERE at_ms > ?", since).fetchone()
    yield _Found("▲" if steps else "✓", t("doctor_steps", language), t("doctor_set", language, days=_DAYS, steps=steps))


def _forwards(found: "Server", language: str) -> Iterator[_Found]:
    """Whether the workflow behind each channel takes connections; nothing is sent."""
    from urllib.parse import urlsplit  # noqa: PLC0415

    from sanfen.catalogue import t  # noqa: PLC0415

    for name, channel in found.settings.channels.items():
        for target in filter(None, (channel.forward_in, channel.forward_out)):
            trouble = _reach(urlsplit(target).hostname or "", urlsplit(target).port or _port(target))
            word = t("doctor_reached", language) if trouble is None else trouble
            yield _Found("✓" if trouble is None else "✕", t("doctor_forward", language, name=name), f"{target}  {word}")


def _port(address: str) -> int:
    return 443 if address.startswith("https:") else 80


def _reach(host: str, port: int) -> str | None:
    """Why a port takes no connection; None if it does."""
    import socket  # noqa: PLC0415

    try:
        socket.create_connection((host, port), _REACH_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return None


def _ways(found: "Server", language: str) -> Iterator[_Found]:
    """Each way to each person: whether it can be read, whether its other end is there, and what became of the last message."""
    import asyncio  # noqa: PLC0415

    from sanfen.catalogue import said, t  # noqa: PLC0415
    from sanfen.errors import ConfigError  # noqa: PLC0415
    from sanfen.notify.ways import shown_way  # noqa: PLC0415
    from sanfen.outbound import Guard  # noqa: PLC0415
    from sanfen.plugins import Plugins  # noqa: PLC0415

    settings = found.settings
    plugins, guard = Plugins(named=settings.plugins), Guard(settings.outbound)
    notifiers = plugins.notifiers(guard)
    last = _last(found)
    homes: dict[str, str | ConfigError] = {}  # where each address leads, or why it cannot be read
    for way in (way for person in settings.people.values() for way in person.ways):
        try:
            homes[way.address] = plugins.check_way(way.address).home(way.address)
        except ConfigError as error:
            homes[way.address] = error
    ends = asyncio.run(
        _other_ends({home for home in homes.values() if isinstance(home, str) and home}, guard, language)
    )
    for name, person in settings.people.items():
        for way in person.ways:
            home = homes[way.address]
            if isinstance(home, ConfigError):
                yield _Found("✕", name, said(home.message, language))
                continue
            shown = shown_way(notifiers, way)
            state, word = ends.get(home, ("✓", ""))
            result, answer = last.get((name, shown), ("", ""))
            if result:
                state = "▲" if state == "✓" and result != "told" else state
                word += t(f"doctor_last_{result}", language, answer=answer)
            yield _Found(state, name, t("doctor_way", language, way=shown + word, name=name))
    if not settings.people:
        yield _Found("▲", t("doctor_people", language), t("doctor_nobody", language))


async def _other_ends(homes: Collection[str], guard: "Guard", language: str) -> dict[str, tuple[str, str]]:
    """The state of each of them by whether it takes a connection, and that in words; all are looked at together."""
    import asyncio  # noqa: PLC0415
    import ssl  # noqa: PLC0415

    from sanfen.catalogue import said, t  # noqa: PLC0415
    from sanfen.cli.online import Unreached, reached  # noqa: PLC0415

    trust = ssl.create_default_context()
    answers = await asyncio.gather(*(reached(home, guard, trust) for home in homes))
    return {
        home: ("✕", f"  {said(answer.message, language)} ({said(answer.hint, language)})")
        if isinstance(answer, Unreached)
        else ("✓", "  " + t("doctor_reached", language))
        for home, answer in zip(homes, answers, strict=True)
    }


def _last(found: "Server") -> dict[tuple[str, str], tuple[str, str]]:
    """What became of the last message to each person by each way, and the receiver's words; nothing without a log."""
    from sanfen.cli.asking import asked  # noqa: PLC0415
    from sanfen.errors import StoreError  # noqa: PLC0415
    from sanfen.store.queries import last_attempts  # noqa: PLC0415

    path = Path(os.path.normpath(found.settings.storage))
    if not path.exists():
        return {}
    try:
        with asked(path) as connection:
            return last_attempts(connection)
    except StoreError:  # said already
        return {}
