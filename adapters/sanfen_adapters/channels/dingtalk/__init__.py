"""DingTalk robots: what is said to the robot comes by its callback; its answers go to an address that becomes ours."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sanfen.abc import (
    Alias,
    Answer,
    Direction,
    Fact,
    Here,
    Request,
    dig,
    fingerprint,
    json_object,
    listed,
)
from sanfen_adapters.signatures import DINGTALK
from sanfen_adapters.signed import SignedChannel

__all__ = ["DingtalkChannel"]

_SESSION, _GROUP = "robot/sendBySession", "v1.0/robot/groupMessages/send"


class DingtalkChannel(SignedChannel):
    """``secret``: the app's secret. The signature does not cover the body: only over HTTPS.

    ``options``: ``bot``, the robot's name in figures; ``rewrite_session_webhook``, so that answers pass through us.
    """

    name = "dingtalk"
    scheme = DINGTALK
    token_in = ("header:x-acs-dingtalk-access-token", "query:session")

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """A message, and its session as another name of the conversation. Raises ParseError."""
        body = json_object(request.body) if direction == "in" else {}
        talk, session = body.get("conversationId"), _session(body.get("sessionWebhook"))
        if not body.get("msgId"):
            return ()
        out: list[Fact] = [Alias(session, str(talk))] if session and talk else []
        staff = body.get("senderStaffId")
        rule = "senderStaffId" if staff else "senderId"
        where = (talk, body["msgId"], body.get("createAt"))
        out.append(self.place(received_ms).somebody(*where, staff or body.get("senderId"), text=_text(body), rule=rule))
        return out

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What the robot answered."""
        if direction == "in" or not answer.is_good or request.path not in (_SESSION, _GROUP):
            return ()
        body, said = json_object(request.body), json_object(answer.body)
        if request.path == _SESSION:
            talk = _session(f"?{request.query}")
            name = None
            text = dig(body, "text", "content") or dig(body, "markdown", "text")
            if said.get("errcode", 0) != 0 or not talk:
                return ()
        else:
            talk, name, text = body.get("openConversationId"), said.get("processQueryKey"), None
        told = {"text": text, "bot": self.options.get("bot"), "evidence": "credential", "rule": f"{request.path} call"}
        return [self.place(received_ms).reply(talk, name, None, "bot", **told)]

    def rewrite(self, request: Request, direction: Direction, here: Here) -> Request | None:
        """``sessionWebhook`` becomes ours, where the options want it; nothing signs it."""
        wanted = direction == "in" and str(self.options.get("rewrite_session_webhook", "false")).lower() == "true"
        body = json_object(request.body) if wanted else {}
        address = body.get("sessionWebhook")
        if not isinstance(address, str) or not address:
            return None
        try:
            parts = urlsplit(address)
        except ValueError:
            return None
        ours = f"{here.outward}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        changed = body | {"sessionWebhook": ours}
        return request._replace(body=json.dumps(changed, ensure_ascii=False).encode("utf-8", "replace"))


def _session(address: Any) -> str | None:
    """What stands for the conversation in an answer, which names only the session; a session sends, so it is not kept."""
    found = parse_qs(address.partition("?")[2]).get("session") if isinstance(address, str) else None
    return fingerprint(found[0]).replace("token:", "session:") if found else None


def _text(body: Mapping[str, Any]) -> str | None:
    """What a text says, a voice message as DingTalk heard it, the words of a rich text."""
    found = dig(body, "text", "content") or dig(body, "content", "recognition")
    if body.get("msgtype") == "richText":
        found = "".join(str(one["text"]) for one in listed(body, "content", "richText") if one.get("text"))
    return found.strip() if isinstance(found, str) else None
