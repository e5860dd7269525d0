"""Pages of ``sync_msg``, and calls that send, as events. Pure.

``origin`` says who: 3 the customer, 5 a person in the WeCom client (``servicer_userid``), 4 the system. What a program sends
by the interface is not in any page: only the call tells it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sanfen.abc import (
    Alias,
    Answer,
    Event,
    Fact,
    ParseError,
    Place,
    Request,
    dig,
    each,
    fingerprint,
    json_object,
    listed,
)

__all__ = ["page", "sent"]

_DAY_MS = 86_400_000
_GIVEN = (1, 2, 4)  # taken from the pool, passed on, taken up again
_ENDED = 3


def page(body: Mapping[str, Any], place: Place) -> list[Fact]:
    """The facts of one page; what cannot be read is said beside them, lest it hold up all that comes after. Raises ParseError."""
    return each(listed(body, "msg_list"), lambda one: _message(one, place), or_raise=False)


def sent(request: Request, answer: Answer, place: Place, bot: str | None) -> Sequence[Fact]:
    """What a call told, after the platform took it: a message, or a page the workflow fetched itself."""
    said = json_object(answer.body)
    if not answer.is_good or said.get("errcode", 0) != 0:
        return ()
    if request.path == "cgi-bin/kf/sync_msg":
        return page(said, place)
    body = json_object(request.body)
    if request.path == "cgi-bin/kf/service_state/trans":
        return _given(body, place)
    if request.path not in ("cgi-bin/kf/send_msg", "cgi-bin/kf/send_msg_on_event"):
        return ()
    name = said.get("msgid") or body.get("msgid")
    rule = f"{request.path.removeprefix('cgi-bin/')} call"
    if "code" in body:  # a welcome or a farewell: whose, the page that gave the code has told
        return [place.reply(_code(body["code"]), name, None, "auto", text=_text(body), rule=rule)]
    talk = f"{body.get('open_kfid')}/{body.get('touser')}"
    return [place.reply(talk, name, None, "bot", text=_text(body), bot=bot, evidence="credential", rule=rule)]


def _given(body: Mapping[str, Any], place: Place) -> Sequence[Event]:
    """What a program did with a conversation: the pages tell only what people do in the client."""
    talk = f"{body.get('open_kfid')}/{body.get('external_userid')}"
    match body.get("service_state"):
        case 2:
            return [place.handoff(talk, None, None)]
        case 3:
            return [place.transfer(talk, None, None, to=body.get("servicer_userid") or None)]
        case 4:
            return [place.close(talk, None, None)]
        case _:
            return ()


def _message(one: Mapping[str, Any], place: Place) -> Iterator[Fact]:
    if one.get("msgtype") == "event":
        yield from _event(one, place)
        return
    talk, name, at = f"{one.get('open_kfid')}/{one.get('external_userid')}", one.get("msgid"), one.get("send_time")
    rule, text = f"origin={str(one.get('origin'))[:8]}", _text(one)
    match one.get("origin"):
        case 3:
            yield place.ask(talk, name, at, customer=one.get("external_userid"), text=text, rule=rule)
        case 5:
            yield place.reply(talk, name, at, "human", agent=one.get("servicer_userid"), text=text, rule=rule)
        case 4:
            yield place.reply(talk, name, at, "auto", text=text, rule=rule)
        case _:
            yield place.reply(talk, name, at, text=text, rule=rule)


def _event(one: Mapping[str, Any], place: Place) -> Iterator[Alias | Event]:
    event = dig(one, "event")
    if not isinstance(event, dict):
        raise ParseError("an event of the page is no object", hint="look at the body in the log")
    talk, name, at = f"{event.get('open_kfid')}/{event.get('external_userid')}", one.get("msgid"), one.get("send_time")
    kind = event.get("event_type")
    for code in (event.get("welcome_code"), event.get("msg_code")):
        if code:
            yield Alias(_code(code), talk, _DAY_MS)
    if kind == "session_status_change":
        change = event.get("change_type")
        if change in _GIVEN:
            before = event.get("old_servicer_userid") or None
            yield place.transfer(talk, name, at, agent=before, to=event.get("new_servicer_userid") or None)
        elif change == _ENDED:
            yield place.close(talk, name, at)
    elif kind in ("user_recall_msg", "servicer_recall_msg"):
        yield place.recall(talk, name, at, message=event.get("recall_msgid"))


def _text(message: Mapping[str, Any]) -> Any:
    return dig(message, "text", "content") or dig(message, "msgmenu", "head_content")


def _code(code: Any) -> str:
    """What stands for the conversation in a call that names only the code; a code sends, so it is not kept."""
    return fingerprint(str(code)).replace("token:", "code:")
