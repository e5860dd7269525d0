"""What the group robots of DingTalk, Feishu, Lark and WeCom share.

All four answer HTTP 200 also when they refuse: only the code in the body says whether the message is in the group. A body
without a code is not the robot's, and nobody knows what became of the message.
"""

import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qsl, urlencode

from sanfen.abc import DeliveryError, Notice, Notifier
from sanfen.errors import ConfigError, Phrase
from sanfen_adapters.posting import Answer, Client, by_status, fit, host_of, origin_of, short

__all__ = ["Refusal", "Robot", "Target", "lines"]

BRAND = "【三分】"  # a robot that asks for a keyword can be given this one
_PATIENCE_S = 2.5  # the next way must be tried within three seconds
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,200}")


class Target(NamedTuple):
    """A robot, and whom it calls by name."""

    url: str
    token: str
    at: tuple[str, ...]  # phone numbers, user ids, or "all"


class Refusal(NamedTuple):
    """What a code means. ``reason`` leads to the mend that ``sanfen notify`` shows."""

    reason: str
    retryable: bool = False
    pause_ms: int | None = None


class Robot(Notifier):
    """``name://TOKEN?at=…``, or ``name+`` before the whole address, as the robot's own page shows it."""

    secret_address = True
    homes: ClassVar[Mapping[str, str]]
    """For each scheme the address that the token is put behind."""
    code_keys: ClassVar[tuple[str, ...]]
    word_keys: ClassVar[tuple[str, ...]]
    codes: ClassVar[Mapping[int, Refusal]]

    def __init__(self) -> None:
        self._client = Client(_PATIENCE_S)

    @abstractmethod
    def message(self, notice: Notice, at: tuple[str, ...]) -> dict[str, Any]:
        """The robot's own JSON."""

    def signed(self, url: str, body: dict[str, Any], secret: str) -> tuple[str, dict[str, Any]]:  # noqa: ARG002
        """The address and the body with the signature in its place; as they are where the robot knows none."""
        return url, body

    def refusal(self, code: int, words: str) -> Refusal:  # noqa: ARG002  # some need the words
        """What a code means. One we do not know is tried again: a refusal costs nobody a second message."""
        return self.codes.get(code, Refusal("refused", retryable=True))

    async def notify(self, notice: Notice, address: str, secret: str | None) -> str:
        """Post to the group, and read what the robot says of it. Raises DeliveryError."""
        target = self.target(address)
        url, body = target.url, self.message(notice, target.at)
        if secret:
            url, body = self.signed(url, body, secret)
        raw = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        answer = await self._client.post(url, raw, guard=self.guard)
        return self._judge(answer, [hidden for hidden in (target.token, secret) if hidden])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    @classmethod
    def check(cls, address: str) -> None:
        """Raises ConfigError."""
        name, transport, rest = _parts(address)
        if transport:
            if transport not in ("http", "https") or not host_of(f"{transport}://{rest}"):
                raise ConfigError(
                    Phrase("{name}+ stands before no web address", name=name),
                    hint=Phrase("write {name}+https://host/path", name=name),
                )
        elif not _TOKEN.fullmatch(rest.partition("?")[0]):
            raise ConfigError(
                Phrase("{name}:// is followed by no robot's token", name=name),
                hint=Phrase(
                    "write {name}://${{TOKEN}}, the end of the address that the robot shows ({homes}…), or {name}+ and that whole address",
                    name=name,
                    homes=cls.homes[name],
                ),
            )

    @classmethod
    def shown(cls, address: str) -> str:
        """The scheme, and the last letters of the token: enough to tell two robots from one another."""
        scheme = address.partition(":")[0]
        return f"{scheme}://…{cls.target(address).token[-4:]}"

    @classmethod
    def home(cls, address: str) -> str:
        """The robot's own address, or the one that stands in its place."""
        return origin_of(cls.target(address).url)

    @classmethod
    def target(cls, address: str) -> Target:
        """Where an address leads."""
        name, transport, rest = _parts(address)
        base, _, query = rest.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        at = tuple(one.strip() for key, value in pairs if key == "at" for one in value.split(",") if one.strip())
        if not transport:
            return Target(cls.homes[name] + base, base, at)
        kept = urlencode([(key, value) for key, value in pairs if key != "at"])
        tokens = [value for key, value in pairs if key in ("access_token", "key")]
        url = f"{transport}://{base}" + (f"?{kept}" if kept else "")
        return Target(url, tokens[0] if tokens else base.rpartition("/")[2], at)

    def _judge(self, answer: Answer, hidden: list[str]) -> str:
        code, words = self.verdict(answer.said)
        for secret in hidden:
            words = words.replace(secret, "***")
        said = f"{code} {short(words)}".strip()
        if code is None:
            by_status(answer._replace(said=words))  # raises, unless it is a 2xx of somebody else
            raise DeliveryError(
                Phrase(
                    "{status}, but not this robot's answer: {words}",
                    status=answer.status,
                    words=short(words) or Phrase("empty"),
                ),
                reason="not_understood",
                retryable=True,
                unknown=True,
            )
        if code == 0 and 200 <= answer.status < 300:
            return said
        meant = self.refusal(code, words)
        pause_ms = answer.retry_after_ms or meant.pause_ms
        raise DeliveryError(said, reason=meant.reason, retryable=meant.retryable, retry_after_ms=pause_ms)

    def verdict(self, said: str) -> tuple[int | None, str]:
        """The code and the words of a body; without a code, all of it."""
        try:
            body = json.loads(said)
        except (ValueError, RecursionError):
            return None, said
        found = body if isinstance(body, dict) else {}
        codes = [found[key] for key in self.code_keys if re.fullmatch(r"-?[0-9]{1,9}", str(found.get(key)), re.ASCII)]
        if not codes:
            return None, said
        return int(codes[0]), next((str(found[key]) for key in self.word_keys if found.get(key)), "")


def _parts(address: str) -> tuple[str, str, str]:
    """The robot's name, ``http``, ``https`` or nothing, and what follows."""
    scheme, _, rest = address.partition(":")
    name, _, transport = scheme.partition("+")
    return name, transport, rest.removeprefix("//")


def lines(notice: Notice, limit_bytes: int, *tail: str) -> str:
    """The notice as plain text, which no robot turns into a link, a picture or bold; what must not be cut comes last.

    Plain on purpose: ``tb**47`` is a masked customer, and what a customer wrote is nobody's markup.
    """
    end = "".join(f"\n{line}" for line in (notice.url or "", *tail) if line)
    head = f"{BRAND}{notice.title}\n{notice.text}"
    return fit(head, limit_bytes - len(end.encode("utf-8", "replace"))) + end
