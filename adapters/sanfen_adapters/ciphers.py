"""Encrypted bodies: WeCom and WeChat (AES-CBC, the key is the IV), Feishu (AES-CBC, the IV comes first)."""

import base64
import binascii
import hashlib
import xml.etree.ElementTree as ET

from sanfen.abc import ConfigError, ParseError, Phrase

__all__ = ["aes_key", "decrypt_feishu", "decrypt_wecom", "flat_xml", "xml_root"]

_BLOCK = 32
_MOST_XML = 1 << 20


def aes_key(encoded: str, channel: str) -> bytes:
    """The 32 bytes of an EncodingAESKey of 43 characters. Raises ConfigError."""
    try:
        key = base64.b64decode(encoded + "=", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ConfigError(
            Phrase("channels.{channel}: options.aes_key is no EncodingAESKey", channel=channel),
            hint="copy its 43 characters from the platform's console",
        )
    return key


def decrypt_wecom(key: bytes, encrypted: str, receiver: str | None = None) -> bytes:
    """What WeCom or WeChat encrypted. ``receiver``: whom it must be for, where that is known. Raises ParseError."""
    plain = _unpadded(_cbc(key, key[:16], _decoded(encrypted)))
    length = int.from_bytes(plain[16:20], "big")
    message, owner = plain[20 : 20 + length], plain[20 + length :]
    if len(message) != length or (receiver is not None and owner != receiver.encode()):
        raise ParseError("the encrypted body is for somebody else", hint="compare aes_key and the id on both sides")
    return message


def decrypt_feishu(encrypt_key: str, encrypted: str) -> bytes:
    """What Feishu encrypted. Raises ParseError."""
    sealed = _decoded(encrypted)
    plain = _cbc(hashlib.sha256(encrypt_key.encode()).digest(), sealed[:16], sealed[16:])
    return _unpadded(plain)


def flat_xml(body: bytes) -> dict[str, str]:
    """The fields of an XML message, one level deep. Raises ParseError."""
    return {one.tag: one.text or "" for one in xml_root(body)}


def xml_root(body: bytes) -> ET.Element:
    """An XML message. Raises ParseError; a document type is refused."""
    if len(body) > _MOST_XML or b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ParseError("the XML is not what the platform sends", hint="look at the body in the log")
    try:
        return ET.fromstring(body)  # noqa: S314  # no entities, no document type: looked at above
    except (ET.ParseError, ValueError, LookupError):
        raise ParseError("the body is no XML", hint="is this the channel's address, and this its adapter?") from None


def _cbc(key: bytes, start: bytes, sealed: bytes) -> bytes:
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415  # an extra
    except ImportError:
        raise ParseError("encrypted bodies need sanfen[channels]", hint="pip install 'sanfen[channels]'") from None
    if not sealed or len(sealed) % 16 or len(start) != 16:
        raise ParseError("the encrypted body is cut off", hint="look at the body in the log")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(start)).decryptor()
    return decryptor.update(sealed) + decryptor.finalize()


def _unpadded(plain: bytes) -> bytes:
    count = plain[-1] if plain else 0
    if not 1 <= count <= _BLOCK or count > len(plain) or plain[-count:] != bytes([count]) * count:
        raise ParseError("the encrypted body does not fit the key", hint="compare the keys on both sides")
    return plain[:-count]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ParseError("the encrypted body is no base64", hint="look at the body in the log") from None
