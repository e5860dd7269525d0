"""``sanfen check --online``: what only shows when one looks: names, ports, certificates, the clock. No message is sent.

The workflow behind the relay gets a connection and nothing else. Where people are reached, the bare host is asked with HEAD
over HTTPS, for its clock; never the address itself, which could be a message.
"""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sanfen.clock import SystemClock
from sanfen.config.findings import Finding
from sanfen.config.load import Loaded
from sanfen.config.settings import Settings
from sanfen.config.yaml import Document, read_file
from sanfen.errors import ConfigError, DeniedError, Phrase
from sanfen.outbound import Guard
from sanfen.plugins import Plugins

__all__ = ["Looked", "look", "reached"]

_WAIT_S = 5.0
_OFF_MS = 5_000
_AT_ONCE = 8
_Path = tuple[str | int, ...]


class Looked(NamedTuple):
    """What was found, how many addresses answered as they should, and how far off the clock is; None: nobody said."""

    findings: list[Finding]
    reached: int
    off_ms: int | None


class _Place(NamedTuple):
    """An address that stands in the file. ``asks``: it is a public service, which may be asked for the time."""

    path: _Path
    url: str
    guard: Guard
    asks: bool = False


class Unreached(NamedTuple):
    """Why an address cannot be used."""

    code: str
    message: str
    hint: str


def look(path: Path, loaded: Loaded, *, trust: ssl.SSLContext | None = None) -> Looked:
    """Look at every address of a configuration that can be run. ``trust``: certificates in place of the system's."""
    document, settings = read_file(path, os.environ), loaded.settings
    findings = list(_listening(document, settings))
    return asyncio.run(_look(document, list(_places(settings)), findings, trust or ssl.create_default_context()))


async def _look(document: Document, places: list[_Place], findings: list[Finding], trust: ssl.SSLContext) -> Looked:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(place: _Place) -> Unreached | int | None:
        async with gate:
            return await reached(place.url, place.guard, trust, asks=place.asks)

    answers = await asyncio.gather(*(one(place) for place in places))
    clocks: list[tuple[int, _Place]] = []
    for place, answer in zip(places, answers, strict=True):
        if isinstance(answer, Unreached):
            found = document.finding(answer.code, answer.message, place.path, help_=answer.hint)
            literal = {place.path, place.path[:-1]} & document.literal  # then the line itself may show a secret
            findings.append(found._replace(source="") if place.path[0] == "people" and literal else found)
        elif answer is not None:
            clocks.append((answer, place))
    # One service may be off itself; that all are would mean it is us.
    nearest = min(clocks, key=lambda one: abs(one[0]), default=None)
    if nearest is not None and abs(nearest[0]) > _OFF_MS:
        findings.append(_clock(document, *nearest))
    return Looked(findings, sum(not isinstance(one, Unreached) for one in answers), nearest and nearest[0])


def _clock(document: Document, off_ms: int, place: _Place) -> Finding:
    facts = {"seconds": abs(off_ms) // 1000, "host": urlsplit(place.url).hostname}
    message = (
        Phrase("this machine's clock is {seconds} s ahead of what {host} says", **facts)
        if off_ms > 0
        else Phrase("this machine's clock is {seconds} s behind what {host} says", **facts)
    )
    return document.finding("W120", message, place.path, help_="set it by NTP")


def _places(settings: Settings) -> Iterator[_Place]:
    guard = Guard(settings.outbound)
    plugins = Plugins(named=settings.plugins)
    for name, channel in settings.channels.items():
        for key, target in (("from_customer", channel.forward_in), ("from_shop", channel.forward_out)):
            if target:
                yield _Place(("channels", name, key, "forward"), target, guard.inside())
    for name, person in settings.people.items():
        for number, way in enumerate(person.ways):
            try:
                home = plugins.check_way(way.address).home(way.address)
            except ConfigError:
                continue  # said already
            if home:
                yield _Place(("people", name, "via", number, "url"), home, guard, asks=home.startswith("https:"))
    if settings.heartbeat is not None:
        yield _Place(("heartbeat", "url"), settings.heartbeat.url, guard.inside())


async def reached(url: str, guard: Guard, trust: ssl.SSLContext, *, asks: bool = False) -> Unreached | int | None:
    """Whether somebody takes connections there; with ``asks``, how far our clock is ahead of theirs, in milliseconds."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    place = f"{host}:{port}"
    try:
        async with asyncio.timeout(_WAIT_S):
            ((_, address), *_) = await guard.resolve(host, port)
            reader, writer = await asyncio.open_connection(
                address, port, ssl=trust if secure else None, server_hostname=host if secure else None
            )
            try:
                return await _off_ms(reader, writer, host) if asks else None
            finally:
                writer.close()
    except socket.gaierror as error:
        message = Phrase("{host}: {sentence}", host=host, sentence=error.strerror)
        return Unreached("C040", message, "check the name, and this machine's name server")
    except DeniedError as error:
        return Unreached(
            "C040", str(error), Phrase("write another address, or outbound: {{allow: [{host}]}}", host=host)
        )
    except ssl.SSLCertVerificationError as error:
        message = Phrase("{place}: its certificate is not trusted: {why}", place=place, why=error.verify_message)
        return Unreached(
            "C042", message, "is it the right host, is there a proxy in between? SSL_CERT_FILE names more roots"
        )
    except TimeoutError:
        return Unreached("C041", Phrase("{place}: no connection in time", place=place), "check the firewall on the way")
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        return Unreached(
            "C041", Phrase("{place}: {sentence}", place=place, sentence=why), "is it running, and on this port?"
        )


async def _off_ms(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> int | None:
    """How far our clock is ahead of the other side's, as its answer's Date says, which knows whole seconds."""
    writer.write(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sanfen\r\nConnection: close\r\n\r\n".encode())
    async for line in reader:
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "date":
            try:
                theirs_ms = int(parsedate_to_datetime(value.strip()).timestamp() * 1000) + 500
            except (ValueError, OverflowError):
                return None
            return SystemClock().now_ms() - theirs_ms
        if not line.strip():
            break
    return None


def _listening(document: Document, settings: Settings) -> Iterator[Finding]:
    """Addresses to listen on that this machine does not have. One that is in use may be ours already."""
    listen = settings.listen
    for key, host, port in (
        ("hooks", listen.hooks_host, listen.hooks_port),
        ("board", listen.board_host, listen.board_port),
    ):
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                message = Phrase("cannot listen on {host}:{port}: {error}", host=host, port=port, error=error.strerror)
                yield document.finding(
                    "C043", message, ("listen", key), help_="write an address of this machine, and a port from 1024 on"
                )
