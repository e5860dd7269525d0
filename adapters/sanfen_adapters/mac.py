"""HMACs of many messages under few keys."""

import hmac
from functools import lru_cache

__all__ = ["mac"]


def mac(key: bytes, material: bytes, digest: str) -> bytes:
    """The MAC. ``hmac.digest`` would give up the interpreter for each message, and wait to have it again."""
    made = _keyed(key, digest).copy()
    made.update(material)
    return made.digest()


@lru_cache(maxsize=1024)
def _keyed(key: bytes, digest: str) -> hmac.HMAC:
    return hmac.new(key, digestmod=digest)
