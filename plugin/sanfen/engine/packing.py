"""Conversations with something due as bytes: less room, and nothing for the garbage collector to look at."""

import marshal
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any

from sanfen.core.events import Key
from sanfen.core.facts import Conversation, Round, Session

__all__ = ["key_of", "named", "packed", "unpacked"]


def _plain(kind: Any, *others: str) -> tuple[str, ...]:
    """The names of what is a number or a text."""
    return tuple(name for name in kind.__slots__ if name not in others)


_STATE = _plain(Conversation, "key", "session", "rounds", "held")
_SESSION = _plain(Session)
_ROUND = _plain(Round, "key", "session")
_state, _session, _round = attrgetter(*_STATE), attrgetter(*_SESSION), attrgetter(*_ROUND)


def named(key: Key) -> str:
    """A conversation as one text, which the garbage collector does not look at: its parts, separated by NUL."""
    return "\0".join(key)


def key_of(name: str) -> Key:
    """The conversation of such a text."""
    return Key(*name.split("\0", 2))


def packed(head: Sequence[int], states: Iterable[Conversation]) -> bytes | None:
    """Numbers, and the states of one conversation under several versions.

    None where a state is more than one session and its rounds: that is rare, and folded again.
    """
    try:
        return marshal.dumps((*head, [_facts(state) for state in states]))
    except ValueError:
        return None


def unpacked(key: Key, data: bytes) -> tuple[list[int], list[Conversation]]:
    """What was given to ``packed``."""
    *head, states = marshal.loads(data)  # noqa: S302  # made in this process
    return head, [_conversation(key, *facts) for facts in states]


def _facts(state: Conversation) -> tuple[Any, ...]:
    session = state.session
    if session is None or state.held or any(one.session is not session for one in state.rounds):
        raise ValueError
    return _state(state), _session(session), [_round(one) for one in state.rounds]


def _conversation(key: Key, of_state: Any, of_session: Any, of_rounds: Any) -> Conversation:
    state, session = Conversation(key), Session(0)
    _fill(state, _STATE, of_state)
    _fill(session, _SESSION, of_session)
    state.session = session
    for facts in of_rounds:
        one = Round.__new__(Round)
        one.key, one.session = key, session
        _fill(one, _ROUND, facts)
        state.rounds.append(one)
    return state


def _fill(one: object, names: Iterable[str], facts: Iterable[object]) -> None:
    any(map(setattr, repeat(one), names, facts))  # sixty times for a conversation: no loop of Python's
