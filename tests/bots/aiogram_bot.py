"""A bot on aiogram, by webhook. Nothing in it knows of sanfen: only the Bot API's address is another."""

import os

from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler, setup_application
from aiohttp import web

SECRET = "s3cret-TOKEN_1"
dispatcher = Dispatcher()


@dispatcher.message()
async def answer(message: Message) -> None:
    await message.answer(f"收到 {message.text}")


@dispatcher.startup()
async def register(bot: Bot) -> None:
    await bot.set_webhook(os.environ["HOOK"], secret_token=SECRET)


session = AiohttpSession(api=TelegramAPIServer.from_base(os.environ["BASE"]))
bot = Bot("111:ptb", session=session)
app = web.Application()
background = os.environ.get("IN_ANSWER") is None
SimpleRequestHandler(dispatcher, bot, handle_in_background=background, secret_token=SECRET).register(app, path="/hook")
setup_application(app, dispatcher, bot=bot)
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)
