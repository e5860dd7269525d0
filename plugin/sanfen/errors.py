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
"""

__all__ = [
    "ConfigError",
    "DamagedError",
    "DeliveryError",
    "DeniedError",
    "InUseError",
    "InputError",
    "ParseError",
    "PolicyError",
    "SanfenError",
    "StoreError",
    "VerifyError",
]


class SanfenError(Exception):
    """Base of all: one clear sentence, and a hint that says how to mend it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  = help: {self.hint}" if self.hint else self.message


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
