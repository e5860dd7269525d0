"""The conditions of steps, in CEL: checked when the configuration is read, evaluated when a step is due.

The one place that knows the library. It finds types and names at load with their column, its patterns are RE2 and cannot
hang, and a condition that loops is stopped.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sanfen.errors import Phrase

__all__ = ["VARIABLES", "BadCondition", "Condition"]

VARIABLES: dict[str, tuple[str, Any, str]] = {
    "waited": ("DURATION", timedelta(seconds=150), "since the first unanswered question: waited > duration('2m')"),
    "text": ("STRING", "在吗", "the first unanswered question, empty where no text is kept"),
    "tags": ("TAGS", ["vip"], "the conversation's tags: 'vip' in tags"),
    "vip": ("BOOL", True, "whether it is tagged vip"),
    "agent": ("STRING", "lily", "who holds the conversation, empty: nobody"),
    "agent_open": ("INT", 3, "open rounds of that agent"),
    "agent_online": ("BOOL", True, "whether that agent has answered anybody in the last ten minutes"),
    "channel": ("STRING", "desk", "the channel's name"),
    "hour": ("INT", 21, "the shop's hour of the day, 0 to 23"),
    "budget_left": ("INT", 12, "misses the target can still bear; very many where there is no target"),
    "burn_rate": ("DYN", 1.5, "how fast misses come in the last hour; 1 uses the budget up exactly"),
}
"""What a condition may name: its type, a sample and what it is."""

_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_UNKNOWN = re.compile(r"undeclared reference to '([^']+)'")


class BadCondition(Exception):  # noqa: N818  # a value for whoever reads the file
    """A condition that cannot be used. ``column``: from 0, in its text. ``unknown``: the name nobody declared."""

    def __init__(self, message: str, column: int = 0, unknown: str | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.unknown = unknown
        self.hint = hint


class Condition:
    """A condition, checked. Raises BadCondition."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            from cel_expr_python import cel  # noqa: PLC0415  # an extra
        except ImportError:
            raise BadCondition(
                "conditions need an extra that is not installed", hint="pip install 'sanfen[rules]'"
            ) from None
        types = {
            name: cel.Type.List(cel.Type.STRING) if kind == "TAGS" else getattr(cel.Type, kind)
            for name, (kind, _, _) in VARIABLES.items()
        }
        try:
            self._made = cel.NewEnv(variables=types).compile(text)
        except RuntimeError as error:
            raise _explained(str(error)) from None
        if self._made.return_type() != cel.Type.BOOL:
            raise BadCondition("the condition is not true or false", hint="compare something: waited > duration('2m')")
        bare = _QUOTED.sub("", text)
        self.names = frozenset(name for name in VARIABLES if re.search(rf"\b{name}\b", bare))
        self.holds({name: sample for name, (_, sample, _) in VARIABLES.items()})  # what only shows when it runs

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether it holds; ``facts``: a value for each of ``names``. Raises BadCondition."""
        try:
            found = self._made.eval(data=dict(facts)).plain_value()
        except RuntimeError as error:  # it would loop for too long
            raise _explained(str(error)) from None
        if not isinstance(found, bool):
            raise BadCondition(str(found).partition(": ")[2] or "it cannot be evaluated")
        return found


def _explained(text: str) -> BadCondition:
    found = _PLACE.search(text)
    if found is None:
        return BadCondition(text.partition(": ")[2] or text)
    message = found[3].removesuffix(" [INVALID_ARGUMENT]").replace("google.protobuf.Duration", "duration")
    unknown = _UNKNOWN.search(message)
    if unknown:
        return BadCondition(
            Phrase("unknown name {unknown!r} in the condition", unknown=unknown[1]), int(found[2]) - 1, unknown[1]
        )
    if message.startswith("Syntax error"):
        return BadCondition(
            "the condition cannot be read here", int(found[2]) - 1, hint="it is CEL: waited > duration('2m') && vip"
        )
    return BadCondition(message, int(found[2]) - 1, hint=_HINTS.get(message.split(" '")[0], ""))


_HINTS = {
    "found no matching overload for": Phrase(
        "both sides must be of one kind: a duration with a duration, a number with a number"
    )
}
