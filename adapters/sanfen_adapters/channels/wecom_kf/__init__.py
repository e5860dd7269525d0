"""WeCom customer service: a poke says that there is something, ``sync_msg`` says what; calls of the interface go through us."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlencode

from sanfen.abc import (
    Action,
    Answer,
    Call,
    ChannelAdapter,
    Direction,
    Fact,
    ParseError,
    Proof,
    Pull,
    Pulled,
    Reply,
    Request,
    VerifyError,
    json_object,
)
from sanfen_adapters.channels.wecom_kf.parse import page, sent
from sanfen_adapters.ciphers import aes_key, decrypt_wecom, flat_xml
from sanfen_adapters.signatures import WECOM, check
from sanfen_adapters.signed import SignedChannel
from sanfen_adapters.tokens import AccessToken

__all__ = ["WecomKfChannel"]

_API = "https://qyapi.weixin.qq.com"


class WecomKfChannel(SignedChannel):
    """``secret``: the callback's token. ``in``: callbacks, encrypted. ``out``: calls of the interface."""

    name = "wecom_kf"
    token_in = ("query:access_token", "query:corpsecret")
    content_types = ChannelAdapter.content_types | {"text/xml", "application/xml"}

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``options``: ``aes_key``, ``corp_id``; to fetch, ``corp_secret``, and ``accounts`` to fetch without a poke.

        ``bot``: the name of the bot that calls the interface. Raises ConfigError.
        """
        super().__init__(shop, channel, secrets, options)
        self._aes = aes_key(str(options["aes_key"]), channel) if options.get("aes_key") else None
        self._corp = str(options.get("corp_id", ""))
        self._api = str(options.get("api", _API)).rstrip("/")
        self._token = AccessToken()

    def proved(self, request: Request, now_ms: int) -> Proof | None:
        """A callback is signed with what is sealed in it. Raises VerifyError."""
        try:
            sealed = self._echo(request) or flat_xml(request.body).get("Encrypt", "")
        except ParseError as error:
            raise VerifyError(error.message, reason="unsigned", hint=error.hint) from None
        return check(WECOM, request, self._keys, now_ms, text=sealed)

    def handshake(self, request: Request, direction: Direction) -> Reply | None:
        """``echostr``, decrypted. Raises ParseError."""
        echo = self._echo(request)
        return Reply(self._opened(echo)) if direction == "in" and echo else None

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Fact]:  # noqa: ARG002
        """That there is something to fetch; calls are told by their answers. Raises ParseError."""
        if direction == "out" or not request.body:
            return ()
        fields = flat_xml(request.body)
        if "Encrypt" in fields:
            fields = flat_xml(self._opened(fields["Encrypt"]))
        poked = fields.get("Event") == "kf_msg_or_event" and fields.get("OpenKfId")
        return [Pull(fields["OpenKfId"], fields.get("Token", ""))] if poked else ()

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """What a call sent, or fetched."""
        bot = self.options.get("bot")
        return sent(request, answer, self.place(received_ms), bot) if direction == "out" else ()

    def pulls(self) -> Sequence[Pull]:
        """The accounts of 微信客服 that the options name."""
        return [Pull(one) for one in self.texts("accounts")]

    def pull(self, pull: Pull, cursor: str | None, now_ms: int) -> Call | None:
        """A page, or first a token; None without ``corp_secret``: then the workflow fetches, through us."""
        secret = self.options.get("corp_secret")
        if not secret:
            return None
        if not self._token.is_valid(now_ms):
            query = urlencode({"corpid": self._corp, "corpsecret": secret})
            return Call("GET", f"{self._api}/cgi-bin/gettoken?{query}", {"user-agent": "sanfen"}, b"")
        wanted = {"cursor": cursor, "token": pull.token, "open_kfid": pull.name, "limit": 1000}
        return self._call("sync_msg", {name: value for name, value in wanted.items() if value})

    def pulled(self, pull: Pull, answer: Answer, cursor: str | None, received_ms: int) -> Pulled:  # noqa: ARG002
        """A page's facts, or nothing yet if it was the token. Raises ParseError."""
        said = self._token.read(answer, received_ms)
        if said is None:
            return Pulled(more=True)
        return Pulled(page(said, self.place(received_ms)), said.get("next_cursor") or None, bool(said.get("has_more")))

    def can(self, kind: Literal["assign", "note"]) -> bool:
        """Conversations are assigned with the token that fetches; notes there are none."""
        return kind == "assign" and bool(self.options.get("corp_secret"))

    def act(self, action: Action) -> Call | None:
        """Give the conversation to a person; None before the first page was fetched."""
        account, _, customer = action.conversation.partition("/")
        if action.kind != "assign" or not self._token.text or not customer or not action.agent:
            return None
        whom = {"open_kfid": account, "external_userid": customer, "service_state": 3, "servicer_userid": action.agent}
        return self._call("service_state/trans", whom)

    def refusal(self, answer: Answer) -> str | None:
        """WeCom says no by ``errcode``."""
        said = json_object(answer.body)
        code = said.get("errcode")
        return None if code == 0 else f"errcode {str(code)[:12]}: {str(said.get('errmsg'))[:80]}"

    def _call(self, path: str, body: Mapping[str, Any]) -> Call:
        url = f"{self._api}/cgi-bin/kf/{path}?access_token={quote(self._token.text, safe='')}"
        return Call(
            "POST", url, {"content-type": "application/json", "user-agent": "sanfen"}, json.dumps(body).encode()
        )

    def _echo(self, request: Request) -> str:
        return parse_qs(request.query).get("echostr", [""])[0] if request.method == "GET" else ""

    def _opened(self, sealed: str) -> bytes:
        if self._aes is None:
            raise ParseError("the body is encrypted and there is no options.aes_key", hint="copy it from the console")
        return decrypt_wecom(self._aes, sealed, self._corp or None)
