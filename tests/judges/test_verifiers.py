"""Vendors' own verifiers beside ours: what one takes the other takes, and what is tampered with neither does."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linebot.v3.webhook import SignatureValidator
from pywa import utils
from slack_sdk.signature import Clock, SignatureVerifier
from tests.adapters.wire import RECEIVED_MS, request
from tests.judges.wecom import AES_KEY, CORP, callback, crypto
from twilio.request_validator import RequestValidator
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.utils import check_signature

from sanfen.abc import ChannelAdapter, Request, VerifyError
from sanfen_adapters.channels.line import LineChannel
from sanfen_adapters.channels.meta import MetaChannel
from sanfen_adapters.channels.slack import SlackChannel
from sanfen_adapters.channels.twilio import TwilioChannel
from sanfen_adapters.channels.wechat_oa import WechatOaChannel
from sanfen_adapters.channels.wecom_kf import WecomKfChannel
from sanfen_adapters.ciphers import aes_key, decrypt_wecom, flat_xml

META = MetaChannel("shop", "meta", ("secret",), {})
KF = WecomKfChannel("shop", "kf", ("token",), {"aes_key": AES_KEY, "corp_id": CORP})


def ours(body: bytes, header: str) -> bool:
    try:
        META.verify(request(body, headers={"x-hub-signature-256": header}), "in", RECEIVED_MS)
    except VerifyError:
        return False
    return True


@given(st.binary(max_size=200), st.sampled_from(["", "sha1=", "sha256="]), st.integers(0, 63), st.booleans())
def test_metas_signature(body: bytes, prefix: str, at: int, tampered: bool) -> None:  # hypothesis gives it
    mac = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    wrong = mac[:at] + ("0" if mac[at] != "0" else "1") + mac[at + 1 :]
    header = prefix + (wrong if tampered else mac)
    theirs = utils.webhook_updates_validator("secret", body, header)

    assert ours(body, header) == (theirs and prefix == "sha256=")  # theirs takes it without the prefix too


@given(st.text(min_size=1, max_size=300))
def test_what_wechatpy_seals_we_open(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    body, query = callback(text, "token", RECEIVED_MS)
    asked = request(body, query=query)
    encrypted = flat_xml(body)["Encrypt"]

    assert KF.verify(asked, "in", RECEIVED_MS) is not None
    assert decrypt_wecom(aes_key(AES_KEY, "kf"), encrypted, CORP) == text.encode()


@pytest.mark.parametrize("part", ["msg_signature", "timestamp", "nonce", "Encrypt"])
def test_what_is_tampered_with_neither_takes(part: str) -> None:
    body, query = callback("<xml></xml>", "token", RECEIVED_MS)
    fields = {name: value[0] for name, value in parse_qs(query).items()}
    if part == "Encrypt":
        sealed = flat_xml(body)["Encrypt"]
        body = body.replace(sealed.encode(), (sealed[:-8] + "AAAA" + sealed[-4:]).encode())
    else:
        wrong = fields[part][:-1] + ("0" if fields[part][-1] != "0" else "1")
        query = query.replace(f"{part}={fields[part]}", f"{part}={wrong}")
        fields = {name: value[0] for name, value in parse_qs(query).items()}

    with pytest.raises(InvalidSignatureException):
        crypto("token").decrypt_message(body, fields["msg_signature"], fields["timestamp"], fields["nonce"])
    with pytest.raises(VerifyError):
        KF.verify(request(body, query=query), "in", RECEIVED_MS)


@given(st.text(max_size=200), st.integers(0, 43), st.booleans())
def test_lines_signature(body: str, at: int, tampered: bool) -> None:  # hypothesis gives it
    raw = body.encode("utf-8", "replace")
    mac = base64.b64encode(hmac.new(b"secret", raw, hashlib.sha256).digest()).decode()
    header = mac[:at] + ("A" if mac[at] != "A" else "B") + mac[at + 1 :] if tampered else mac
    theirs = SignatureValidator("secret").validate(raw.decode(), header)

    assert (
        passes(LineChannel("shop", "ln", ("secret",), {}), request(raw, headers={"x-line-signature": header})) == theirs
    )


@given(st.text(max_size=200), st.integers(-301, 301), st.booleans())
def test_slacks_signature(body: str, off_s: int, tampered: bool) -> None:  # hypothesis gives it
    class Then(Clock):
        def now(self) -> float:
            return RECEIVED_MS / 1000

    raw, at = body.encode("utf-8", "replace"), str(RECEIVED_MS // 1000 + off_s)
    judge = SignatureVerifier("secret", Then())
    mac = str(judge.generate_signature(timestamp=at, body=raw))
    headers = {"x-slack-request-timestamp": at, "x-slack-signature": mac + "0" if tampered else mac}
    theirs = judge.is_valid(raw, at, headers["x-slack-signature"])

    assert passes(SlackChannel("shop", "sl", ("secret",), {}), request(raw, headers=headers)) == theirs


FIELDS = st.dictionaries(st.text("abcXYZ09_", min_size=1), st.text(max_size=20), max_size=6)


@given(FIELDS, st.sampled_from(["", "?a=1&b=%E6%9C%89"]), st.booleans())
def test_twilios_signature(form: dict[str, str], query: str, tampered: bool) -> None:  # hypothesis gives it
    form = {name: value.encode("utf-8", "replace").decode() for name, value in form.items()}
    judge, url = RequestValidator("secret"), f"https://x.example/in/tw{query}"
    mac = judge.compute_signature(url, form)
    headers = {
        "x-twilio-signature": mac[:-2] + "x=" if tampered else mac,
        "content-type": "application/x-www-form-urlencoded",
    }
    asked = request(urlencode(form).encode(), query=query[1:], headers=headers)
    channel = TwilioChannel("shop", "tw", ("secret",), {"url": "https://x.example/in/tw"})

    assert passes(channel, asked) == judge.validate(url, form, headers["x-twilio-signature"])


@pytest.mark.parametrize(("change", "passed"), [("", True), ("nonce=m", False), ("timestamp=1", False)])
def test_wechats_signature(change: str, *, passed: bool) -> None:
    at = str(RECEIVED_MS // 1000)
    mac = hashlib.sha1("".join(sorted(("secret", at, "n"))).encode()).hexdigest()  # noqa: S324  # WeChat's
    fields = {"signature": mac, "timestamp": at, "nonce": "n"} | dict([change.split("=")] if change else [])
    try:
        check_signature("secret", fields["signature"], fields["timestamp"], fields["nonce"])
        theirs = True
    except InvalidSignatureException:
        theirs = False

    assert theirs == passed
    assert passes(WechatOaChannel("shop", "oa", ("secret",), {}), request(query=urlencode(fields))) == passed


def passes(channel: ChannelAdapter, asked: Request) -> bool:
    try:
        channel.verify(asked, "in", RECEIVED_MS)
    except VerifyError:
        return False
    return True
