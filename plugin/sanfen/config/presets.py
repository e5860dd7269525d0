"""Policies by name: the shipped presets, a file, or one of either with something changed."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sanfen.config.findings import Findings
from sanfen.config.frozen import to_policy
from sanfen.config.policies import PolicyModel
from sanfen.config.types import refusal
from sanfen.config.yaml import Document, read_file, read_text
from sanfen.core.policy import Policy
from sanfen.errors import InputError, Phrase, PolicyError, UnfitError, nearest

__all__ = [
    "DEFAULT",
    "apply_set",
    "model",
    "names",
    "place",
    "policy",
    "scoring",
    "sources",
    "stated",
    "tree",
    "unverified",
    "validate",
]

DEFAULT = "taobao-2022-01"
_EVERY_KEY = Phrase("docs/policies.md lists every key")
_CHAIN = 8  # how long a chain of based_on may be


@cache
def names() -> tuple[str, ...]:
    """The shipped presets."""
    return tuple(sorted(one.name[:-5] for one in files("sanfen_presets").iterdir() if one.name.endswith(".yaml")))


def unverified(name: str) -> bool:
    """Whether a preset has no source worth the name; it loads with a warning."""
    return name.endswith("-unverified")


def tree(name: str, own: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """A policy's keys as text, ``based_on`` expanded: top-level keys replace those of the base.

    ``own``: policies defined beside it. Raises PolicyError for an unknown name, with the nearest known.
    """
    chain: list[dict[str, Any]] = []
    wanted: str | None = name
    while wanted is not None:
        if len(chain) >= _CHAIN:
            raise PolicyError(Phrase("policy {name}: based_on goes in a circle", name=name), hint="base it on a preset")
        found = _find(wanted, own or {})
        chain.append(found)
        wanted = found.get("based_on")
    merged: dict[str, Any] = {}
    for found in reversed(chain):
        merged |= found
    merged.pop("based_on", None)
    return merged


def model(name: str, *, overrides: Mapping[str, Any] | None = None) -> PolicyModel:
    """A policy, validated. Raises PolicyError or InputError with the key that is wrong."""
    made = tree(name) | dict(overrides or {})
    return validate(made, name)


def policy(
    name: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    tz: str = "Asia/Shanghai",
    holidays: frozenset[str] = frozenset(),
) -> Policy:
    """A policy ready for the core. ``tz``: the shop's zone, for policies that leave it open."""
    found = model(name, overrides=overrides)
    return scoring(found, tz=tz, holidays=holidays)


def scoring(found: PolicyModel, *, tz: str = "Asia/Shanghai", holidays: frozenset[str] = frozenset()) -> Policy:
    """The core's policy of a model. Raises PolicyError for a platform without a rule, or with a limit on sending only."""
    if found.kind != "response":
        sentence = (
            Phrase("policy {name} has no response rule", name=found.id)
            if found.kind == "none"
            else Phrase("policy {name} limits sending and scores no replies", name=found.id)
        )
        raise PolicyError(sentence, hint="`sanfen policies` lists the others")
    return to_policy(found, tz=tz, holidays=holidays)


def validate(made: Mapping[str, Any], name: str) -> PolicyModel:
    """The model of a policy's keys. Raises PolicyError that names the key."""
    try:
        return PolicyModel.model_validate(dict(made))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        refused = refusal(first)
        if first["type"] == "extra_forbidden":
            refused = UnfitError("not a key of a policy", nearest(where, PolicyModel.model_fields, _EVERY_KEY))
        raise PolicyError(
            Phrase("policy {name}: {where}: {sentence}", name=name, where=where, sentence=refused.message),
            hint=refused.hint or _EVERY_KEY,
        ) from None


def sources(name: str) -> list[dict[str, Any]]:
    """Where a shipped preset's statements come from; empty for a policy that is none."""
    return list(_plain(_shipped(name)).get("sources", ())) if name in names() else []


def stated(found: Policy) -> dict[str, Any]:
    """What a preset's file says, key by key; empty for a policy that is no preset, or a changed one."""
    if found.id not in names():
        return {}
    shipped = policy(found.id, tz=found.tz, holidays=found.holidays)
    return tree(found.id) if shipped.version == found.version else {}


def place(name: str, key: str) -> str | None:
    """``taobao-2022-01.yaml:17``: where a shipped preset states a key; None if it does not, or is no preset."""
    if name not in names():
        return None
    found = _shipped(name).places.get((key,))
    return f"{name}.yaml:{found.line}" if found else None


def apply_set(made: dict[str, Any], dotted: str, text: str) -> None:
    """Set ``hours.open`` to a YAML text, in place. Raises InputError."""
    document = read_text(text or "null", "--set")
    if document.findings:
        raise InputError(
            Phrase("--set {one}: {sentence}", one=dotted, sentence=document.findings[0].message),
            hint="write --set KEY=VALUE, VALUE as YAML",
        )
    *parents, last = dotted.split(".")
    if not all([*parents, last]) or parents[:1] == [""] or dotted.split(".", maxsplit=1)[0] not in _keys():
        hint = nearest(dotted.split(".", maxsplit=1)[0], _keys(), _EVERY_KEY)
        raise InputError(Phrase("--set {dotted}: not a key of a policy", dotted=dotted), hint=hint)
    at: Any = made
    for part in parents:
        step = at.get(part)
        if step is None:
            step = {}
        if not isinstance(step, dict):
            raise InputError(
                Phrase("--set {dotted}: {part} has no keys below it", dotted=dotted, part=part),
                hint=Phrase("set {part} as a whole", part=part),
            )
        at[part] = dict(step)
        at = at[part]
    at[last] = document.tree


def _keys() -> list[str]:
    return [field.alias or name for name, field in PolicyModel.model_fields.items()]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no name a file can have: too long
        return False


def _find(name: str, own: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if name in own:
        return {"id": name} | dict(own[name])
    if name in names():
        return _plain(_shipped(name))
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or _is_file(path):
        document = read_file(path)
        return {"id": path.stem} | _plain(document)
    shipped = "`sanfen policies` lists those that are shipped; a file ends in .yaml"
    hint = nearest(name, [*own, *names()], shipped)
    raise PolicyError(Phrase("no policy is called {name!r}", name=name), hint=hint)


@cache
def _shipped(name: str) -> Document:
    return read_text((files("sanfen_presets") / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml")


def _plain(document: Document) -> dict[str, Any]:
    if document.findings:
        raise InputError(Findings(document.findings[:1]))
    if not isinstance(document.tree, dict):
        raise InputError(
            Phrase("{name} is not a policy: it holds no keys", name=document.name), hint="docs/policies.md shows one"
        )
    return dict(document.tree)
