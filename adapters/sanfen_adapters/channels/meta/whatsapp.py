"""WhatsApp Cloud: webhook values, and what Graph API calls sent, as events. Pure.

A customer is known by a phone number (``wa_id``), by a business-scoped id (``user_id``), or by both: whichever comes alone, the
other is its alias.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sanfen.abc import Alias, Answer, Fact, ParseError, Place, Request, dig, each, json_object, listed
from sanfen_adapters.channels.meta.stamps import caller, stamp

__all__ = ["changes", "sent"]

_NO_MESSAGE = ("reaction", "system", "edit", "unsupported", "errors", "request_welcome")
_WORDS = (("button_reply", "title"), ("list_reply", "title"), ("body", "text"), ("body",), ("text",), ("caption",))


def changes(body: Mapping[str, Any], place: Place) -> list[Fact]:
    """The facts of a delivery of the WhatsApp business account. Raises ParseError."""
    found = [change for entry in listed(body, "entry") for change in listed(entry, "changes")]
    return each(found, lambda one: _value(dig(one, "field"), dig(one, "value"), place))


def sent(request: Request, answer: Answer, place: Place) -> Sequence[Fact]:
    """What a call of the Graph API sent, by whose token: ``VERSION/PHONE_NUMBER_ID/messages``. Raises ParseError."""
    body, said = json_object(request.body), json_object(answer.body)
    to, kind = body.get("to") or body.get("recipient"), body.get("type", "text")
    if not to or kind in _NO_MESSAGE:
        return ()
    number = request.path.split("/")[-2]
    contact, message = (next(iter(listed(said, name)), {}) for name in ("contacts", "messages"))
    who = contact.get("wa_id") or contact.get("user_id") or str(to).lstrip("+")
    told = stamp(body.get("biz_opaque_callback_data"), "biz_opaque_callback_data")
    if told is None:
        told = {"mode": "auto", "rule": "type=template"} if kind == "template" else {"rule": "Graph API call"}
    where = (f"{number}/{who}", message.get("id"), None)
    return [place.reply(*where, text=_text(body), credential=caller(request), **told)]


def _value(field: Any, value: Any, place: Place) -> Iterator[Fact]:
    number, contacts = dig(value, "metadata", "phone_number_id"), listed(value, "contacts")
    if field not in ("messages", "smb_message_echoes") or not isinstance(number, str):
        return
    said = [(one, _names(one, "from", contacts)) for one in listed(value, "messages")]
    both = [(contact.get("wa_id"), contact.get("user_id")) for contact in contacts] + [names for _, names in said]
    for phone, scoped in dict.fromkeys((str(phone), str(scoped)) for phone, scoped in both if phone and scoped):
        yield Alias(f"{number}/{scoped}", f"{number}/{phone}")
    yield from each(said, lambda pair: _message(pair[0], number, pair[1], place, typed=False))
    echoes = listed(value, "message_echoes")
    yield from each(echoes, lambda one: _message(one, number, _names(one, "to", contacts), place, typed=True))
    for one in listed(value, "statuses"):
        told = stamp(one.get("biz_opaque_callback_data"), "biz_opaque_callback_data")
        if told is not None and one.get("status") == "sent":  # all there is of what was sent past us
            phone, scoped = _names(one, "recipient", contacts)
            yield place.reply(f"{number}/{phone or scoped}", one.get("id"), one.get("timestamp"), **told)


def _names(one: Mapping[str, Any], key: str, contacts: Sequence[Mapping[str, Any]]) -> tuple[Any, Any]:
    """The customer's number and scoped id: by the message, the other by the contact that has the same, or is the only one."""
    phone, scoped = one.get(key) or one.get(f"{key}_id"), one.get(f"{key}_user_id")
    for contact in contacts:
        its, same = contact.get("wa_id"), contact.get("user_id")
        alone = not phone and not scoped and len(contacts) == 1
        if alone or (phone and phone == its) or (scoped and scoped == same):
            return phone or its, scoped or same
    return phone, scoped


def _message(one: Any, number: str, names: tuple[Any, Any], place: Place, *, typed: bool) -> Iterator[Fact]:
    (phone, scoped), kind = names, one.get("type")
    if not phone and not scoped:
        raise ParseError("a message without wa_id and user_id", hint="look at the body in the log")
    where = (f"{number}/{phone or scoped}", one.get("id"), one.get("timestamp"))
    if kind == "revoke":
        yield place.recall(*where, message=dig(one, "revoke", "original_message_id"))
    elif kind == "system":  # they changed their number, or their scoped id: it goes on as the conversation it was
        for name in (dig(one, "system", "wa_id") or dig(one, "system", "new_wa_id"), dig(one, "system", "user_id")):
            if name and name != (phone or scoped):
                yield Alias(f"{number}/{name}", where[0])
    elif kind not in _NO_MESSAGE and typed:
        yield place.reply(*where, "human", text=_text(one), rule="smb_message_echoes")
    elif kind not in _NO_MESSAGE:
        who = f"wa:{phone}" if phone else f"bsuid:{scoped}"
        yield place.ask(*where, customer=who, text=_text(one), rule="messages[]")


def _text(message: Mapping[str, Any]) -> Any:
    part = message.get(str(message.get("type", "text")))
    return next(filter(None, (dig(part, *names) for names in _WORDS)), None)
