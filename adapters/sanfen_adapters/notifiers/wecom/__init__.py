"""WeCom group robots 企业微信群机器人. They know no signature: the key in the address is all."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from sanfen.abc import Limit, Notice
from sanfen_adapters.robots import Refusal, Robot, lines

__all__ = ["WeCom"]

_MOBILE = re.compile(r"\+?[0-9-]{8,20}")
_LONG = re.compile("max length|too long", re.IGNORECASE)
_TEXT_BYTES = 2048


class WeCom(Robot):
    """``wecombot://KEY?at=13800000000,userid``."""

    name: ClassVar[str] = "wecom"
    schemes: ClassVar[tuple[str, ...]] = ("wecombot",)
    limits: ClassVar[tuple[Limit, ...]] = (Limit(20, 60_000),)
    homes: ClassVar[Mapping[str, str]] = {"wecombot": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key="}
    code_keys: ClassVar[tuple[str, ...]] = ("errcode",)
    word_keys: ClassVar[tuple[str, ...]] = ("errmsg",)
    codes: ClassVar[Mapping[int, Refusal]] = {
        -1: Refusal("busy", retryable=True),
        45033: Refusal("busy", retryable=True),
        45009: Refusal("limited", retryable=True, pause_ms=60_000),
        93000: Refusal("token"),
    }

    def message(self, notice: Notice, at: tuple[str, ...]) -> dict[str, Any]:
        """A text: the only kind that calls people by phone number, and that the WeChat app shows too."""
        called = ["@all" if one == "all" else one for one in at]
        return {
            "msgtype": "text",
            "text": {
                "content": lines(notice, _TEXT_BYTES),
                "mentioned_list": [one for one in called if not _MOBILE.fullmatch(one)],
                "mentioned_mobile_list": [one for one in called if _MOBILE.fullmatch(one)],
            },
        }

    def refusal(self, code: int, words: str) -> Refusal:
        """Too long comes under several codes."""
        return Refusal("too_long") if _LONG.search(words) else super().refusal(code, words)
