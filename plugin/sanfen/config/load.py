"""From a file to settings, policies and rules, or to every mistake in it at once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sanfen.config import presets, safety, sense
from sanfen.config.build import build_rules, build_settings
from sanfen.config.findings import Finding, Findings
from sanfen.config.ladders import build_ladders
from sanfen.config.mending import mended
from sanfen.config.policies import PolicyModel
from sanfen.config.schema import Config, OwnPolicy
from sanfen.config.settings import Settings
from sanfen.config.types import duration_text, refusal, time_text
from sanfen.config.yaml import Document, read_file
from sanfen.core.classify import Rule
from sanfen.core.policy import Policy
from sanfen.errors import ConfigError, InputError, Phrase, PolicyError, UnreadableError, nearest
from sanfen.plugins import Patience

__all__ = ["Loaded", "inspect", "inspect_rules", "load"]

_Path = tuple[str | int, ...]
_UNSET = ("C004", "C005")


@dataclass(frozen=True)
class Loaded:
    """A configuration that can be run. The first policy is the one rounds are judged and escalated by."""

    settings: Settings
    policies: tuple[Policy, ...]
    rules: tuple[Rule, ...]
    warnings: tuple[Finding, ...] = ()


def load(
    path: Path,
    env: Mapping[str, str] | None = None,
    *,
    deadlines: Mapping[str, Patience] | None = None,
    listen: Mapping[str, str] | None = None,
) -> Loaded:
    """Load a configuration. ``env``: fills ${NAME}, by default the environment. Raises ConfigError with all mistakes.

    ``deadlines``: how long channels wait for an answer, by adapter. ``listen``: addresses in place of the
    file's, checked as if they stood in it.
    """
    loaded, findings = inspect(path, env, deadlines=deadlines, listen=listen)
    errors = [finding for finding in findings if finding.is_error]
    if loaded is None or errors:
        raise ConfigError(Findings(findings))
    return replace(loaded, warnings=tuple(findings))


def inspect(
    path: Path,
    env: Mapping[str, str] | None = None,
    *,
    deadlines: Mapping[str, Patience] | None = None,
    listen: Mapping[str, str] | None = None,
) -> tuple[Loaded | None, list[Finding]]:
    """Everything that is to be said about a configuration, and the configuration if it can be run."""
    document = read_file(path, os.environ if env is None else env)
    findings = document.findings
    if not isinstance(document.tree, dict):
        if not findings:
            findings.append(
                document.at("C001", "the file holds no keys", 1, 1, 1, help_="start from sanfen.example.yaml")
            )
        return None, findings
    if listen and isinstance(document.tree.setdefault("listen", {}), dict):
        document.tree["listen"] |= listen
    config, wrong = _config(document)
    if config is None:
        return None, _tidy(document, findings)
    policies = _policies(document, config, findings)
    findings += sense.names(document, config, wrong)
    findings += sense.uses(document, *(mended(document.tree) if wrong else (config, wrong)))
    findings += safety.unsafe(document, config)
    findings += sense.deadlines(document, config, deadlines or {})
    if policies and not any(finding.is_error for finding in findings):
        findings += [*sense.doubts(document, config, policies), *safety.unwise(document, config)]
        armed = tuple(
            replace(policy, ladders=build_ladders(config, policy, first=number == 0))
            for number, policy in enumerate(policies)
        )
        loaded = Loaded(build_settings(config, path), armed, build_rules(config, document))
        return loaded, _tidy(document, findings)
    return None, _tidy(document, findings)


_JUDGING = ("classify", "bots", "staff", "auto_replies")


def inspect_rules(path: Path, *, needed: bool = True) -> tuple[Rule, ...]:
    """What a file says of who answered, whatever else it holds. ``needed``: it must say something.

    Raises ConfigError with all mistakes.
    """
    document = read_file(path, {})
    wanted = document.tree if isinstance(document.tree, dict) else {}
    document.findings[:] = [finding for finding in document.findings if finding.code not in _UNSET]
    said = {key: wanted[key] for key in _JUDGING if key in wanted}
    if not document.findings and needed and not said:
        help_ = "write classify: and rules, or bots:, staff:, auto_replies:"
        document.findings.append(document.at("C011", "'classify' is missing", 1, 1, 1, help_=help_))
    if not document.findings:
        try:
            config = Config.model_validate({"version": "1"} | said)
        except ValidationError as error:
            document.findings += _shape(document, error, Config, ())
        else:
            return build_rules(config, document)
    raise ConfigError(Findings(document.findings))


def _tidy(document: Document, findings: list[Finding]) -> list[Finding]:
    unset = {(one.line, one.column) for one in findings if one.code in _UNSET}
    kept = dict.fromkeys(
        one
        for one in findings
        if not document.silenced(one) and (one.code in _UNSET or (one.line, one.column) not in unset)
    )
    return sorted(kept, key=lambda one: (one.line, one.column, one.code))


def _config(document: Document) -> tuple[Config | None, frozenset[str]]:
    """The file's shape; without the sections that are wrong, so that the others' names are checked in the same run."""
    try:
        return Config.model_validate(document.tree), frozenset()
    except ValidationError as error:
        document.findings += _shape(document, error, Config, ())
        wrong = frozenset(str(one["loc"][0]) for one in error.errors() if one["loc"])
    kept = {key: value for key, value in document.tree.items() if key not in wrong}
    try:
        return Config.model_validate(kept | {"version": "1"}), wrong
    except ValidationError:
        return None, wrong


def _policies(document: Document, config: Config, findings: list[Finding]) -> list[Policy]:
    own = {name: _expanded(policy) for name, policy in config.policies.items()}
    zone = config.shop.timezone
    out: list[Policy] = []
    ready = {name: _policy(document, name, own, ("policies", name), findings, zone) for name in own}
    wanted: list[tuple[str, _Path]] = [(config.policy, ("policy",))]
    wanted += [(name, ("also", index)) for index, name in enumerate(config.also)]
    for name, path in wanted:
        made = ready[name] if name in own else _policy(document, name, own, path, findings, zone)
        if made is not None:
            out.append(made)
        if presets.unverified(name):
            message = Phrase("the preset {name} is not verified: no source supports it", name=name)
            findings.append(document.finding("W106", message, path, help_="check the rule with the platform"))
    if out and config.target is not None:
        out[0] = replace(out[0], targets=sense.own_target(config.target))
    return out


def _policy(
    document: Document,
    name: str,
    own: Mapping[str, Mapping[str, Any]],
    path: _Path,
    findings: list[Finding],
    zone: str,
) -> Policy | None:
    try:
        made = presets.tree(name, own)
        model = PolicyModel.model_validate(made)
    except ValidationError as error:
        findings += _shape(document, error, PolicyModel, path)
    except (PolicyError, InputError) as error:
        findings.append(document.finding("C020", error.message, path, help_=error.hint))
    else:
        try:
            return presets.scoring(model, tz=zone)
        except PolicyError as error:
            findings.append(document.finding("C020", error.message, path, help_=error.hint))
    return None


def _expanded(policy: OwnPolicy) -> dict[str, Any]:
    """A policy of the file, its short keys written out."""
    out: dict[str, Any] = {"based_on": policy.based_on, **(policy.model_extra or {})}
    if policy.deadline is not None:
        out["due"] = [{"after": duration_text(policy.deadline)}]
    if policy.window is not None:
        out["hours"] = dict(zip(("open", "close"), map(time_text, policy.window), strict=True))
    if policy.target is not None:
        out["targets"] = [{"name": "own", "op": ">=", "value": str(float(policy.target))}]
    return out


# --- pydantic's errors, in place and in our words ---------------------------------------------------------------------


def _shape(document: Document, error: ValidationError, model: type[BaseModel], base: _Path) -> list[Finding]:
    found = error.errors(include_url=False)
    # A list that is too short only because its items were refused is no mistake of its own.
    return [
        _one(document, one, model, base)
        for one in found
        if not (one["type"] == "too_short" and one["input"]) and not document.touches_refused((*base, *one["loc"]))
    ]


def _one(document: Document, found: Any, model: type[BaseModel], base: _Path) -> Finding:
    loc = tuple(part for part in found["loc"] if not (isinstance(part, str) and part.startswith("function-")))
    path = (*base, *loc)
    name = str(loc[-1]) if loc else ""
    kind = str(found["type"])
    if kind == "extra_forbidden":
        known = _keys(model, loc[:-1])
        help_ = nearest(name, known, Phrase("known here: {names}", names=", ".join(known)))
        return document.finding(
            "C010", Phrase("unknown key {name!r}", name=name), path, key=True, note="not a setting here", help_=help_
        )
    if kind == "missing":
        return document.finding(
            "C011", Phrase("{name!r} is missing", name=name), path[:-1], help_=_describe(model, loc)
        )
    unfit = refusal(found)
    sentence = Phrase("{place}: {sentence}", place=_dotted(loc), sentence=unfit.message) if loc else unfit.message
    code = "C013" if isinstance(unfit, UnreadableError) else "C012"
    return document.finding(code, sentence, path, help_=unfit.hint)


def _dotted(loc: _Path) -> str:
    return ".".join(str(part) for part in loc)


def _model_at(model: type[BaseModel], loc: _Path) -> type[BaseModel] | None:
    at: Any = model
    for part in loc:
        if not (isinstance(at, type) and issubclass(at, BaseModel)):
            at = next((one for one in get_args(at) if isinstance(one, type) and issubclass(one, BaseModel)), None)
            continue
        field = next((f for n, f in at.model_fields.items() if (f.alias or n) == part), None)
        at = field.annotation if field else None
        options = [one for one in get_args(at) if isinstance(one, type) and issubclass(one, BaseModel)]
        if options and not isinstance(part, int):
            at = options[0] if type(None) in get_args(at) else at
    if isinstance(at, type) and issubclass(at, BaseModel):
        return at
    return next((one for one in get_args(at) if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _keys(model: type[BaseModel], loc: _Path) -> list[str]:
    found = _model_at(model, loc)
    return [field.alias or name for name, field in found.model_fields.items()] if found else []


def _describe(model: type[BaseModel], loc: _Path) -> str:
    found = _model_at(model, loc[:-1])
    field = next((f for n, f in found.model_fields.items() if (f.alias or n) == loc[-1]), None) if found else None
    return field.description.replace("\n", " ") if field and field.description else ""
