"""WeCom's callbacks as wechatpy seals and signs them."""

from urllib.parse import urlencode

from wechatpy.enterprise.crypto import WeChatCrypto
from wechatpy.utils import to_text

from sanfen.clock import SystemClock
from sanfen_adapters.ciphers import flat_xml

__all__ = ["AES_KEY", "CORP", "callback", "crypto"]

AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
CORP = "wx5823bf96d3bd56c7"


def crypto(token: str) -> WeChatCrypto:
    """wechatpy's own."""
    return WeChatCrypto(token, AES_KEY, CORP)


def callback(text: str, token: str, now_ms: int | None = None) -> tuple[bytes, str]:
    """A body and its query."""
    at = str((SystemClock().now_ms() if now_ms is None else now_ms) // 1000)
    body = to_text(crypto(token).encrypt_message(text, "nonce", at)).encode()
    signature = flat_xml(body)["MsgSignature"]
    return body, urlencode({"msg_signature": signature, "timestamp": at, "nonce": "nonce"})
