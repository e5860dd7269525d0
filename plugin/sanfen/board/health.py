"""Whether it lives, and whether it does its work: for whoever restarts, balances or wakes somebody.

Both answer without a token, and then say no more than that; why it is not ready is told to those who may look.
"""

from aiohttp import web

from sanfen import __version__
from sanfen.board.access import VISITOR
from sanfen.board.api.service import Asks
from sanfen.board.pages import json_answer, language_of
from sanfen.catalogue import Language, t

__all__ = ["Health"]


class Health:
    """The handlers."""

    def __init__(self, service: Asks) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """Where they stand."""
        return [web.get("/healthz", self.lives), web.get("/readyz", self.is_ready)]

    async def lives(self, request: web.Request) -> web.Response:
        """200 as long as anything is answered at all."""
        return json_answer({"status": "ok"} | ({"version": __version__} if VISITOR in request else {}))

    async def is_ready(self, request: web.Request) -> web.Response:
        """200 while deliveries are journaled; 503 with the cause while they are not, or another instance does it."""
        service, may_look = self._service, VISITOR in request
        language: Language = "zh" if language_of(request) == "zh" else "en"
        if service.is_standby:
            return json_answer({"status": "standby", "reason": t("board_standby", language)}, status=503)
        trouble = service.trouble
        if service.db is not None and (trouble is None or trouble.cause is None):
            return json_answer({"status": "ready"})
        facts = trouble._asdict() if trouble is not None and may_look else {}
        return json_answer({"status": "degraded", "reason": t("board_degraded", language)} | facts, status=503)
