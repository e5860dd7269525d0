"""One HTTP server that speaks as the four group robots do: their paths, their signatures, their codes and words.

Written from the robots' own documents and from answers people have got from them; it shares no line with the senders.
``script`` makes a robot misbehave for the next requests, one word each.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any, NamedTuple

from aiohttp import web

__all__ = ["Robot", "Robots", "open_robots"]

HOUR_MS = 3_600_000


class Rate(NamedTuple):
    most: int
    per_ms: int
    muted_ms: int = 0


class Robot:
    """One robot in one group."""

    def __init__(self, kind: str, token: str, **settings: Any) -> None:
        self.kind = kind  # dingtalk, feishu, lark or wecombot
        self.token = token
        self.secret: str | None = settings.get("secret")
        self.keyword: str | None = settings.get("keyword")
        self.forbidden: str | None = settings.get("forbidden")
        self.only_from: str | None = settings.get("only_from")
        self.rates: list[Rate] = settings.get("rates", [])
        self.now_ms: Callable[[], int] = settings.get("now_ms", lambda: time.time_ns() // 1_000_000)
        self.script: list[str] = []
        self.group: list[dict[str, Any]] = []  # what people in the group see
        self.asked = 0  # requests of any fate
        self.address = ""  # as the configuration names it
        self._times: list[int] = []
        self._muted_until_ms = 0

    def texts(self) -> list[str]:
        return [_text(self.kind, body) for body in self.group]

    def judge(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        """The answer, HTTP 200 whatever it says."""
        try:
            body = json.loads(raw)
            text = _text(self.kind, body)
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._no("malformed")
        if self.only_from is not None and request.remote != self.only_from:
            return self._no("ip")
        if self.secret is not None and not self._is_signed(request, body):
            return self._no("signature")
        if self.keyword is not None and self.keyword not in text:
            return self._no("keyword")
        if self.forbidden is not None and self.forbidden in text:
            return self._no("content")
        if self.kind == "wecombot" and len(text.encode()) > 2048:
            return self._no("long")
        if self._is_too_often():
            return self._no("rate")
        self.group.append(body)
        return _ANSWERS[self.kind]["ok"]

    def _no(self, why: str) -> dict[str, Any]:
        return _ANSWERS[self.kind][why]

    def _is_signed(self, request: web.Request, body: dict[str, Any]) -> bool:
        secret = self.secret or ""
        if self.kind == "dingtalk":
            stamp, sign = request.query.get("timestamp", ""), request.query.get("sign", "")
            age_ms = self.now_ms() - int(stamp or 0)
            mac = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256)
        else:
            stamp, sign = str(body.get("timestamp", "")), str(body.get("sign", ""))
            age_ms = self.now_ms() - int(stamp or 0) * 1000
            mac = hmac.new(f"{stamp}\n{secret}".encode(), digestmod=hashlib.sha256)
        return abs(age_ms) <= HOUR_MS and sign == base64.b64encode(mac.digest()).decode()

    def _is_too_often(self) -> bool:
        now_ms = self.now_ms()
        if now_ms < self._muted_until_ms:
            return True
        for rate in self.rates:
            if sum(now_ms - at_ms < rate.per_ms for at_ms in self._times) >= rate.most:
                self._muted_until_ms = now_ms + rate.muted_ms
                return True
        self._times.append(now_ms)
        return False


class Robots:
    """All robots of a test, found by their token."""

    def __init__(self) -> None:
        self.port = 0
        self.tls_port = 0
        self.authority = b""  # the certificate of whoever vouches for the TLS port, as PEM
        self._robots: dict[str, Robot] = {}
        self._ending = asyncio.Event()

    def add(self, kind: str, **settings: Any) -> Robot:
        robot = Robot(kind, f"{kind}-token-{len(self._robots):04}", **settings)
        self._robots[robot.token] = robot
        robot.address = self.address(robot)
        return robot

    def address(self, robot: Robot, *, tls: bool = False) -> str:
        path = {
            "dingtalk": f"/robot/send?access_token={robot.token}",
            "wecombot": f"/cgi-bin/webhook/send?key={robot.token}",
        }.get(robot.kind, f"/open-apis/bot/v2/hook/{robot.token}")
        host = f"https://localhost:{self.tls_port}" if tls else f"http://127.0.0.1:{self.port}"
        return f"{robot.kind}+{host}{path}"

    def end(self) -> None:
        self._ending.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        token = request.match_info.get("token") or request.query.get("access_token") or request.query.get("key") or ""
        robot = self._robots.get(token)
        if robot is None:
            kind = {"/robot/send": "dingtalk", "/cgi-bin/webhook/send": "wecombot"}.get(request.path, "feishu")
            return web.json_response(_ANSWERS[kind]["token"])
        robot.asked += 1
        fault = robot.script.pop(0) if robot.script else ""
        if fault.isdigit():
            return web.Response(
                status=int(fault), text="upstream trouble", headers={"Location": "/", "Retry-After": "7"}
            )
        if fault == "echo":
            return web.json_response(
                {"errcode": 300001, "code": 19001, "errmsg": f"token {token}", "msg": str(request.url)}
            )
        if fault in _BODIES:
            return web.Response(text=_BODIES[fault], content_type="text/html")
        if fault == "silence":
            await self._ending.wait()
        if fault == "busy":
            return web.json_response({"errcode": -1, "errmsg": "系统繁忙"})
        answer = robot.judge(request, raw)
        if fault == "reset":  # the group has it, the sender never hears of it
            assert request.transport is not None
            request.transport.abort()
        if fault == "stalled":
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b'{"errcode"')
            await self._ending.wait()
            return response
        if fault == "slow":
            await asyncio.sleep(0.2)  # a slow robot, not a way to wait
        return web.json_response(answer, status=400 if fault == "as-400" else 200)


@asynccontextmanager
async def open_robots(tls: SSLContext | None = None) -> AsyncIterator[Robots]:
    robots = Robots()
    app = web.Application()
    for path in ("/robot/send", "/open-apis/bot/v2/hook/{token}", "/cgi-bin/webhook/send"):
        app.router.add_post(path, robots.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    robots.port = runner.addresses[0][1]
    if tls is not None:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        robots.tls_port = runner.addresses[1][1]
    try:
        yield robots
    finally:
        robots.end()
        await runner.cleanup()


def _text(kind: str, body: dict[str, Any]) -> str:
    """What is read in the group. Raises KeyError for what is none of the robot's messages."""
    if kind in ("dingtalk", "wecombot"):
        return str(body["text"]["content"]) if body["msgtype"] == "text" else str(body["markdown"]["content"])
    if body["msg_type"] != "post":
        raise KeyError("msg_type")
    post = body["content"]["post"]["zh_cn"]
    rows = ["".join(str(part.get("text") or part.get("user_id") or "") for part in row) for row in post["content"]]
    return "\n".join([post["title"], *rows])


_MORE = "more info at https://open.work.weixin.qq.com/devtool/query?e="
_FEISHU = {
    "ok": {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"},
    "malformed": {"code": 9499, "msg": "Bad Request", "data": {}},
    "token": {"code": 19001, "data": {}, "msg": "param invalid: incoming webhook access token invalid"},
    "signature": {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"},
    "ip": {"code": 19022, "msg": "Ip Not Allowed"},
    "keyword": {"code": 19024, "data": {}, "msg": "Key Words Not Found"},
    "rate": {"code": 11232, "data": {}, "msg": "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]"},
}
_ANSWERS: dict[str, dict[str, dict[str, Any]]] = {
    "dingtalk": {
        "ok": {"errcode": 0, "errmsg": "ok"},
        "malformed": {"errcode": 40035, "errmsg": "缺少参数 json"},
        "token": {"errcode": 300005, "errmsg": "token is not exist"},
        "signature": {"errcode": 310000, "errmsg": "sign not match, more: [https://ding-doc.dingtalk.com]"},
        "ip": {"errcode": 310000, "errmsg": "ip 127.0.0.1 not in whitelist"},
        "keyword": {"errcode": 310000, "errmsg": "keywords not in content, more: [https://ding-doc.dingtalk.com]"},
        "content": {"errcode": 430102, "errmsg": "含有不合适的文本"},
        "rate": {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"},
    },
    "feishu": _FEISHU,
    "lark": _FEISHU,
    "wecombot": {
        "ok": {"errcode": 0, "errmsg": "ok"},
        "malformed": {"errcode": 40008, "errmsg": f"invalid message type, {_MORE}40008"},
        "token": {"errcode": 93000, "errmsg": f"invalid webhook url, hint: [1653710655], from ip: 127.0.0.1, {_MORE}93000"},
        "long": {"errcode": 40058, "errmsg": "text.content exceed max length 2048. invalid Request Parameter"},
        "rate": {"errcode": 45009, "errmsg": f"api freq out of limit, hint: [1653710540], from ip: 127.0.0.1, {_MORE}45009"},
    },
}  # fmt: skip
_BODIES = {
    "html": "<html><title>Log in to the network</title></html>",
    "empty": "",
    "deny": '{"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "24ce64f6"}',
    "zero": '{"errcode": "0", "code": "0", "errmsg": "ok", "msg": "ok"}',  # the documents show the code as a text
    "words": '{"errcode": "zero", "code": null, "errmsg": "ok"}',
    "deep": "[" * 60_000,
}
