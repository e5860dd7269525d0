"""What an adapter's facts become, and why: rows for ``sanfen adapters check`` and ``sanfen serve --dry-run``."""

from collections.abc import Mapping
from typing import Any

from sanfen.abc import Alias, Fact, Pull, Unread
from sanfen.catalogue import t
from sanfen.config.load import Loaded
from sanfen.core.classify import Directory, Rule, classify, judge, placed
from sanfen.core.events import SOMEBODY, Message, Sender
from sanfen.core.policy import Policy
from sanfen.wire import instant_text, system_fields

__all__ = ["COLUMNS", "line", "row"]

COLUMNS = ("what", "who", "conversation", "id", "at", "mode", "counts", "evidence", "why", "text")
_LONGEST = 24


def line(direction: str, fact: Fact, spent_ms: float, loaded: Loaded, language: str) -> str:
    """One message in one line: direction, who, verdict, evidence, how long it took to keep it."""
    said = row(fact, loaded.policies[0], loaded.rules, loaded.settings.directory, language)
    counts = said.get("counts") or t("dry_question" if said["what"] == "customer" else "dry_event", language)
    known = " ".join(f"{said.get(name) or ''}" for name in ("mode", "evidence")).strip()
    why = f"({said['why']})" if said.get("why") else ""
    parts = (direction, said["what"], said.get("who") or "-", counts, known, why, f"{spent_ms:.0f} ms")
    return "  ".join(
        str(part).ljust(width) for part, width in zip(parts, (3, 9, 16, 24, 16, 0, 0), strict=True) if part
    )


def row(fact: Fact, policy: Policy, rules: tuple[Rule, ...], directory: Directory, language: str) -> Mapping[str, Any]:
    """One fact, as it would be kept and judged."""
    if isinstance(fact, Alias):
        return {"what": "alias", "who": fact.alias, "conversation": fact.conversation}
    if isinstance(fact, Unread):
        return {"what": "unread", "why": fact.sentence}
    if isinstance(fact, Pull):
        return {"what": "pull", "who": fact.name}
    out: dict[str, Any] = {"conversation": fact.key.conversation, "id": fact.id, "at": instant_text(fact.at_ms)}
    if not isinstance(fact, Message):
        about = {name: value for name, value in system_fields(fact).items() if value is not None}
        return {"what": type(fact).__name__.lower(), **out, "why": ", ".join(f"{k}: {v}" for k, v in about.items())}
    message = placed(fact, directory)
    asked = None
    if fact.sender == SOMEBODY and message.sender == Sender.customer:
        asked = t("adapters_unlisted", language)
    if message.sender == Sender.merchant:
        message = classify(message, rules)
        verdict = judge(message, policy)
        out |= {"mode": str(message.mode), "evidence": str(message.evidence)}
        out["counts"] = "yes" if verdict.valid else f"no: {verdict.reason}"
    text = message.text
    return {
        "what": str(message.sender),
        "who": message.bot or message.agent or (message.customer if message.sender == Sender.customer else None),
        **out,
        "why": "; ".join(one for one in (asked, message.rule, message.credential) if one),
        "text": text if text is None or len(text) <= _LONGEST else text[: _LONGEST - 1] + "…",
    }
