"""Vendors' own verifiers beside ours: what one takes the other takes, and what is tampered with neither does."""

import hashlib
import hmac
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pywa import utils
from tests.adapters.wire import RECEIVED_MS, request
from tests.judges.wecom import AES_KEY, CORP, callback, crypto
from wechatpy.exceptions import InvalidSignatureException

from sanfen.abc import VerifyError
from sanfen_adapters.channels.meta import MetaChannel
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
