"""A mistake in a file, and how it is shown: code, sentence, place, the line with a caret, and how to mend it."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from sanfen.errors import Phrase, told

__all__ = ["CODES", "Finding", "Findings"]

CODES: dict[str, str] = {
    "C001": "The file is not YAML, or uses a part of YAML that is refused here: aliases, tags, several documents.",
    "C002": "A key stands twice in one mapping. The second would silently win.",
    "C003": "The file cannot be read: missing, too large, not UTF-8.",
    "C004": "A ${NAME} stands for an environment variable that is not set.",
    "C005": "A ${file:PATH} cannot be read, holds no secret, or can be read by others on this machine.",
    "C010": "A key that is not a setting at this place.",
    "C011": "A setting that must be there is missing.",
    "C012": "A value that is not in the list, or of the wrong shape.",
    "C013": "A duration, clock time, window, percentage, pattern or address that cannot be read.",
    "C020": "A policy that is neither shipped nor defined under policies:.",
    "C021": "A person, roster or group that is not defined. Nobody would be told.",
    "C022": "A channel that is not defined under channels:.",
    "C023": "Two things of one name.",
    "C024": "Our answer may wait longer than the channel does: it would give up and send the same again.",
    "C030": "A condition that cannot be used: an unknown name, a wrong type, or not CEL at all.",
    "C040": "Only with --online: a name that leads to no address.",
    "C041": "Only with --online: nobody takes connections there, or not in time.",
    "C042": "Only with --online: the certificate there is not trusted.",
    "C043": "Only with --online: an address of ours that is not this machine's, or may not be listened on.",
    "W101": "A step that is due only after the deadline: the round is late already.",
    "W102": "Steps out of order: a later step is due before an earlier one.",
    "W103": "A ladder that tells nobody.",
    "W104": "A rule or ladder that can never match, because one above always does.",
    "W105": "A target above 100 %.",
    "W106": "The preset is not verified: no source supports it.",
    "W107": "A ladder for a policy that scores nothing here.",
    "W108": "Nobody is there for a part of the hours a ladder is for, and there is no fallback.",
    "W109": "A step gives the conversation away where that is itself a miss.",
    "W110": "A secret written in the file. Write ${NAME} and put it in the environment, or ${file:PATH}.",
    "W112": "The target may take longer than the channel waits, and only its answer will do.",
    "W113": "The answers of this channel are messages: its deliveries are passed on at once, whatever delivery: says.",
    "W120": "Only with --online: this machine's clock is off; signatures would be refused, deadlines come at the wrong time.",
    "W111": "Messages are taken without a signature: anybody who reaches the port can write them.",
}
"""What each code means; ``sanfen check --explain CODE`` shows it."""


class Finding(NamedTuple):
    """One mistake (codes C…) or doubt (codes W…). Lines and columns count from 1."""

    code: str
    message: str
    file: str
    line: int
    column: int
    source: str = ""
    width: int = 1
    note: str = ""
    help: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the file cannot be used."""
        return self.code.startswith("C")

    @property
    def head(self) -> Phrase:
        """Its first line."""
        values = {"code": self.code, "message": self.message}
        return (
            Phrase("error[{code}]: {message}", **values)
            if self.is_error
            else Phrase("warning[{code}]: {message}", **values)
        )

    def render(self, words: Mapping[str, str] | None = None) -> str:
        """As a compiler would show it. ``words``: in another language."""
        words = words or {}
        out = [
            told(self.head, words),
            f"  --> {self.file}:{self.line}:{self.column}",
        ]
        if self.source:
            gutter = " " * len(str(self.line))
            pad = " " * _cells(self.source[: self.column - 1])
            marked = "^" * max(1, _cells(self.source[self.column - 1 : self.column - 1 + self.width]))
            out += [
                f"{gutter} |",
                f"{self.line} | {self.source}",
                f"{gutter} | {pad}{marked} {told(self.note, words)}".rstrip(),
            ]
        if self.help:
            out.append("   " + told(Phrase("= help: {hint}", hint=self.help), words))
        return "\n".join(out)

    def fields(self, words: Mapping[str, str]) -> dict[str, Any]:
        """For ``--format json``. ``words``: its sentences in another language."""
        place = {"code": self.code, "file": self.file, "line": self.line, "column": self.column}
        return place | {name: told(getattr(self, name), words) for name in ("message", "note", "help")}


class Findings(Phrase):
    """Mistakes as one text, in order of place; as a phrase, it can be had in another language too."""

    __slots__ = ("findings",)
    findings: tuple[Finding, ...]

    def __new__(cls, findings: Iterable[Finding]) -> Self:
        """Of any number of findings."""
        ordered = sorted(findings, key=lambda one: (one.file, one.line, one.column))
        made = super().__new__(cls, "{text}", text="\n\n".join(one.render() for one in ordered))
        made.findings = tuple(ordered)
        return made

    @property
    def first(self) -> Phrase:
        """The first line of all."""
        return self.findings[0].head

    def told(self, words: Mapping[str, str]) -> str:
        """Every finding in another language."""
        return "\n\n".join(one.render(words) for one in self.findings)


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text if char != "\t") + text.count(
        "\t"
    )
