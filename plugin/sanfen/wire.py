"""``sanfen.event/1``: the public event, one flat JSON object or CSV row, to and from the core's events.

The field table is in docs/events.md. Reading is strict about what it uses and silent about what it does not know, so a
producer may add columns of its own. A naive time is refused unless a time zone is given with the file.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from sanfen.core.events import (
    CUSTOMER_TYPES,
    STORE_STATES,
    Close,
    Escalate,
    Event,
    Evidence,
    Handoff,
    Key,
    Message,
    Mode,
    Order,
    Recall,
    Release,
    Sender,
    Snooze,
    Store,
    Tag,
    Take,
    Transfer,
)
from sanfen.errors import ParseError, Phrase

__all__ = ["FIELDS", "event_fields", "instant_text", "parse_instant", "read_event", "system_fields"]

FIELDS = (
    "id", "at", "shop", "channel", "conversation", "customer", "from", "agent", "mode", "bot", "customer_type", "text",
    "tags", "event", "to", "state", "tag", "message", "order", "stage", "amount", "until", "evidence", "rule", "credential",
)  # fmt: skip
"""Every field of ``sanfen.event/1``, in the order of a CSV written by us."""

_KINDS = (
    "transfer", "handoff", "close", "store", "tag", "recall", "order", "take", "snooze", "release", "escalate",
)  # fmt: skip
_ACTS: dict[str, type[Take | Release | Escalate]] = {"take": Take, "release": Release, "escalate": Escalate}
_STAGES = ("created", "paid", "received")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = 631_152_000_000  # 1990-01-01
_LAST_MS = 4_102_444_800_000  # 2100-01-01
_LONGEST = 512
_SECONDS = tuple(f":{number:02d}" for number in range(60))  # formatting a number takes longer than finding its text
_MILLISECONDS = tuple(f".{number:03d}" for number in range(1000))
_MODES, _EVIDENCE, _TYPES = tuple(Mode), tuple(Evidence), tuple(sorted(CUSTOMER_TYPES))
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_LEAP = re.compile(r":60(\.[0-9]+)?(?=$|[+\-Zz])")


def parse_instant(value: Any, zone: tzinfo | None = None, name: str = "at") -> int:
    """Epoch milliseconds of an RFC 3339 text with offset, or of an integer that is epoch milliseconds.

    ``zone``: for texts without an offset; without it they are refused. A leap second is the last millisecond of its
    minute. ``name``: of the field, for errors. Raises ParseError.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ParseError(Phrase("{name} is not a time: {value}", name=name, value=_short(value)), hint=_time_hint(zone))
    if isinstance(value, int) or _INTEGER.fullmatch(value.strip()):
        at_ms = int(value)
        if 0 <= at_ms < 100_000_000_000:
            raise ParseError(
                Phrase("{name} looks like seconds: {value}", name=name, value=_short(value)),
                hint="write epoch milliseconds, or RFC 3339",
            )
    else:
        at_ms = _parse_text(value.strip(), zone, name)
    if not _FIRST_MS <= at_ms < _LAST_MS:
        raise ParseError(
            Phrase("{name} lies outside 1990 to 2100: {value}", name=name, value=_short(value)), hint=_time_hint(zone)
        )
    return at_ms


def _time_hint(zone: tzinfo | None) -> str:
    if zone is None:
        return Phrase("write RFC 3339 with offset (2026-01-31T10:00:00+08:00), or epoch milliseconds")
    return Phrase("write 2026-01-31T10:00, or with an offset: 2026-01-31T10:00:00+08:00")


def _parse_text(text: str, zone: tzinfo | None, name: str) -> int:
    try:
        moment = datetime.fromisoformat(_LEAP.sub(":59.999", text).replace("/", "-"))
    except ValueError:
        raise ParseError(
            Phrase("{name} is not a time: {text}", name=name, text=_short(text)), hint=_time_hint(zone)
        ) from None
    if moment.tzinfo is None:
        if zone is None:
            raise ParseError(
                Phrase("{name} has no UTC offset: {text}", name=name, text=_short(text)),
                hint="add one (2026-01-31T10:00:00+08:00), or say which zone is meant: --tz Asia/Shanghai",
            )
        moment = moment.replace(tzinfo=zone)
    try:
        return (moment.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)
    except OverflowError:
        raise ParseError(
            Phrase("{name} lies outside 1990 to 2100: {text}", name=name, text=_short(text)), hint=_time_hint(zone)
        ) from None


def instant_text(at_ms: int | None, zone: tzinfo = UTC) -> str | None:
    """RFC 3339 with offset in a zone; milliseconds only where there are any."""
    if at_ms is None:
        return None
    minute, rest_ms = divmod(at_ms, 60_000)
    head, tail = _minute_text(minute, zone)
    second, rest_ms = divmod(rest_ms, 1000)
    return head + _SECONDS[second] + (_MILLISECONDS[rest_ms] if rest_ms else "") + tail


@lru_cache(maxsize=8192)
def _minute_text(minute: int, zone: tzinfo) -> tuple[str, str]:
    """A minute up to its seconds, and its offset: most instants of a service are near each other."""
    local = (_EPOCH + timedelta(minutes=minute)).astimezone(zone)
    text = local.isoformat(timespec="seconds")
    return text[:16], text[19:]


def read_event(
    fields: Mapping[str, Any], *, shop: str = "default", channel: str = "default", zone: tzinfo | None = None
) -> Event:
    """The event of one ``sanfen.event/1`` object. ``shop`` and ``channel`` stand where the object names none.

    An id that is absent is derived from the content. Raises ParseError with the field, what is wrong and the mend.
    """
    sender = _text(fields, "from")
    if sender not in ("customer", "merchant", "system"):
        raise ParseError(_unknown("from", sender), hint="write customer, merchant or system")
    if "at" not in fields or fields["at"] in (None, ""):
        raise ParseError("at is missing", hint=_time_hint(zone))
    at_ms = parse_instant(fields["at"], zone)
    kind = _text(fields, "event")
    conversation, customer = _text(fields, "conversation"), _text(fields, "customer")
    if conversation is None and customer is None and kind != "store":
        raise ParseError(
            "conversation and customer are both missing", hint="give one of them; the other defaults to it"
        )
    key = Key(_text(fields, "shop") or shop, _text(fields, "channel") or channel, conversation or customer or "")
    name = _text(fields, "id") or _derived_id(fields, at_ms, key)
    if sender == Sender.system:
        return _system(fields, at_ms, key, name, kind)
    if kind is not None:
        raise ParseError(Phrase("event: {kind} needs from: system", kind=kind), hint="a message has no event field")
    return _message(fields, at_ms, key, name, sender, customer or conversation or "")


def _message(fields: Mapping[str, Any], at_ms: int, key: Key, name: str, sender: str, customer: str) -> Message:
    mode = _choice(fields, "mode", _MODES, Mode.unknown)
    evidence = _choice(fields, "evidence", _EVIDENCE, Evidence.none if mode == Mode.unknown else Evidence.field)
    return Message(
        at_ms,
        key,
        name,
        sender,
        customer,
        mode=mode if sender == Sender.merchant else Mode.unknown,
        agent=_text(fields, "agent") if "agent" in fields else None,
        bot=_text(fields, "bot") if "bot" in fields else None,
        customer_type=_choice(fields, "customer_type", _TYPES, "buyer"),
        text=_text(fields, "text", longest=None),
        tags=_tags(fields.get("tags")),
        evidence=evidence if sender == Sender.merchant else Evidence.none,
        credential=_text(fields, "credential") if "credential" in fields else None,
        rule=_text(fields, "rule") if "rule" in fields else None,
    )


def _system(fields: Mapping[str, Any], at_ms: int, key: Key, name: str, kind: str | None) -> Event:
    match kind:
        case "transfer":
            return Transfer(at_ms, key, name, _text(fields, "agent"), _text(fields, "to"))
        case "handoff":
            return Handoff(at_ms, key, name)
        case "close":
            return Close(at_ms, key, name)
        case "store":
            state = _text(fields, "state")
            if state not in STORE_STATES:
                raise ParseError(
                    _unknown("state", state), hint=Phrase("write {names}", names=", ".join(sorted(STORE_STATES)))
                )
            return Store(at_ms, key, name, state)
        case "tag":
            return Tag(at_ms, key, name, _needed(fields, "tag", kind))
        case "recall":
            return Recall(at_ms, key, name, _needed(fields, "message", kind))
        case "order":
            stage = _text(fields, "stage")
            if stage not in _STAGES:
                raise ParseError(_unknown("stage", stage), hint=Phrase("write {names}", names=", ".join(_STAGES)))
            return Order(at_ms, key, name, _needed(fields, "order", kind), stage, _amount(fields.get("amount")))
        case "take" | "release" | "escalate":
            return _ACTS[kind](at_ms, key, name, _text(fields, "agent"))
        case "snooze":
            until_ms = parse_instant(fields.get("until"), name="until")
            return Snooze(at_ms, key, name, _text(fields, "agent"), until_ms)
        case _:
            raise ParseError(
                _unknown("event", kind), hint=Phrase("from: system needs event: {names}", names=", ".join(_KINDS))
            )


def event_fields(event: Event) -> dict[str, Any]:
    """The ``sanfen.event/1`` object of an event, without empty fields; ``read_event`` gives the event back."""
    key = event.key
    out: dict[str, Any] = {"id": event.id, "at": event.at_ms, "shop": key.shop, "channel": key.channel}
    if key.conversation:
        out["conversation"] = key.conversation
    if isinstance(event, Message):
        out |= {"customer": event.customer, "from": event.sender, "agent": event.agent, "bot": event.bot}
        if event.sender == Sender.merchant:
            out |= {"mode": event.mode, "evidence": event.evidence}
        if event.customer_type != "buyer":
            out["customer_type"] = event.customer_type
        out |= {
            "rule": event.rule,
            "credential": event.credential,
            "text": event.text,
            "tags": list(event.tags) or None,
        }
    else:
        out |= {"from": "system", "event": type(event).__name__.lower()}
        out |= system_fields(event)
    return {name: str(value) if isinstance(value, str) else value for name, value in out.items() if value is not None}


def system_fields(event: Event) -> dict[str, Any]:
    """What a system event says besides when and where, under the names of ``sanfen.event/1``."""
    return {k.removesuffix("_ms"): v for k, v in event._asdict().items() if k not in ("at_ms", "key", "id")}


def _text(fields: Mapping[str, Any], name: str, longest: int | None = _LONGEST) -> str | None:
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ParseError(
            Phrase("{name} is not a text: {value}", name=name, value=_short(value)),
            hint=Phrase("write {name} as a JSON string", name=name),
        )
    if longest is not None and len(value) > longest:
        raise ParseError(
            Phrase("{name} is longer than {longest} characters", name=name, longest=longest),
            hint="shorten it, or send a hash of it",
        )
    return _sound(value)


def _sound(value: str) -> str:
    """The text as a database can keep it: no lone surrogate, no NUL."""
    sound = value if value.isascii() else value.encode("utf-8", "replace").decode()
    return sound.replace("\0", "\ufffd") if "\0" in sound else sound


def _needed(fields: Mapping[str, Any], name: str, kind: str) -> str:
    value = _text(fields, name)
    if value is None:
        raise ParseError(
            Phrase("{name} is missing", name=name), hint=Phrase("event: {kind} needs {name}", kind=kind, name=name)
        )
    return value


def _choice(fields: Mapping[str, Any], name: str, known: tuple[str, ...], default: str) -> str:
    value = _text(fields, name) if name in fields else None
    if value is None:
        return default
    if value not in known:
        raise ParseError(_unknown(name, value), hint=Phrase("write one of {names}", names=", ".join(known)))
    return value


def _tags(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return tuple(part for part in re.split(r"[,;\s]+", _sound(value)) if part)
    if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
        parts = (part.strip() for tag in value for part in _sound(tag).split(","))  # a comma parts tags, here as there
        return tuple(part for part in parts if part)
    raise ParseError(
        Phrase("tags is not a list of texts: {value}", value=_short(value)), hint='write ["spam"], or in CSV spam,ad'
    )


def _amount(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not _INTEGER.fullmatch(str(value)):
        raise ParseError(
            Phrase("amount is not a whole number: {value}", value=_short(value)),
            hint="give it in the minor unit (分, cents)",
        )
    return int(value)


def _derived_id(fields: Mapping[str, Any], at_ms: int, key: Key) -> str:
    """An id from the content: the same row read twice is the same event."""
    kept = {name: fields[name] for name in FIELDS if name in fields and name not in ("at", "id")}
    material = json.dumps([at_ms, key, kept], sort_keys=True, default=str)
    return "h" + hashlib.blake2b(material.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _unknown(name: str, value: Any) -> str:
    if value is None:
        return Phrase("{name} is missing", name=name)
    return Phrase("{name} is not known: {value}", name=name, value=_short(value))


def _short(value: Any) -> str:
    text = repr(value)
    return (text if len(text) <= 60 else text[:57] + "…").encode("utf-8", "replace").decode()
