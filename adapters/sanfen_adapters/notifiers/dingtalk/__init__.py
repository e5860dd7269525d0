"""DingTalk group robots 钉钉自定义机器人."""

import base64
import hmac
import re
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from sanfen.abc import Limit, Notice
from sanfen_adapters.robots import Refusal, Robot, lines

__all__ = ["DingTalk"]

_MUTED_MS = 600_000
_LIMITED = Refusal("limited", retryable=True, pause_ms=_MUTED_MS)
_TOKEN = Refusal("token")
_GONE = Refusal("gone")
_CONTENT = Refusal("content")  # what a customer wrote is quoted, and DingTalk does not like it
_MOBILE = re.compile(r"\+?[0-9-]{8,20}")
_DENIED = re.compile(r'"punish"\s*:\s*"deny"')
_GATE = 1111  # what it calls its status; not a code of the robot's
_CHECKS = (  # one code for everything its security settings refuse; the words tell which
    ("keyword", re.compile("keyword|关键词", re.IGNORECASE)),
    ("ip", re.compile(r"\bip\b|whitelist|白名单", re.IGNORECASE)),
    ("signature", re.compile("sign|timestamp|签名|时间戳", re.IGNORECASE)),
)


class DingTalk(Robot):
    """``dingtalk://TOKEN?at=13800000000,userid``."""

    name: ClassVar[str] = "dingtalk"
    limits: ClassVar[tuple[Limit, ...]] = (Limit(20, 60_000, _MUTED_MS),)
    homes: ClassVar[Mapping[str, str]] = {"dingtalk": "https://oapi.dingtalk.com/robot/send?access_token="}
    code_keys: ClassVar[tuple[str, ...]] = ("errcode",)
    word_keys: ClassVar[tuple[str, ...]] = ("errmsg",)
    codes: ClassVar[Mapping[int, Refusal]] = {
        -1: Refusal("busy", retryable=True),
        130101: _LIMITED,
        410100: _LIMITED,
        660026: _LIMITED,
        90030: Refusal("limited"),  # the month's quota: no pause of ours would help
        300001: _TOKEN,
        300005: _TOKEN,
        400101: _TOKEN,
        400013: _GONE,
        400102: _GONE,
        400106: _GONE,
        400105: Refusal("refused"),  # a kind of message it does not know
        430101: _CONTENT,
        430102: _CONTENT,
        430103: _CONTENT,
        430104: _CONTENT,
        460101: Refusal("too_long"),
        _GATE: Refusal("limited", retryable=True),
    }

    def message(self, notice: Notice, at: tuple[str, ...]) -> dict[str, Any]:
        """A text; who is called stands in it too, else DingTalk calls nobody."""
        mobiles = [one for one in at if _MOBILE.fullmatch(one)]
        users = [one for one in at if one not in mobiles and one != "all"]
        called = " ".join(f"@{one}" for one in at if one != "all")
        return {
            "msgtype": "text",
            "text": {"content": lines(notice, 6000, called)},
            "at": {"atMobiles": mobiles, "atUserIds": users, "isAtAll": "all" in at},
        }

    def signed(self, url: str, body: dict[str, Any], secret: str) -> tuple[str, dict[str, Any]]:
        """HMAC-SHA256 with the secret over milliseconds, a line break and the secret, in the query."""
        stamp = str(time.time_ns() // 1_000_000)
        mac = hmac.digest(secret.encode(), f"{stamp}\n{secret}".encode(), "sha256")
        query = urlencode({"timestamp": stamp, "sign": base64.b64encode(mac).decode()})
        return f"{url}{'&' if '?' in url else '?'}{query}", body

    def refusal(self, code: int, words: str) -> Refusal:
        """310000 is keyword, signature, clock or IP."""
        if code != 310000:
            return super().refusal(code, words)
        return Refusal(next((reason for reason, pattern in _CHECKS if pattern.search(words)), "refused"))

    def verdict(self, said: str) -> tuple[int | None, str]:
        """The gate before the robot turns away who calls too often, in a 200 without a code."""
        code, words = super().verdict(said)
        return (_GATE, said) if code is None and _DENIED.search(said) else (code, words)
