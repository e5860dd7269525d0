"""WeChat official accounts: customers and handovers by the callback, automatic answers in the HTTP answer, staff by polling."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlencode
from xml.etree.ElementTree import Element

from sanfen.abc import (
    Answer,
    Call,
    ChannelAdapter,
    Direction,
    Event,
    Fact,
    ParseError,
    Place,
    Proof,
    Pull,
    Pulled,
    Reply,
    Request,
    VerifyError,
    dig,
    each,
    json_object,
    listed,
)
from sanfen_adapters.ciphers import aes_key, decrypt_wecom, flat_xml, xml_root
from sanfen_adapters.signatures import WECHAT, WECOM, check
from sanfen_adapters.signed import SignedChannel
from sanfen_adapters.tokens import AccessToken

__all__ = ["WechatOaChannel"]

_SENT, _TYPED = "cgi-bin/message/custom/send", "customservice/msgrecord/getmsglist"
_MOST = 10_000  # rows of a page
_EVENTS = ("kf_create_session", "kf_switch_session", "kf_close_session")


class WechatOaChannel(SignedChannel):
    """``secret``: the token of the callback. ``in``: callbacks, plain or encrypted. ``out``: calls of the interface."""

    name = "wechat_oa"
    token_in = ("query:access_token", "query:secret")
    content_types = ChannelAdapter.content_types | {"text/xml", "application/xml"}

    def __init__(self, shop: str, channel: str, secrets: Sequence[str], options: Mapping[str, Any]) -> None:
        """``options``: ``aes_key`` and ``app_id`` in encrypted mode; ``app_secret`` to ask what staff typed.

        ``account``: gh_…, by which the callback names it. ``bot``: who calls. Raises ConfigError.
        """
        super().__init__(shop, channel, secrets, options)
        self._aes = aes_key(str(options["aes_key"]), channel) if options.get("aes_key") else None
        self._account = options.get("account")
        self._api = str(options.get("api", "https://api.weixin.qq.com")).rstrip("/")
        self._token, self._asked = AccessToken(), (0, 0)

    def proved(self, request: Request, now_ms: int) -> Proof | None:
        """A callback is signed, the body only in encrypted mode. Raises VerifyError."""
        if self._aes is None or request.method == "GET":
            return check(WECHAT, request, self._keys, now_ms)
        try:
            sealed = flat_xml(request.body).get("Encrypt", "")
        except ParseError as error:
            raise VerifyError(error.message, reason="unsigned", hint=error.hint) from None
        return check(WECOM, request, self._keys, now_ms, text=sealed)

    def handshake(self, request: Request, direction: Direction) -> Reply | None:
        """``echostr`` as it is."""
        echo = parse_qs(request.query).get("echostr") if direction == "in" and request.method == "GET" else None
        return Reply(echo[0].encode("utf-8", "replace")) if echo else None

    def parse(self, request: Request, direction: Direction, received_ms: int) -> Sequence[Event]:
        """A customer's message, or a session of the staff's tool. Raises ParseError."""
        if direction == "out" or not request.body:
            return ()
        fields, place = _fields(self._opened(request.body)), self.place(received_ms)
        kind, who, at = fields.get("MsgType"), fields.get("FromUserName"), fields.get("CreateTime")
        talk = f"{fields.get('ToUserName')}/{who}"
        if kind == "event":
            what, staff = fields.get("Event"), fields.get("ToKfAccount") or fields.get("KfAccount")
            if what == "kf_close_session":
                return [place.close(talk, None, at)]
            before = fields.get("FromKfAccount") or None
            return [place.transfer(talk, None, at, agent=before, to=staff or None)] if what in _EVENTS else ()
        if not kind:
            return ()
        text = fields.get("Content") or fields.get("Recognition")
        return [place.ask(talk, fields.get("MsgId"), at, customer=who, text=text, rule="FromUserName")]

    def answered(self, request: Request, answer: Answer, direction: Direction, received_ms: int) -> Sequence[Fact]:
        """An automatic answer, or the handover to people, in the workflow's answer; what a call sent or fetched."""
        if not answer.is_good:
            return ()
        if direction == "in":
            return self._passive(answer, received_ms) if answer.body.lstrip().startswith(b"<xml") else ()
        if request.path == _TYPED:
            return self._typed(json_object(answer.body), received_ms)
        body = json_object(request.body) if request.path == _SENT else {}
        if not body.get("touser") or json_object(answer.body).get("errcode", 0) != 0 or not self._account:
            return ()
        staff, bot = dig(body, "customservice", "kf_account"), self.options.get("bot")
        told = {"text": dig(body, "text", "content"), "evidence": "credential", "rule": "custom/send call"}
        return [
            self.place(received_ms).reply(
                f"{self._account}/{body['touser']}", None, None, "bot", bot=bot or staff, **told
            )
        ]

    def pulls(self) -> Sequence[Pull]:
        """What staff typed, where there is a secret to ask with."""
        return [Pull("staff")] if self.options.get("app_secret") else ()

    def pull(self, pull: Pull, cursor: str | None, now_ms: int) -> Call | None:  # noqa: ARG002  # there is one
        """Some minutes of what staff typed, or first a token. The cursor: from, until, first row."""
        if not self._token.is_valid(now_ms):
            whose = {"appid": self.options.get("app_id", ""), "secret": self.options["app_secret"]}
            query = urlencode({"grant_type": "client_credential"} | whose)
            return Call("GET", f"{self._api}/cgi-bin/token?{query}", {"user-agent": "sanfen"}, b"")
        now_s = now_ms // 1000
        start, end, row = map(int, cursor.split(":")) if cursor else (now_s - 600, 0, 1)
        self._asked = (start, end or min(now_s - 5, start + 86_400))
        if self._asked[1] <= start:
            return None
        wanted = {"starttime": start, "endtime": self._asked[1], "msgid": row, "number": _MOST}
        url = f"{self._api}/{_TYPED}?access_token={quote(self._token.text, safe='')}"
        return Call(
            "POST", url, {"content-type": "application/json", "user-agent": "sanfen"}, json.dumps(wanted).encode()
        )

    def pulled(self, pull: Pull, answer: Answer, cursor: str | None, received_ms: int) -> Pulled:  # noqa: ARG002
        """What staff typed. Raises ParseError."""
        said = self._token.read(answer, received_ms)
        if said is None:
            return Pulled(more=True)
        start, end = self._asked
        more = said.get("number") == _MOST and isinstance(said.get("msgid"), int)
        after = f"{start}:{end}:{said['msgid']}" if more else f"{end}:0:1"
        return Pulled(self._typed(said, received_ms), after, more)

    def _passive(self, answer: Answer, received_ms: int) -> Sequence[Event]:
        """A passive reply; a handover may name whom it is to, as ``<TransInfo><KfAccount>``."""
        xml, place = self._opened(answer.body), self.place(received_ms)
        fields = _fields(xml)
        talk, at = f"{fields.get('FromUserName')}/{fields.get('ToUserName')}", fields.get("CreateTime")
        if fields.get("MsgType") == "transfer_customer_service":
            return [place.transfer(talk, None, at, to=xml.findtext("TransInfo/KfAccount") or None)]
        return [place.reply(talk, None, at, "auto", text=fields.get("Content"), rule="passive reply in HTTP response")]

    def _typed(self, said: Mapping[str, Any], received_ms: int) -> Sequence[Fact]:
        """What was typed in the staff's tool, and asked, unless the callback tells that. Its canned greeting is not marked."""
        place = self.place(received_ms)
        return each(listed(said, "recordlist"), lambda one: self._row(one, place), or_raise=False)

    def _row(self, one: Mapping[str, Any], place: Place) -> Iterator[Event]:
        worker, customer, code = one.get("worker"), one.get("openid"), one.get("opercode")
        talk = f"{self._account or str(worker).rpartition('@')[2]}/{customer}"
        text, rule = one.get("text"), f"opercode={str(code)[:8]}"
        if code == 2002:
            yield place.reply(talk, None, one.get("time"), "human", agent=worker, text=text, rule=rule)
        elif code == 2003 and not self._account:
            yield place.ask(talk, None, one.get("time"), customer=customer, text=text, rule=rule)

    def _opened(self, body: bytes) -> Element:
        """An XML, decrypted where it is sealed. Raises ParseError."""
        xml = xml_root(body)
        sealed = xml.findtext("Encrypt")
        if sealed is None or self._aes is None:
            return xml
        return xml_root(decrypt_wecom(self._aes, sealed, self.options.get("app_id")))


def _fields(xml: Element) -> dict[str, str]:
    return {one.tag: one.text or "" for one in xml}
