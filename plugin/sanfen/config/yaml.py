"""A YAML reader that keeps every scalar as text and remembers where everything stands.

Only the composer of PyYAML is used, never its types: those would turn ``23:00`` into 1380 and ``on`` into true. Refused:
aliases, anchors, tags, merges, duplicate keys, several documents, more than 256 KiB, more than 20 levels.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sanfen.config.findings import Finding
from sanfen.errors import Phrase, UnfitError

__all__ = ["Document", "Place", "read_file", "read_text"]

_LARGEST_BYTES = 256 * 1024
_DEEPEST = 20
_VARIABLE = re.compile(r"\$\{(?:file:([^}]+)|([A-Za-z_][A-Za-z0-9_]*))\}")
_SECRET_BYTES = 4_096
_Path = tuple[str | int, ...]


class Place(NamedTuple):
    """Where a key and its value stand; lines and columns from 1."""

    line: int
    column: int
    width: int
    key_line: int
    key_column: int
    key_width: int


class Document:
    """A file's tree of dicts, lists and texts, with the place of every node and what was wrong with it."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.split("\n")
        self.tree: Any = None
        self.places: dict[_Path, Place] = {}
        self.findings: list[Finding] = []
        self.literal: set[_Path] = set()  # texts that came without ${NAME}
        self.refused: list[_Path] = []  # what was not read, so that nothing else can be said of it

    def finding(
        self, code: str, message: str, path: _Path = (), *, key: bool = False, note: str = "", help_: str = ""
    ) -> Finding:
        """A finding at a node, or at its nearest parent that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        place = self.places.get(path, Place(1, 1, 1, 1, 1, 1))
        where = (place.key_line, place.key_column, place.key_width) if key else (place.line, place.column, place.width)
        return self.at(code, message, *where, note=note, help_=help_)

    def at(
        self, code: str, message: str, line: int, column: int, width: int, *, note: str = "", help_: str = ""
    ) -> Finding:
        """A finding at a place."""
        source = self.lines[line - 1].rstrip("\r") if 0 < line <= len(self.lines) else ""
        return Finding(code, message, self.name, line, column, source, width, note, help_)

    def touches_refused(self, path: _Path) -> bool:
        """Whether a part of the file there, or what holds it, was not read: what is said of it would be said for nothing."""
        return any(path[: len(one)] == one[: len(path)] for one in self.refused)

    def silenced(self, finding: Finding) -> bool:
        """Whether the line says ``# sanfen: allow CODE``."""
        return f"sanfen: allow {finding.code}" in finding.source


def read_file(path: Path, env: Mapping[str, str] | None = None) -> Document:
    """Read a file; trouble of any kind is in the document's findings."""
    name = str(path)
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= _LARGEST_BYTES and path.is_file() else b""
    except OSError as error:
        return _unreadable(
            name, Phrase("cannot read the file: {error}", error=error.strerror), "check the name and its rights"
        )
    if not path.is_file():
        return _unreadable(name, "this is not a file", "name a YAML file")
    if size > _LARGEST_BYTES:
        return _unreadable(name, "the file is larger than 256 KiB", "a configuration is text of a few pages")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _unreadable(name, Phrase("not UTF-8: byte {number}", number=error.start), "save the file as UTF-8")
    return read_text(text, name, env)


def read_text(text: str, name: str, env: Mapping[str, str] | None = None) -> Document:
    """Read a text; ``env`` fills ${NAME} (None: leave them as they are)."""
    document = Document(name, text)
    try:
        loader = yaml.SafeLoader(text)
        if _too_deep(text):
            document.findings.append(document.at("C001", "nested deeper than 20 levels", 1, 1, 1))
            return document
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        document.findings.append(
            document.at("C001", Phrase("not YAML: {problem}", problem=error.problem or error.context), line, column, 1)
        )
        return document
    except yaml.YAMLError as error:
        document.findings.append(
            document.at("C001", Phrase("not YAML: {problem}", problem=str(error).splitlines()[0]), 1, 1, 1)
        )
        return document
    except RecursionError:
        document.findings.append(document.at("C001", "nested deeper than 20 levels", 1, 1, 1))
        return document
    if node is None:
        document.findings.append(
            document.at("C001", "the file is empty", 1, 1, 1, help_="start from sanfen.example.yaml")
        )
        return document
    document.tree = _Reader(document, env).plain(node, (), None)
    return document


def _too_deep(text: str) -> bool:
    """Flow nesting is counted before the composer recurses into it."""
    depth = deepest = 0
    for char in text:
        if char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth = max(0, depth - 1)
    return deepest > 10 * _DEEPEST


def _unreadable(name: str, message: str, help_: str) -> Document:
    document = Document(name, "")
    document.findings.append(Finding("C003", message, name, 1, 1, help=help_))
    return document


class _Reader:
    """Turns composed nodes into plain values, collecting what is refused."""

    def __init__(self, document: Document, env: Mapping[str, str] | None) -> None:
        self._document = document
        self._env = env
        self._seen: set[int] = set()

    def plain(self, node: yaml.Node, path: _Path, key: yaml.Node | None) -> Any:
        line, column, width = _span(node)
        self._document.places[path] = Place(line, column, width, *(_span(key) if key else (line, column, width)))
        if id(node) in self._seen:
            return self._refuse(node, path, "an alias repeats another part of the file", "write the part out")
        self._seen.add(id(node))
        if len(path) > _DEEPEST:
            return self._refuse(node, path, "nested deeper than 20 levels", "")
        if _marked(self._document, node) in ("!", "&"):
            return self._refuse(node, path, "tags and anchors are not read here", "write a plain value")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*path, index), None) for index, item in enumerate(node.value)]
        return self._text(node, path)

    def _mapping(self, node: yaml.MappingNode, path: _Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, path, "a key must be a plain text", "")
                continue
            name = str(key.value)
            if name == "<<":
                self._refuse(key, path, "merges are not read here", "write the keys out, or use based_on: for policies")
            elif name in out:
                line, column, width = _span(key)
                message = Phrase("key {name!r} stands here a second time", name=name)
                help_ = Phrase("the first is in line {line}; keep one", line=first[name])
                self._document.findings.append(self._document.at("C002", message, line, column, width, help_=help_))
            else:
                first[name] = key.start_mark.line + 1
                out[name] = self.plain(value, (*path, name), key)
        return out

    def _text(self, node: yaml.Node, path: _Path) -> str | None:
        text = str(node.value)
        if not text.isprintable() and any(ord(char) < 32 and char not in "\t\n" for char in text):
            self._refuse(node, path, "a control character stands in the text", "")
            return None
        if "\ud800" <= max(text, default=" ") <= "\udfff" or any("\ud800" <= char <= "\udfff" for char in text):
            self._refuse(node, path, "half of a character stands in the text", "write the character itself")
            return None
        if text in ("", "~", "null") and getattr(node, "style", None) is None:
            return None
        if not _VARIABLE.search(text):
            self._document.literal.add(path)
            return text
        return text if self._env is None else _VARIABLE.sub(lambda found: self._filled(found, node), text)

    def _filled(self, found: re.Match[str], node: yaml.Node) -> str:
        if found[1]:
            return self._file(found[1], node)
        name = found[2]
        value = (self._env or {}).get(name)
        if value:
            return value
        message = Phrase("the environment variable {name} is not set", name=name)
        self._note("C004", node, message, Phrase("export {name}=… before starting sanfen", name=name))
        return f"unset variable {name}"

    def _file(self, name: str, node: yaml.Node) -> str:
        """What a secret's file holds; relative names are taken from the configuration's folder."""
        try:
            return _secret_file(Path(self._document.name).parent / name)
        except UnfitError as error:
            self._note("C005", node, Phrase("{place}: {sentence}", place=name, sentence=error.message), error.hint)
            return f"unread file {name}"

    def _refuse(self, node: yaml.Node, path: _Path, message: str, help_: str) -> None:
        self._document.refused.append(path)
        self._note("C001", node, message, help_)

    def _note(self, code: str, node: yaml.Node, message: str, help_: str) -> None:
        line, column, width = _span(node)
        self._document.findings.append(self._document.at(code, message, line, column, width, help_=help_))


def _secret_file(path: Path) -> str:
    """A secret's text, without the line's end. Raises UnfitError."""
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise UnfitError("not a file", "name a file that holds the secret and nothing else")
            if facts.st_mode & 0o077:
                raise UnfitError("others on this machine can read it", Phrase("chmod 600 {name}", name=path.name))
            if facts.st_uid not in (0, os.geteuid()):
                raise UnfitError("it belongs to somebody else", "chown it to the user sanfen runs as")
            raw = file.read(_SECRET_BYTES + 1)
    except OSError as error:
        raise UnfitError(
            Phrase("cannot be read: {error}", error=error.strerror), "check the name and its rights"
        ) from None
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(raw) > _SECRET_BYTES or not text.isprintable():
        raise UnfitError("it holds no secret but something else", "write one line of text into it")
    return text


def _span(node: yaml.Node) -> tuple[int, int, int]:
    start, end = node.start_mark, node.end_mark
    width = end.column - start.column if start.line == end.line else 1
    return start.line + 1, start.column + 1, max(1, width)


def _marked(document: Document, node: yaml.Node) -> str:
    """The character a node starts with: an explicit tag or anchor shows itself there."""
    line = document.lines[node.start_mark.line] if node.start_mark.line < len(document.lines) else ""
    return line[node.start_mark.column : node.start_mark.column + 1]
