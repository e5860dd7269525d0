"""Bots that answer in the HTTP answer, or call back: Rasa, Dify, Botpress, Bot Framework. Always a bot's words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sanfen.abc import Answer, Direction, Fact, Here, Proof, Request, Tap, VerifyError, json_object
from sanfen_adapters.channels.botengine.parse import Streamed, answers, asked, said
from sanfen_adapters.signatures import BEARER, check
from sanfen_adapters.signed import SignedChannel

__all__ = ["BotEngineChannel"]

_TOKEN = BEARER._replace(name="token in the query", signature="query:token", prefix="")


class BotEngineChannel(SignedChannel):
    """``in``: what is asked of the bot; its answer is the message. ``out``: what it sends by calls of its own."""

    name = "botengine"

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``secret``: the bearer token, or the ``token`` of the query, that requests carry.

        ``options``: ``bot``, its name in figures; ``rewrite_service_url``, for a bot of the Bot Framework that nobody signs to.
        """
        super().__init__(shop, channel, secrets, options)
        self._bot = str(options["bot"]) if options.get("bot") else None
        self._rewrites = str(options.get("rewrite_service_url", "false")).lower() == "true"

    def verify(self, request: Request, direction: Direction, now_ms: int) -> Proof | None:  # noqa: ARG002  # both alike
        """A bearer token, or one in the query, as Rasa has it. Raises VerifyError."""
        if not self._signed:
            return None
        try:
            return check(BEARER, request, self._keys, now_ms)
        except VerifyError:
            if request.headers.get("authorization", "").startswith("Bearer "):
                raise
            return check(_TOKEN, request, self._keys, now_ms)

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """The question; or what the bot says by a call of its own. Raises ParseError."""
        place = self.place(received_ms)
        return asked(request, place) if direction == "in" else said(request, place, self._bot)

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """The bot's words; or the id of what it sent."""
        return answers(request, answer, self.place(received_ms), self._bot, out=direction == "out")

    def tap(self, request: Request, answer: Answer, direction: Direction) -> Tap | None:
        """Dify's stream; its first token is when the bot answered."""
        if direction == "in" and answer.headers.get("content-type", "").startswith("text/event-stream"):
            return Streamed(request, self.place(0), self._bot)
        return None

    def rewrite(self, request: Request, direction: Direction, here: Here) -> Request | None:
        """``serviceUrl`` becomes ours, so that the bot's answers pass through us; where the options want it."""
        if not self._rewrites or direction != "in":
            return None
        body = json_object(request.body)
        if not isinstance(body.get("serviceUrl"), str):
            return None
        changed = body | {"serviceUrl": here.outward + "/"}
        return request._replace(body=json.dumps(changed, ensure_ascii=False).encode("utf-8", "replace"))
