"""Events that were kept under a name nobody could explain then: given to their conversation when it is known.

A customer known by one id for a while, and by two ids from then on, is one customer: the rounds of both become those of one
conversation, and ``changes`` records what became different. What people were told of a round stays told.
"""

from collections.abc import Iterable

from sanfen.core.events import Key
from sanfen.core.facts import round_id
from sanfen.core.policy import Policy
from sanfen.engine.memory import Memory
from sanfen.engine.pending import Pending
from sanfen.store import notes, orders, outbox, projection
from sanfen.store.notes import Stray
from sanfen.store.projection import LIVE, Renamed

__all__ = ["gather"]


def gather(
    pending: Pending, memory: Memory, policies: Iterable[Policy], zone: str, stray: Stray
) -> tuple[Key, Renamed]:
    """Give a stray's events to its conversation; returns that, to be folded anew, and the cause. Writer thread only."""
    pending.write()
    connection = pending.connection
    old, key = Key(stray.shop, stray.channel, stray.alias), Key(stray.shop, stray.channel, stray.conversation)
    live, folds = memory.fold(connection, old)
    names = {
        (one.id, round_id(key, one.opening_id, one.ordinal))
        for folded in folds
        for one, _ in folded.fold.rounds(live.now_ms)
    }
    memory.need(connection, key)  # as it was, so that what changes is recorded
    memory.drop(old)
    notes.rename(connection, stray)
    if orders.has(connection, old):
        orders.forget(connection, old)
        orders.save(connection, key, zone)
    outbox.renamed(connection, sorted(names))
    cause = Renamed(live.now_ms, stray.alias)
    for policy in policies:
        gone = projection.replace_conversation(connection, LIVE, policy.id, old, ())
        projection.record_changes(connection, policy.id, cause, old, gone, pending.now_ms)
    return key, cause
