"""``sanfen say``: a message through a running service, as if a customer or an agent had written it."""

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sanfen.cli.options import running, spoken
from sanfen.errors import Phrase, nearest

if TYPE_CHECKING:  # the command line must not load the service to print its help
    from sanfen.cli.server import Server
    from sanfen.config.settings import ChannelSettings

__all__ = ["command"]

_SIGNED = "generic"  # the adapter whose messages we can write and sign as its channel would
_LOOKS, _LOOK_MS = 40, 100  # a relayed message may be judged a moment after it was passed on


@click.command("say")
@click.argument("text")
@click.option(
    "--from",
    "who",
    default="buyer:me",
    show_default=True,
    metavar="buyer:ID|agent:NAME",
    help="Who says it.",
)
@click.option("--to", "customer", default="me", show_default=True, help="Whose conversation an agent answers in.")
@click.option("--channel", help="Which channel; default: the first of the configuration.")
@click.option("--auto", is_flag=True, help="Marked as an automatic reply, as a platform marks its own.")
@running
def command(config: Path | None, text: str, who: str, customer: str, channel: str | None, auto: bool) -> None:
    """Send a message and see what became of it: the round it opened, or whether the reply counts.

    It goes through the channel's own door, signed, and on to the workflow behind it; where the channel's messages cannot be
    written by us, to /events. Exit 3 if no service answers.
    """
    from sanfen.catalogue import t  # noqa: PLC0415  # loaded only for this verb
    from sanfen.cli.server import server  # noqa: PLC0415

    role, colon, name = who.partition(":")
    if role not in ("buyer", "agent") or not colon or not name:
        raise click.BadParameter(t("usage_who", spoken()), param_hint="--from")
    service = server(config)
    place = _channel(service, channel)
    event = {"id": f"say-{uuid.uuid4().hex[:12]}", "at": service.ask("/api/v1/now")["now_ms"], "text": text}
    if role == "buyer":
        customer = name
        event |= {"from": "customer"}
    else:
        event |= {"from": "merchant", "agent": name, "mode": "auto" if auto else "human"}
    event |= {"conversation": customer, "customer": customer}
    _send(service, place, event)
    click.echo(_outcome(service, place.name if place else "default", event))


def _channel(service: "Server", name: str | None) -> "ChannelSettings | None":
    from sanfen.errors import InputError  # noqa: PLC0415

    channels = service.settings.channels
    if name is None:
        return next(iter(channels.values()), None)
    if name not in channels:
        raise InputError(
            Phrase("{config}: no channel is called {name!r}", config=service.config, name=name),
            hint=nearest(name, channels, Phrase("channels: {names}", names=", ".join(channels))),
        )
    return channels[name]


def _send(service: "Server", channel: "ChannelSettings | None", event: dict[str, Any]) -> None:
    """By the channel's door where we can write what it takes, else as an event of our own."""
    from sanfen.demo.wire import sign  # noqa: PLC0415

    path, signer = "/events", service.settings.channels.get("events")
    if channel is not None and channel.adapter == _SIGNED:
        path, signer = ("/in/" if event["from"] == "customer" else "/out/") + channel.name, channel
    elif channel is not None:
        event = event | {"channel": channel.name}
    body = json.dumps(event, ensure_ascii=False).encode()
    headers = {"content-type": "application/json"}
    if signer is not None and signer.secrets:
        headers |= sign(signer.secrets[0].reveal(), event["id"], event["at"], body)
    service.post(path, body, headers)


def _outcome(service: "Server", channel: str, event: dict[str, Any]) -> str:
    """What the service made of it, in one line."""
    import time  # noqa: PLC0415

    from sanfen.catalogue import t  # noqa: PLC0415

    for _ in range(_LOOKS):
        asked = {"channel": channel, "conversation": event["conversation"], "limit": "1"}
        rows = service.ask("/api/v1/rounds", score_set="live", **asked)["rounds"]
        found = service.ask(f"/api/v1/rounds/{rows[0]['id']}") if rows else None
        said = next((one for one in found["messages"] if one["id"] == event["id"]), None) if found else None
        if found is not None and said is not None:
            return _line(found["round"], said, spoken())
        time.sleep(_LOOK_MS / 1000)
    return t("say_sent", spoken())


def _line(row: dict[str, Any], said: dict[str, Any], language: str) -> str:
    from sanfen.catalogue import t  # noqa: PLC0415
    from sanfen.cli.tables import clock  # noqa: PLC0415
    from sanfen.core.reasons import Reason, sentence  # noqa: PLC0415

    word = t(f"outcome_{row['status']}", language)
    if said["sender"] == "customer":
        due = (row["due"] or "–")[11:19]
        if row["reason"]:
            return f"{row['id']}  {word}  {sentence(Reason(row['reason']), language)}"
        return t("say_asked", language, id=row["id"], outcome=word, due=due)
    verdict = t("verdict_valid" if said["valid"] else "verdict_invalid", language)
    because = [sentence(Reason(said["reason"]), language)] if said["reason"] else []
    because += [said["rule"]] if said["rule"] else []
    waited = clock(row["wait_ms"]) if said["valid"] else ""
    return "  ".join(filter(None, [row["id"], verdict, ", ".join(because), "→", word, waited]))
