"""The same bot on Starlette (or FastAPI) and httpx.

TELEGRAM_TOKEN=… TELEGRAM_SECRET_TOKEN=… uvicorn --factory examples.starlette_bot:build
"""

import os
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sanfen.embed import EmbeddedASGI

TOKEN = os.environ.get("TELEGRAM_TOKEN", "")
API = os.environ.get("TELEGRAM_API", "https://api.telegram.org")


def build(config: str = "examples/embedded.yaml") -> EmbeddedASGI:
    """The application."""

    async def hook(request: Request) -> Response:
        message: dict[str, Any] = (await request.json()).get("message") or {}
        if "text" in message:
            call = {"chat_id": message["chat"]["id"], "text": "您好，马上有人来。"}
            async with httpx.AsyncClient(event_hooks=app.embedded.hooks()) as client:
                (await client.post(f"{API}/bot{TOKEN}/sendMessage", json=call)).json()
        return Response()

    app = EmbeddedASGI(Starlette(routes=[Route("/hook", hook, methods=["POST"])]), config, channel="tg", route="/hook")
    return app
