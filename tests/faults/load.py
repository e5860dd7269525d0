"""Open-loop load, a process of its own: each message leaves at its moment, whatever became of those before it.

Standard input: {"url", "secret", "rate", "timeout_s", "messages": [{"path", "id", "body", "attempt"}]}.
Standard output: for each message its HTTP status (0: none came) and the milliseconds since its moment.
"""

import asyncio
import json
import sys
import time
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import digest
from typing import Any

import aiohttp


def signed(secret: str, message: Mapping[str, Any], body: bytes) -> dict[str, str]:
    """The headers of a delivery, by Standard Webhooks; its attempt among them, so that each can be told apart."""
    stamp = str(int(time.time()))  # noqa: TID251  # the sender's own clock
    mac = b64encode(digest(secret.encode(), f"{message['id']}.{stamp}.".encode() + body, sha256)).decode()
    return {
        "content-type": "application/json",
        "webhook-id": message["id"],
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{mac}",
        "x-attempt": message["attempt"],
    }


async def run(asked: dict[str, Any]) -> list[tuple[int, float]]:
    loop = asyncio.get_running_loop()
    timeout = aiohttp.ClientTimeout(total=asked["timeout_s"])
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=10)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as client:

        async def send(message: dict[str, Any], moment: float) -> tuple[int, float]:
            body = message["body"].encode()
            try:
                headers = signed(asked["secret"], message, body) | {
                    "x-moment": str(moment)
                }  # one clock for all processes
                async with client.post(asked["url"] + message["path"], data=body, headers=headers) as answer:
                    await answer.read()
                    status = answer.status
            except (aiohttp.ClientError, TimeoutError, OSError):
                status = 0
            return status, (loop.time() - moment) * 1000

        sent: list[asyncio.Task[tuple[int, float]]] = []
        start = loop.time() + 0.1
        for number, message in enumerate(
            asked["messages"]
        ):  # one timer at a time: a task for each would begin with a burst
            moment = start + number / asked["rate"]
            if moment > loop.time():
                await asyncio.sleep(moment - loop.time())
            sent.append(asyncio.create_task(send(message, moment)))
        return await asyncio.gather(*sent)


if __name__ == "__main__":
    json.dump(asyncio.run(run(json.load(sys.stdin))), sys.stdout)
