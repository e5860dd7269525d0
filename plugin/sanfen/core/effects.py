"""What the machine asks for: the only way it speaks to the shell."""

from typing import NamedTuple

from sanfen.core.classify import Verdict
from sanfen.core.events import Message
from sanfen.core.facts import Round, Session
from sanfen.core.score import Score

__all__ = ["Effect", "Escalated", "Judged", "Opened", "Scored", "Tagged"]


class Opened(NamedTuple):
    """A round began."""

    at_ms: int
    round: Round


class Scored(NamedTuple):
    """A round's outcome is known, or changed."""

    at_ms: int
    round: Round
    score: Score


class Escalated(NamedTuple):
    """A round has waited until a step of its ladder: tell these people, or give it to another agent.

    ``turn``: how often the step has been told before. ``condition``: what must hold besides; the shell asks.
    """

    at_ms: int
    round: Round
    ladder: str
    step: int
    notify: tuple[str, ...]
    turn: int = 0
    reassign: str | None = None
    condition: str | None = None


class Judged(NamedTuple):
    """What the policy made of a merchant-side message."""

    message: Message
    verdict: Verdict


class Tagged(NamedTuple):
    """A tag came: closed rounds of this session must be scored again."""

    at_ms: int
    session: Session


Effect = Opened | Scored | Escalated | Judged | Tagged
