"""Intercom: both sides of a conversation from its notifications; its API assigns and leaves notes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

from sanfen.abc import Action, Answer, Call, Direction, Fact, Request, json_object
from sanfen_adapters.channels.intercom.parse import notified, sent
from sanfen_adapters.signatures import HUB_SHA1
from sanfen_adapters.signed import SignedChannel

__all__ = ["IntercomChannel"]

_API = "https://api.intercom.io"


class IntercomChannel(SignedChannel):
    """``secret``: the app's client secret. ``in``: notifications. ``out``: calls of the API.

    ``options``: ``token`` and ``admin``, the id under which steps assign and note; ``api``, another region's.
    """

    name = "intercom"
    scheme = HUB_SHA1
    token_in = ("header:authorization=Bearer ",)

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """The events of a notification; calls are told by their answers. Raises ParseError."""
        return () if direction == "out" else notified(json_object(request.body), self.place(received_ms))

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What a call sent, and by whose token; the notification tells it again, and the two become one."""
        return sent(request, answer, self.place(received_ms)) if direction == "out" else ()

    def can(self, kind: Literal["assign", "note"]) -> bool:  # noqa: ARG002  # one token does both
        """With a token, and in whose name."""
        return bool(self.options.get("token") and self.options.get("admin"))

    def act(self, action: Action) -> Call | None:
        """Assign to ``admin:6``, or leave a note. None without ``token`` and ``admin``, or for no admin of Intercom's."""
        if not self.can(action.kind):
            return None
        path = f"{str(self.options.get('api', _API)).rstrip('/')}/conversations/{quote(action.conversation, safe='')}"
        by = {"type": "admin", "admin_id": str(self.options["admin"])}
        if action.kind == "note":
            return self._call(f"{path}/reply", by | {"message_type": "note", "body": action.text})
        agent = (action.agent or "").removeprefix("admin:")
        if not agent.isdecimal():
            return None
        return self._call(f"{path}/parts", by | {"message_type": "assignment", "assignee_id": agent})

    def _call(self, url: str, body: Mapping[str, Any]) -> Call:
        headers = {
            "authorization": f"Bearer {self.options['token']}", "content-type": "application/json", "user-agent": "sanfen",
        }  # fmt: skip
        return Call("POST", url, headers, json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))
