"""A Telegram bot on aiohttp, with sanfen inside: one line hears what comes in, the tracing hook what goes out.

    pip install sanfen
    TELEGRAM_TOKEN=… TELEGRAM_SECRET_TOKEN=… python examples/telegram_bot.py examples/embedded.yaml

The board is at http://127.0.0.1:8971. Without the two lines that name sanfen it is the same bot.
"""

import os
import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, web

from sanfen.embed import embed

TOKEN = os.environ["TELEGRAM_TOKEN"]
API = os.environ.get("TELEGRAM_API", "https://api.telegram.org")
CLIENT = web.AppKey("client", ClientSession)


async def hook(request: web.Request) -> web.Response:
    """A customer's message: say that somebody will come."""
    message = (await request.json()).get("message") or {}
    if "text" in message:
        call = {"chat_id": message["chat"]["id"], "text": "您好，马上有人来。"}
        async with request.app[CLIENT].post(f"{API}/bot{TOKEN}/sendMessage", json=call) as answer:
            await answer.json()
    return web.Response()


def build(config: str) -> web.Application:
    """The application."""
    app = web.Application()
    app.router.add_post("/hook", hook)
    embedded = embed(app, config, channel="tg", route="/hook")  # sanfen hears what comes in

    async def client(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession(trace_configs=[embedded.outgoing()]) as session:  # and what goes out
            app[CLIENT] = session
            yield

    app.cleanup_ctx.append(client)
    return app


if __name__ == "__main__":
    web.run_app(build(sys.argv[1]), host="127.0.0.1", port=int(os.environ.get("PORT", "8443")))
