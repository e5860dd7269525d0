"""The Bot API's updates, calls and answers as events. Pure.

A plain bot sees customers only, and what it sends itself. In a Business chat the message says who wrote it, asked in this
order: ``sender_business_bot`` is a bot, ``is_from_offline`` an away message, a greeting or a scheduled one, ``from`` being
the chat itself the customer; whoever else writes there is a person of the shop. In a group nobody says which side somebody
is from: the directory does.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from sanfen.abc import Answer, Event, Fact, Message, ParseError, Place, Request, dig, each, fingerprint, json_object

__all__ = ["CALL", "fields_of", "replied", "sent", "update"]

CALL = re.compile(r"(?:file/)?bot([0-9]{1,20}):([A-Za-z0-9_-]{1,100})/(?:test/)?([A-Za-z]{2,60}|.*)")
_FIELD = re.compile(rb'name="?([a-z_]+)"?(?:;[^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n(.*?)\r\n--', re.DOTALL)
_SAID = frozenset(
    {
        "text", "caption", "photo", "voice", "video", "video_note", "audio", "document", "sticker", "animation", "location",
        "venue", "contact", "poll", "dice", "story", "game", "invoice", "paid_media", "checklist",
    }
)  # fmt: skip
_STAND_INS = (1087968824, 136817688)  # GroupAnonymousBot, Channel_Bot: whom Telegram names where a chat speaks
_SENDING = re.compile(r"send(?!chataction)[a-z]+|copymessages?|forwardmessages?")


class Bot(NamedTuple):
    """Whose token stands in a call's path."""

    id: str
    token: str


def update(body: Mapping[str, Any], place: Place) -> Sequence[Event]:
    """The events of one update; none for edits, posts of channels, queries and what else is no message. Raises ParseError."""
    message = body.get("message")
    if isinstance(message, dict):
        return _plain(message, place) if _SAID & message.keys() else ()
    message = body.get("business_message")
    if isinstance(message, dict):
        return [_business(message, place)] if _SAID & message.keys() else ()
    gone = body.get("deleted_business_messages")
    if isinstance(gone, dict):
        talk, names = _talk(gone), gone.get("message_ids")
        update_id = body.get("update_id")
        return [
            place.recall(talk, f"{update_id}.{name}", None, message=name)
            for name in (names if isinstance(names, list) else ())
        ]
    return ()


def sent(request: Request, answer: Answer, place: Place) -> Sequence[Fact]:
    """What a call of the Bot API told: its own message, or the updates it fetched."""
    found = CALL.fullmatch(request.path)
    if found is None or not answer.is_good or request.path.startswith("file/"):
        return ()
    method = found[3].lower()
    if method == "getupdates":
        result = json_object(answer.body).get("result")
        updates = [one for one in result if isinstance(one, dict)] if isinstance(result, list) else []
        return each(updates, lambda one: update(one, place))
    if not _SENDING.fullmatch(method):
        return ()
    told = json_object(answer.body)
    said = told.get("result", {}) if told.get("ok", True) else None
    results = [one for one in (said if isinstance(said, list) else [said]) if isinstance(one, dict)]
    given = fields_of(request.headers, request.body) if results else {}
    given = dict(parse_qsl(request.query)) | given
    return [_own(one, given, Bot(found[1], f"{found[1]}:{found[2]}"), place) for one in results]


def replied(answer: Answer, place: Place) -> Sequence[Event]:
    """A method call in a bot's answer to its webhook. Telegram tells nobody the id of what it sends so."""
    if not answer.body or not answer.is_good:
        return ()
    try:
        given = fields_of(answer.headers, answer.body)
    except ParseError:
        return ()  # an answer that says nothing to Telegram either
    method = str(given.get("method", "")).lower()
    if not _SENDING.fullmatch(method) or given.get("chat_id") in (None, ""):
        return ()
    talk, text = _talk(given), given.get("text") or given.get("caption")
    return [place.reply(talk, None, None, "bot", text=text, evidence="credential", rule="answer to the webhook")]


def fields_of(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The fields of a call, in any of the forms the Bot API takes. Raises ParseError."""
    kind = headers.get("content-type", "").partition(";")[0].strip()
    if kind == "multipart/form-data":
        pairs = _FIELD.findall(body)
        return {name.decode(): value.decode("utf-8", "replace") for name, value in pairs if len(value) < 1 << 16}
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=None))
    return json_object(body)


def _plain(message: Mapping[str, Any], place: Place) -> Sequence[Message]:
    where = (_talk(message), message.get("message_id"), message.get("date"))
    text, sender = message.get("text") or message.get("caption"), dig(message, "from")
    if message.get("is_automatic_forward"):  # a post of the channel that the group belongs to
        return [place.reply(*where, "broadcast", text=text, rule="is_automatic_forward")]
    if dig(message, "sender_chat") and dig(sender, "id") in _STAND_INS:
        return _as_chat(message, where, text, place)
    if dig(sender, "is_bot"):
        return [
            place.reply(
                *where, "bot", text=text, bot=f"bot:{dig(sender, 'id')}", rule="update.message,from.is_bot=true"
            )
        ]
    if dig(sender, "id") is None:
        return [place.reply(*where, text=text, rule="update.message,no from")] if dig(message, "sender_chat") else ()
    name, rule = f"user:{sender['id']}", "update.message,from.is_bot=false"
    if dig(message, "chat", "type") == "private":
        return [place.ask(*where, customer=name, text=text, rule=rule)]
    return [place.somebody(*where, name, text=text, rule=rule)]


def _as_chat(message: Mapping[str, Any], where: tuple[Any, Any, Any], text: Any, place: Place) -> Sequence[Message]:
    """What stands under the name of a chat: of the group itself its administrators', who they are nobody says."""
    name = dig(message, "sender_chat", "id")
    if name == dig(message, "chat", "id"):
        return [place.reply(*where, text=text, rule="update.message,sender_chat.id==chat.id")]
    return [place.somebody(*where, f"chat:{name}", text=text, rule="update.message,sender_chat")]


def _business(message: Mapping[str, Any], place: Place) -> Message:
    where = (_talk(message), message.get("message_id"), message.get("date"))
    text, sender = message.get("text") or message.get("caption"), dig(message, "from", "id")
    bot = dig(message, "sender_business_bot", "id")
    name = None if sender is None else f"user:{sender}"
    if bot is not None:
        return place.reply(*where, "bot", text=text, bot=f"bot:{bot}", rule="sender_business_bot")
    if message.get("is_from_offline"):
        return place.reply(*where, "auto", text=text, agent=name, rule="is_from_offline")
    if sender is not None and sender == dig(message, "chat", "id"):
        return place.ask(*where, customer=name, text=text, rule="business_message,from.id==chat.id")
    mode = "unknown" if sender is None else "human"
    return place.reply(*where, mode, text=text, agent=name, rule="business_message,from.id!=chat.id")


def _own(result: Mapping[str, Any], given: Mapping[str, Any], bot: Bot, place: Place) -> Message:
    talk = _talk(result) if "chat" in result else _talk(given)
    text = result.get("text") or result.get("caption") or given.get("text") or given.get("caption")
    return place.reply(
        talk, result.get("message_id"), result.get("date"), "bot", text=text, bot=f"bot:{bot.id}",
        credential=fingerprint(bot.token), evidence="credential", rule="outgoing Bot API call",
    )  # fmt: skip


def _talk(facts: Mapping[str, Any]) -> str:
    chat = dig(facts, "chat", "id") if "chat" in facts else facts.get("chat_id")
    if isinstance(chat, bool) or not isinstance(chat, int | str) or chat == "":
        raise ParseError("a chat's id is missing", hint="this is not what Telegram sends: look at the body in the log")
    business = facts.get("business_connection_id")
    return f"{business}/{chat}" if isinstance(business, str) and business else str(chat)
