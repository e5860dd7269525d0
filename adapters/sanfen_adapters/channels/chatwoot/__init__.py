"""Chatwoot: its webhook tells both sides of a conversation, its API assigns and leaves private notes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

from sanfen.abc import Action, Answer, Call, Direction, Event, Request
from sanfen_adapters.channels.chatwoot.parse import parse, sent
from sanfen_adapters.signatures import CHATWOOT
from sanfen_adapters.signed import SignedChannel

__all__ = ["ChatwootChannel"]


class ChatwootChannel(SignedChannel):
    """``in``: the webhook, signed (servers older than 4.17 do not sign: ``signing: none``). ``out``: calls of its API.

    ``options``: ``api``, the server's address, and ``token``, an agent's, for what steps do there.
    """

    name = "chatwoot"
    scheme = CHATWOOT
    token_in = ("header:api_access_token",)

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """The events of a webhook. A call of the API is told by its answer, which has the message's id."""
        return () if direction == "out" else parse(request, self.place(received_ms))

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Event]:
        """What a call sent, and by whose token; the webhook tells it again, and the two become one."""
        return sent(request, answer, self.place(received_ms)) if direction == "out" else ()

    def can(self, kind: Literal["assign", "note"]) -> bool:  # noqa: ARG002  # one token does both
        """With the server's address and a token."""
        return bool(self.options.get("api") and self.options.get("token"))

    def act(self, action: Action) -> Call | None:
        """Assign to ``user:6``, or leave a private note. None without ``api`` and ``token``, or for no agent of Chatwoot's."""
        api, token = str(self.options.get("api", "")).rstrip("/"), str(self.options.get("token", ""))
        account, _, number = action.conversation.partition("/")
        if not self.can(action.kind) or not number:
            return None
        path = f"{api}/api/v1/accounts/{quote(account, safe='')}/conversations/{quote(number, safe='')}"
        if action.kind == "note":
            return _call(
                f"{path}/messages", token, {"content": action.text, "message_type": "outgoing", "private": True}
            )
        agent = (action.agent or "").removeprefix("user:")
        return (
            _call(f"{path}/assignments", token, {"assignee_id": int(agent)})
            if agent.isdecimal() and agent.isascii()
            else None
        )


def _call(url: str, token: str, body: Mapping[str, Any]) -> Call:
    headers = {"api_access_token": token, "content-type": "application/json", "user-agent": "sanfen"}
    return Call("POST", url, headers, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
