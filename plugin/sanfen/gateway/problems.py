"""Errors as ``application/problem+json`` (RFC 9457): title, status, hint, and what else helps."""

import json
from typing import Any

from aiohttp import web

__all__ = ["Refused", "is_local", "problem"]

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


class Refused(Exception):  # noqa: N818  # not a fault of ours: an answer
    """A request is answered with this problem at once. ``close``: the rest of it is not worth reading."""

    def __init__(self, status: int, title: str, hint: str = "", *, close: bool = False, **more: Any) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.hint = hint
        self.close = close
        self.more = more

    def answer(self) -> web.Response:
        """The HTTP answer."""
        answer = problem(self.status, self.title, self.hint, **self.more)
        if self.close:
            answer.force_close()
        return answer


def problem(
    status: int, title: str, hint: str = "", *, headers: dict[str, str] | None = None, **more: Any
) -> web.Response:
    """An answer that says what is wrong and how to mend it."""
    facts = {"title": title, "status": status, "hint": hint} | more
    text = json.dumps({name: fact for name, fact in facts.items() if fact not in ("", None)}, ensure_ascii=False)
    body = text.encode("utf-8", "replace")
    return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)


def is_local(request: web.BaseRequest) -> bool:
    """Whether the sender sits on this machine, and not behind a proxy that does: only they are told details."""
    peer = request.remote or ""
    loopback = peer == "::1" or peer.removeprefix("::ffff:").startswith("127.")
    return loopback and not any(name in request.headers for name in _FORWARDED)
