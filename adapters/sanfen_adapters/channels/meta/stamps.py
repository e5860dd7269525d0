"""Who sent a message: by a stamp that Meta gives back (``sanfen:agent=wang``, ``sanfen:assisted=xiaoduo``), or by its token."""

import re
from typing import Any
from urllib.parse import parse_qs

from sanfen.abc import Request, fingerprint
from sanfen_adapters.signed import bearer

__all__ = ["caller", "stamp"]

_STAMP = re.compile(r"sanfen:(agent|assisted|bot|auto)=([^\s;,]{0,100})")
_MODES = {"agent": "human", "assisted": "assisted", "bot": "bot", "auto": "auto"}


def stamp(value: Any, where: str) -> dict[str, Any] | None:
    """Mode, agent or bot by a stamp; None without one. ``where``: the field it stands in."""
    found = _STAMP.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    who = "agent" if found[1] == "agent" else "bot"
    return {"mode": _MODES[found[1]], who: found[2] or None, "rule": f"{where}={found[0]}"}


def caller(request: Request) -> str:
    """The fingerprint of the token a call of the Graph API carries."""
    return fingerprint(bearer(request) or parse_qs(request.query).get("access_token", [""])[0])
