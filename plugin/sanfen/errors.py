"""Everything sanfen raises on purpose.

    SanfenError
    ├── ConfigError      the operator can mend it: carries every finding, each with its place
    ├── InputError       a file or an option cannot be used: who, where, how to mend it
    ├── PolicyError      a policy is unknown or contradicts itself
    ├── ParseError       the sender's bytes are not what the channel promises (HTTP 400)
    ├── VerifyError      the sender cannot prove who they are (HTTP 401)
    ├── DeliveryError    the remote side did not take a notice; says whether to try again
    └── StoreError       the database cannot be used: locked, foreign, too new
        ├── InUseError   another instance has the writer's role
        └── DamagedError its file is ours and cannot be trusted any more

Three questions choose the class: who can mend it, is it worth another try, what should a person do next (``hint``).
Inside the core nothing is raised for odd data: a message that cannot count is ignored, a round is excluded, with a reason.

Every sentence is English where it is raised, and has its Chinese in ``sanfen.sayings``, by the English. One that has values
in it is a ``Phrase``: ``Phrase("no policy is called {name!r}", name=name)``. ``sanfen.catalogue.said`` says it to a person.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self

__all__ = [
    "ConfigError",
    "DamagedError",
    "DeliveryError",
    "DeniedError",
    "InUseError",
    "InputError",
    "ParseError",
    "Phrase",
    "PolicyError",
    "SanfenError",
    "StoreError",
    "UnfitError",
    "UnreadableError",
    "VerifyError",
    "given_up",
    "nearest",
    "told",
]


_LIKENESS = 0.5  # from 0 to 1: how alike a name must be to be offered in place of one that is not known


class Phrase(str):
    """An English sentence with its values put in, which still knows both, so that it can be said in another language.

    A value may be a phrase, or a sentence that has a translation of its own; a single word of ours is given as a phrase,
    lest a name that is written alike were translated.
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Self:
        """``values`` go where ``template`` names them, as in ``str.format``."""
        made = super().__new__(cls, template.format(**values))
        made.template, made.values = template, values
        return made

    def told(self, words: Mapping[str, str]) -> str:
        """It in the words of another language, by the English ones; what has none stays."""
        values = {
            name: told(value, words)
            if isinstance(value, Phrase) or (isinstance(value, str) and " " in value)
            else value
            for name, value in self.values.items()
        }
        return words.get(self.template, self.template).format(**values)


def told(text: str, words: Mapping[str, str]) -> str:
    """A sentence in another language, by its English one."""
    return text.told(words) if isinstance(text, Phrase) else words.get(text, text)


def nearest(name: str, known: Iterable[str], rest: str) -> str:
    """A hint for a name that is not known: the one it looks like, if any, and what else is to be said."""
    from difflib import get_close_matches  # noqa: PLC0415  # only where a name is wrong

    close = get_close_matches(name, tuple(known), 1, _LIKENESS)
    if not close:
        return rest
    if not rest:
        return Phrase("did you mean {close}?", close=close[0])
    return Phrase("did you mean {close}? {rest}", close=close[0], rest=rest)


def given_up(name: str, count: int) -> Phrase:
    """Why a plugin of somebody else's, which has hung so often, is asked no more."""
    return Phrase(
        "{name} has hung {count} times and is asked no more: restart the service when it is mended",
        name=name,
        count=count,
    )


class UnfitError(ValueError):
    """A value of a configuration or a policy cannot be what it should. ``hint``: how to mend it.

    ``example``: a value that would do, or the keys that are wanting; None where there is none.
    """

    def __init__(self, message: str, hint: str = "", *, example: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.example = example


class UnreadableError(UnfitError):
    """It cannot even be read as its kind of value: no duration, no date, no address."""


class SanfenError(Exception):
    """Base of all: one clear sentence, and a hint that says how to mend it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return str(self.whole)

    @property
    def whole(self) -> Phrase:
        """The sentence, and how to mend it below."""
        if not self.hint:
            return Phrase("{sentence}", sentence=self.message) if not isinstance(self.message, Phrase) else self.message
        return Phrase("{sentence}\n  {mend}", sentence=self.message, mend=Phrase("= help: {hint}", hint=self.hint))


class ConfigError(SanfenError):
    """A configuration cannot be used. ``str()`` shows every finding with file, line, column and caret."""


class InputError(SanfenError):
    """A log file or an option cannot be used. The message names the file and the line."""


class PolicyError(SanfenError):
    """A policy is unknown or cannot hold together."""


class ParseError(SanfenError):
    """A delivery's body cannot be read as the channel's format."""


class VerifyError(SanfenError):
    """A delivery is not authentic. ``reason`` is a short code for metrics; it never quotes a secret."""

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class DeliveryError(SanfenError):
    """A notice did not arrive, or nobody knows whether it did.

    ``retryable``: another try may work. ``unknown``: the bytes may have arrived (time-out, reset), so a retry may
    duplicate. ``retry_after_ms``: the remote side asked for this pause, in milliseconds.
    """

    def __init__(
        self, message: str, *, reason: str, retryable: bool, unknown: bool = False, retry_after_ms: int | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retryable = retryable
        self.unknown = unknown
        self.retry_after_ms = retry_after_ms


class DeniedError(OSError):
    """An address must not be connected to: it is not public, and the operator has not listed it."""


class StoreError(SanfenError):
    """The database file cannot be used as the log."""


class InUseError(StoreError):
    """Another instance writes to the log."""


class DamagedError(StoreError):
    """The log is ours, and damaged."""
