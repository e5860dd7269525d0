"""Feishu and Lark group robots 飞书自定义机器人, version 2: one protocol, two hosts."""

import base64
import hmac
import re
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from sanfen.abc import Limit, Notice
from sanfen_adapters.robots import BRAND, Refusal, Robot, lines

__all__ = ["Feishu"]

_LIMITED = Refusal("limited", retryable=True, pause_ms=1_000)
_TOO_OFTEN = re.compile("too many|frequen", re.IGNORECASE)


class Feishu(Robot):
    """``feishu://TOKEN?at=ou_…`` or ``lark://TOKEN``."""

    name: ClassVar[str] = "feishu"
    schemes: ClassVar[tuple[str, ...]] = ("feishu", "lark")
    limits: ClassVar[tuple[Limit, ...]] = (Limit(5, 1_000), Limit(100, 60_000))
    homes: ClassVar[Mapping[str, str]] = {
        "feishu": "https://open.feishu.cn/open-apis/bot/v2/hook/",
        "lark": "https://open.larksuite.com/open-apis/bot/v2/hook/",
    }
    code_keys: ClassVar[tuple[str, ...]] = ("code", "StatusCode")
    word_keys: ClassVar[tuple[str, ...]] = ("msg", "StatusMessage")
    codes: ClassVar[Mapping[int, Refusal]] = {
        11232: _LIMITED,
        19001: Refusal("token"),
        19021: Refusal("signature"),
        19022: Refusal("ip"),
        19024: Refusal("keyword"),
        19036: Refusal("too_long"),
    }

    def message(self, notice: Notice, at: tuple[str, ...]) -> dict[str, Any]:
        """A post: a title and lines of plain text, then the link and who is called."""
        body = lines(notice._replace(url=None), 12_000).partition("\n")[2]
        content: list[list[dict[str, str]]] = [[{"tag": "text", "text": line}] for line in body.split("\n") if line]
        if notice.url:
            content.append([{"tag": "a", "text": notice.url, "href": notice.url}])
        if at:
            content.append([{"tag": "at", "user_id": one} for one in at])
        post = {"title": BRAND + notice.title, "content": content}
        return {"msg_type": "post", "content": {"post": {"zh_cn": post}}}

    def signed(self, url: str, body: dict[str, Any], secret: str) -> tuple[str, dict[str, Any]]:
        """HMAC-SHA256 of nothing, with seconds, a line break and the secret as the key, in the body."""
        stamp = str(time.time_ns() // 1_000_000_000)
        mac = hmac.digest(f"{stamp}\n{secret}".encode(), b"", "sha256")
        return url, {"timestamp": stamp, "sign": base64.b64encode(mac).decode(), **body}

    def refusal(self, code: int, words: str) -> Refusal:
        """9499 is a bad request or one too many."""
        if code != 9499:
            return super().refusal(code, words)
        return _LIMITED if _TOO_OFTEN.search(words) else Refusal("refused")
