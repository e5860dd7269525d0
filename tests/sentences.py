"""Every sentence our errors and findings are raised with, read out of the source: what a person may be told of."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Sentence", "sentences"]

ROOT = Path(__file__).parent.parent
RAISED = {
    "InputError", "StoreError", "InUseError", "DamagedError", "ConfigError", "PolicyError", "ParseError", "VerifyError",
    "DeliveryError", "BadCondition", "Refusal", "Unreached", "DeniedError", "UnfitError", "UnreadableError", "nearest",
}  # fmt: skip
MADE = {
    "Refusal": (1, 2),
    "Unreached": (1, 2),
    "nearest": (2,),
    "finding": (1,),
    "at": (1,),
    "_refuse": (2, 3),
    "_note": (2, 3),
    "_unreadable": (1, 2),
    "_wrong": (1, 2),
    "Finding": (1,),
}
"""Functions of the configuration that make a finding, and where its sentences stand among what they are given."""
NAMED = {"hint", "help_", "help", "note", "message"}


class Sentence(NamedTuple):
    """``text``: the English, or None for one that is put together where it cannot be translated."""

    text: str | None
    place: str


def sentences() -> Iterator[Sentence]:
    """Of every module."""
    for root in ("plugin", "adapters"):
        for path in sorted((ROOT / root).rglob("*.py")):
            yield from _Module(path).sentences()


class _Module:
    def __init__(self, path: Path) -> None:
        self._name = str(path.relative_to(ROOT))
        self._tree = ast.parse(path.read_text(encoding="utf-8"))
        self._inside: dict[ast.AST, ast.AST] = {}
        for node in ast.walk(self._tree):
            for child in ast.iter_child_nodes(node):
                self._inside[child] = node

    def sentences(self) -> Iterator[Sentence]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if called == "Phrase":
                    yield from self._of(node.args[0], node, frozenset())
                elif called in RAISED or (called in MADE and self._makes_findings(node)):
                    yield from self._slots(node, called)

    def _slots(self, node: ast.Call, called: str) -> Iterator[Sentence]:
        numbers = MADE.get(called, (0, 1) if called in ("UnfitError", "UnreadableError") else (0,))
        given = [node.args[number] for number in numbers if number < len(node.args)]
        for one in [*given, *(keyword.value for keyword in node.keywords if keyword.arg in NAMED)]:
            yield from self._of(one, node, frozenset())

    def _makes_findings(self, node: ast.Call) -> bool:
        return "/config/" in self._name or getattr(node.func, "attr", "") in ("finding", "_wrong")

    def _of(self, value: ast.expr, at: ast.AST, seen: frozenset[str]) -> Iterator[Sentence]:
        """The sentences an expression may be."""
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            if value.value:
                yield Sentence(value.value, f"{self._name}:{value.lineno}")
        elif isinstance(value, (ast.JoinedStr, ast.BinOp)):
            yield Sentence(None, f"{self._name}:{value.lineno}")
        elif isinstance(value, ast.IfExp):
            yield from self._of(value.body, at, seen)
            yield from self._of(value.orelse, at, seen)
        elif isinstance(value, ast.BoolOp):
            for one in value.values:
                yield from self._of(one, at, seen)
        elif isinstance(value, ast.Name) and value.id not in seen:
            for found in self._assigned(value.id, at):
                yield from self._of(found, at, seen | {value.id})
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id not in seen:
            for found in self._returned(value.func.id):
                yield from self._of(found, found, seen | {value.func.id})

    def _assigned(self, name: str, at: ast.AST) -> Iterator[ast.expr]:
        """What a name of this function, or of the module, was given."""
        while at in self._inside and not isinstance(at, (ast.FunctionDef, ast.AsyncFunctionDef)):
            at = self._inside[at]
        near = [*ast.walk(at), *self._tree.body] if at is not self._tree else self._tree.body
        for node in near:
            if isinstance(node, ast.Assign) and any(getattr(one, "id", "") == name for one in node.targets):
                yield node.value

    def _returned(self, name: str) -> Iterator[ast.expr]:
        for node in self._tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                for one in ast.walk(node):
                    if isinstance(one, ast.Return) and one.value is not None:
                        yield one.value
