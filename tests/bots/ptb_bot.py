"""A bot on python-telegram-bot, polling or by webhook. Nothing in it knows of sanfen: only its base address is another."""

import os

from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters


async def answer(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.message is not None
    await update.message.reply_text(f"收到 {update.message.text}")


app = Application.builder().token("111:ptb").base_url(os.environ["BASE"] + "/bot").build()
app.add_handler(MessageHandler(filters.TEXT, answer))
if "BY_WEBHOOK" in os.environ:
    port, hook = int(os.environ["PORT"]), os.environ["HOOK"]
    app.run_webhook(port=port, url_path="hook", webhook_url=hook, secret_token="s3cret-TOKEN_1")
else:
    app.run_polling(poll_interval=0.0, timeout=1)
