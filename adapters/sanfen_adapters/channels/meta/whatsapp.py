"""WhatsApp Cloud: webhook values, and what Graph API calls sent, as events. Pure.

A customer is known by a phone number (``wa_id``), by a business-scoped id (``user_id``), or by both: whichever comes alone, the
other is its alias.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sanfen.abc import Alias, Answer, Fact, ParseError, Place, Request, dig, json_object, listed
from sanfen_adapters.channels.meta.stamps import caller, stamp

__all__ = ["changes", "sent"]

_NO_MESSAGE = ("reaction", "system", "edit", "unsupported", "request_welcome")
_WORDS = (("button_reply", "title"), ("list_reply", "title"), ("body", "text"), ("body",), ("text",), ("caption",))


def changes(body: Mapping[str, Any], place: Place) -> list[Fact]:
    """The facts of a delivery of the WhatsApp business account. Raises ParseError."""
    out: list[Fact] = []
    for entry in listed(body, "entry"):
        for change in listed(entry, "changes"):
            out += _value(dig(change, "field"), dig(change, "value"), place)
    return out


def sent(request: Request, answer: Answer, place: Place) -> Sequence[Fact]:
    """What a call of the Graph API sent, by whose token: ``VERSION/PHONE_NUMBER_ID/messages``. Raises ParseError."""
    body, said = json_object(request.body), json_object(answer.body)
    to, kind = body.get("to") or body.get("recipient"), body.get("type", "text")
    if not to or kind in _NO_MESSAGE:
        return ()
    number = request.path.split("/")[-2]
    who = dig(_first(said, "contacts"), "wa_id") or dig(_first(said, "contacts"), "user_id") or str(to).lstrip("+")
    told = stamp(body.get("biz_opaque_callback_data"), "biz_opaque_callback_data")
    if told is None:
        told = {"mode": "auto", "rule": "type=template"} if kind == "template" else {"rule": "Graph API call"}
    name = dig(_first(said, "messages"), "id")
    return [place.reply(f"{number}/{who}", name, None, text=_text(body), credential=caller(request), **told)]


def _value(field: Any, value: Any, place: Place) -> Iterator[Fact]:
    number, contact = dig(value, "metadata", "phone_number_id"), _first(value, "contacts")
    if field not in ("messages", "smb_message_echoes") or not isinstance(number, str):
        return
    phone, scoped = contact.get("wa_id"), contact.get("user_id")
    if phone and scoped:
        yield Alias(f"{number}/{scoped}", f"{number}/{phone}")
    for one in listed(value, "messages"):
        yield from _message(one, number, (one.get("from") or phone, scoped), place, typed=False)
    for one in listed(value, "message_echoes"):
        yield from _message(one, number, (one.get("to") or phone, scoped), place, typed=True)
    for one in listed(value, "statuses"):
        told = stamp(one.get("biz_opaque_callback_data"), "biz_opaque_callback_data")
        if told is not None and one.get("status") == "sent":  # all there is of what was sent past us
            talk = f"{number}/{one.get('recipient_id') or scoped}"
            yield place.reply(talk, one.get("id"), one.get("timestamp"), **told)


def _message(
    one: Mapping[str, Any], number: str, names: tuple[Any, Any], place: Place, *, typed: bool
) -> Iterator[Fact]:
    phone, scoped = names
    if not phone and not scoped:
        raise ParseError("a message without wa_id and user_id", hint="look at the body in the log")
    where = (f"{number}/{phone or scoped}", one.get("id"), one.get("timestamp"))
    if one.get("type") == "revoke":
        yield place.recall(*where, message=dig(one, "revoke", "original_message_id"))
    elif one.get("type") not in _NO_MESSAGE and typed:
        yield place.reply(*where, "human", text=_text(one), rule="smb_message_echoes")
    elif one.get("type") not in _NO_MESSAGE:
        who = f"wa:{phone}" if phone else f"bsuid:{scoped}"
        yield place.ask(*where, customer=who, text=_text(one), rule="messages[]")


def _text(message: Mapping[str, Any]) -> Any:
    part = message.get(str(message.get("type", "text")))
    return next(filter(None, (dig(part, *names) for names in _WORDS)), None)


def _first(value: Any, name: str) -> Mapping[str, Any]:
    return next(iter(listed(value, name)), {})
