"""What the API does: acts on rounds, silences, tests of ways, erasing, unmasking. Each is on account with who did it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog

from sanfen.board.access import Refusal, no_round
from sanfen.board.api.endpoints import Asked, Body, Handler, Rows
from sanfen.board.api.service import Api
from sanfen.errors import InputError, Phrase, nearest
from sanfen.notify.trial import tell
from sanfen.store import erasure, silences

__all__ = ["act_of", "begin_silence", "end_silence", "erase", "reassign", "test", "unmask"]

_log = structlog.get_logger("sanfen.board")


def act_of(name: str) -> Handler:
    """The handler of take, snooze, release or escalate."""
    return partial(_act, name)


async def _act(name: str, api: Api, asked: Asked) -> Body:
    by = _by(asked)
    one = await api.acts.round_of(asked.values["id"])
    return Body(await api.acts.do(one, name, by, asked.values.get("for")))


async def reassign(api: Api, asked: Asked) -> Body:
    """Give the conversation to another agent, in the channel."""
    by = _by(asked)
    one = await api.acts.round_of(asked.values["id"])
    return Body(await api.acts.reassign(one, by, asked.values["to"]))


async def unmask(api: Api, asked: Asked) -> Body:
    """Show who the customer of a round is."""
    by, name, now_ms = _by(asked), asked.values["id"], api.clock.now_ms()
    found = await api.pages.write(lambda connection: erasure.unmask(connection, name, now_ms, by))
    if found is None:
        raise no_round()
    _log.warning("a customer's name was shown", by=by, round=name)
    return Body(found)


async def begin_silence(api: Api, asked: Asked) -> Body:
    """Tell nobody for a while."""
    by, why = _by(asked), asked.values["why"]
    now_ms = api.clock.now_ms()
    until_ms = now_ms + asked.values["for"]
    made = await api.pages.write(lambda c: silences.add(c, now_ms, until_ms, why, by))
    _log.warning("a silence begins", by=by, why=why, until_ms=until_ms)
    return Body(made._asdict())


async def end_silence(api: Api, asked: Asked) -> Body:
    """End one now."""
    number = int(asked.values["id"])
    if not await api.pages.write(lambda c: silences.end(c, number, api.clock.now_ms())):
        raise Refusal(404, "no silence of that number is on", "those that are: /api/v1/quiet")
    _log.warning("a silence was ended by hand", number=number)
    return Body({"ended": number})


async def test(api: Api, asked: Asked) -> Rows:
    """Send a person a test message."""
    settings, name = api.service.loaded.settings, asked.values["name"]
    person = settings.people.get(name)
    if person is None:
        people = Phrase("people: {names}", names=", ".join(settings.people) or Phrase("none"))
        known = nearest(name, settings.people, people)
        raise InputError(Phrase("nobody is called {name!r}", name=name[:40]), hint=known)
    rows = await tell(person, settings, api.notifiers(), api.clock, every=asked.values["all"])
    _log.info("a test message", to=name, told=any(row["result"] == "told" for row in rows))
    return Rows(rows)


async def erase(api: Api, asked: Asked) -> Body:
    """Forget what a customer said."""
    customer, shop, now_ms = asked.values["customer"], asked.values["shop"], api.clock.now_ms()
    by = asked.visitor.name or "api"
    done = await api.pages.write(lambda connection: erasure.erase(connection, customer, shop, now_ms, by))
    _log.warning("a customer's words were erased", messages=done.messages, notices=done.notices)
    return Body(done._asdict())


def _by(asked: Asked) -> str:
    """Who does it: as they say, else by the name of their token. Raises InputError."""
    by: Mapping[str, Any] = asked.values
    found = by.get("by") or asked.visitor.name
    if not found:
        raise InputError("by is missing, or no text of 1 to 200 characters", hint='send "by": "…"')
    return str(found)
