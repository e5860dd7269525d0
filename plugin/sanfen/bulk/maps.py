"""A map file: which column means what, whose accounts are bots, which texts are automatic. YAML, for any kind of table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sanfen.bulk.columns import MAPPED, Column, Columns, usual_values
from sanfen.config.findings import Findings
from sanfen.config.load import inspect_rules
from sanfen.config.types import parse_zone
from sanfen.config.yaml import Document, read_file
from sanfen.core.classify import Rule
from sanfen.core.events import Mode, Sender
from sanfen.errors import InputError, Phrase, UnreadableError, nearest

__all__ = ["Map", "read_map"]

_SETTINGS = ("account", "timezone", "sheet", "unknown", "classify", "bots", "staff", "auto_replies")


_CLOSED = {"from": tuple(map(str, Sender)), "mode": tuple(map(str, Mode))}


class Map(NamedTuple):
    """What a map file says. ``columns``: None where it names none, so that they are guessed."""

    columns: Columns | None
    rules: tuple[Rule, ...]


def read_map(path: Path) -> Map:
    """The map of a YAML file (docs/imports.md). Raises InputError or ConfigError with the line and the mend."""
    document = read_file(path)
    if document.findings:
        raise InputError(Findings(document.findings[:1]))
    if not isinstance(document.tree, dict):
        raise InputError(Phrase("{path} is no column map", path=path), hint="write lines such as at: 发送时间")
    return _Reader(document).read()


class _Reader:
    """Reads one file; ``_wrong`` says where it is wrong."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._tree: Mapping[str, Any] = document.tree

    def read(self) -> Map:
        for key in self._tree:
            if key not in MAPPED and key not in _SETTINGS:
                known = (*MAPPED, *_SETTINGS)
                hint = nearest(key, known, Phrase("fields: {names}", names=", ".join(known)))
                raise self._wrong(key, Phrase("{key} is not a field of an event", key=key), hint)
        rules = {key: self._column(key, said) for key, said in self._tree.items() if key in MAPPED}
        columns = Columns(
            rules,
            accounts=self._texts("account"),
            zone=self._zone(),
            sheet=self._text("sheet"),
            nicknames=not isinstance(self._tree.get("from"), dict),
        )
        return Map(columns if rules else None, self._rules())

    def _column(self, key: str, said: Any) -> Column:
        if isinstance(said, str | list):
            return Column(self._listed(key, said), usual_values(key))
        if isinstance(said, dict) and set(said) <= {"column", "values"} and "column" in said:
            values = said.get("values") or {}
            if isinstance(values, dict) and all(isinstance(ours, str) for ours in values.values()):
                self._known(key, values)
                return Column(self._listed(key, said["column"]), values)
        if isinstance(said, dict) and set(said) == {"value"} and isinstance(said["value"], str):
            return Column(constant=said["value"])
        raise self._wrong(
            key,
            Phrase("{key}: write a column's name, or {{column: …, values: …}}, or {{value: …}}", key=key),
            _EXAMPLES.get(key, ""),
        )

    def _known(self, key: str, values: Mapping[str, str]) -> None:
        """Raises InputError for what a column's values cannot stand for."""
        known = _CLOSED.get(key, ())
        for ours in values.values():
            if known and ours not in known:
                hint = nearest(ours, known, Phrase("write {names}", names=", ".join(known)))
                raise self._wrong(key, Phrase("{key}: {said!r} is not known", key=key, said=ours), hint)

    def _rules(self) -> tuple[Rule, ...]:
        """Who answered, in the configuration's words; and what is left."""
        rules = inspect_rules(Path(self._document.name), needed=False)
        out = [one._replace(agents=frozenset(form for name in one.agents for form in _forms(name))) for one in rules]
        if self._choice("unknown", ("human", "ignore")) == "human":
            out.append(Rule("unknown", mode=Mode.human, modes=frozenset({Mode.unknown}), place=self._place("unknown")))
        return tuple(out)

    def _zone(self) -> str | None:
        name = self._text("timezone")
        try:
            return name and parse_zone(name).key
        except UnreadableError as error:
            said = Phrase("{place}: {sentence}", place="timezone", sentence=error.message)
            raise self._wrong("timezone", said, error.hint) from None

    def _text(self, key: str) -> str | None:
        said = self._tree.get(key)
        if said is not None and not isinstance(said, str):
            raise self._wrong(key, Phrase("{key}: not a text", key=key), _EXAMPLES[key])
        return said

    def _texts(self, key: str) -> tuple[str, ...]:
        return self._listed(key, self._tree[key]) if key in self._tree else ()

    def _listed(self, key: str, said: Any) -> tuple[str, ...]:
        """One text or several."""
        texts = [said] if isinstance(said, str) else said
        if not isinstance(texts, list) or not texts or not all(isinstance(one, str) and one for one in texts):
            sentence = Phrase("{key}: neither a text nor a list of texts", key=key)
            raise self._wrong(key, sentence, _EXAMPLES.get(key, f"{key}: 列名"))
        return tuple(texts)

    def _choice(self, key: str, known: Sequence[str]) -> str | None:
        said = self._tree.get(key)
        if said is not None and said not in known:
            hint = nearest(str(said), known, Phrase("write {names}", names=", ".join(known)))
            raise self._wrong(key, Phrase("{key}: {said!r} is not known", key=key, said=said), hint)
        return said

    def _place(self, *path: str | int) -> str:
        place = self._document.places.get(path) or self._document.places.get(path[:1])
        return f"{self._document.name}:{place.line}" if place else self._document.name

    def _wrong(self, key: str, message: str, hint: str, *more: int) -> InputError:
        return InputError(Phrase("{place}: {sentence}", place=self._place(key, *more), sentence=message), hint=hint)


_EXAMPLES = {
    "at": "at: [日期, 时间]",
    "from": "from: {column: 发送方, values: {买家: customer, 客服: merchant}}",
    "account": "account: 店铺主账号",
    "timezone": "timezone: Asia/Shanghai",
    "sheet": "sheet: 聊天记录",
}


def _forms(name: str) -> tuple[str, ...]:
    """The same account as exports write it."""
    halved = name.replace("：", ":")
    return (name, halved, halved.replace(":", "："), f"cntaobao{halved}")
