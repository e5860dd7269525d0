"""Access tokens of WeCom and WeChat: fetched when there is none, used until a little before their end. No IO of its own."""

from collections.abc import Mapping
from typing import Any

from sanfen.abc import Answer, ParseError, Phrase, json_object

__all__ = ["AccessToken"]

_STALE = (40001, 40014, 42001)  # errcodes of a token that is over
_EARLY_MS = 300_000
_LEAST_MS = 60_000  # a token is used for so long, whatever is said of its end: else one would be fetched without end


class AccessToken:
    """One account's."""

    def __init__(self) -> None:
        self.text = ""
        self._until_ms = 0
        self._fresh = False  # nothing was had with it yet

    def is_valid(self, now_ms: int) -> bool:
        """Whether it can be used."""
        return now_ms < self._until_ms

    def read(self, answer: Answer, received_ms: int) -> Mapping[str, Any] | None:
        """What an answer says; None where it was a token, or says that one is over: ask again. Raises ParseError."""
        said = json_object(answer.body)
        code = said.get("errcode", 0)
        if code in _STALE and not self._fresh:
            self._until_ms = 0
            return None
        if answer.status != 200 or code != 0:
            raise ParseError(
                Phrase(
                    "the platform answered {status}, errcode {code}: {value}",
                    status=answer.status,
                    code=str(code)[:12],
                    value=str(said.get("errmsg"))[:80],
                ),
                hint="look the errcode up in the platform's list; compare the ids and secrets under options",
            )
        self._fresh = "access_token" in said
        if not self._fresh:
            return said
        lasts_s = said.get("expires_in")
        self.text = str(said["access_token"])
        self._until_ms = received_ms + max(lasts_s * 1000 - _EARLY_MS if isinstance(lasts_s, int) else 0, _LEAST_MS)
        return None
