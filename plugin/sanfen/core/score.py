"""A round's outcome, its reason and its proof. A pure function of the round's facts, the policy and the instant asked.

The order of the tests is part of the rule (docs/scoring.md): who asked, tags, who began, store state, holiday, away,
hours, voided, zero second, midnight, the reply, transfer, excuse, and at last whether there is still time.
"""

from enum import StrEnum
from typing import NamedTuple

from sanfen.core.days import NEVER
from sanfen.core.facts import Round
from sanfen.core.plan import Plan
from sanfen.core.policy import Marks, Policy
from sanfen.core.reasons import Reason

__all__ = ["COUNTED", "Outcome", "Score", "mark", "mark_of", "score"]


class Outcome(StrEnum):
    """What became of a round. met, late and missed are counted; pending and excluded are in no count."""

    met = "met"
    late = "late"
    missed = "missed"
    pending = "pending"
    excluded = "excluded"


COUNTED = frozenset({Outcome.met, Outcome.late, Outcome.missed})


class Score(NamedTuple):
    """An outcome with its reason and the ids of the events that prove it, in order."""

    outcome: Outcome
    reason: Reason
    evidence: tuple[str, ...]

    @property
    def public_reason(self) -> Reason | None:
        """The reason for rows and JSON: null where the outcome says it all."""
        return None if self.reason.plain else self.reason


def score(one: Round, plan: Plan, now_ms: int = NEVER) -> Score:
    """The outcome of a round as seen at ``now_ms`` (epoch milliseconds; default: long after everything)."""
    left_out = _left_out(one, plan)
    if left_out is not None:
        return left_out
    midnight = _midnight(one, plan, now_ms)
    if midnight is not None:
        return midnight
    policy = plan.policy
    if one.closed_ms is not None and one.closing_id is not None:
        return _answered(one, plan, one.closed_ms, (one.opening_id, one.closing_id))
    if one.transferred_id is not None:
        return Score(Outcome.missed, Reason.transferred, (one.opening_id, one.transferred_id))
    if one.excused_id is not None:
        return Score(Outcome.excluded, Reason.bot_only, (one.opening_id, one.excused_id))
    proof = (one.opening_id,)
    if policy.no_reply == "excluded":
        return Score(Outcome.excluded, Reason.no_reply, proof)
    if now_ms <= one.due_ms:
        return Score(Outcome.pending, Reason.within_deadline, proof)
    return Score(Outcome.missed, Reason.no_valid_reply, proof)


def mark(one: Round, outcome: Outcome, policy: Policy) -> int | None:
    """The mark of a round's response time; None where it is in no count."""
    return mark_of(one.wait_ms, policy.marks) if outcome in COUNTED else None


def mark_of(wait_ms: int | None, marks: Marks) -> int:
    """The mark of a wait: that of the first bound it keeps, else, and where nobody answered, the last one."""
    if wait_ms is None:
        return marks.beyond
    return next((number for within_ms, number in marks.bands if wait_ms <= within_ms), marks.beyond)


def _left_out(one: Round, plan: Plan) -> Score | None:
    """Tests that do not look at the deadline."""
    policy, session = plan.policy, one.session
    proof = (one.opening_id,)
    if one.customer_type in plan.left_out_types:
        return Score(Outcome.excluded, Reason(one.customer_type), proof)
    if session.tags:
        for tag in plan.left_out_tags:
            set_by = session.tags.get(tag)
            if tag == "recalled" and set_by is None and one.messages == 1:  # nothing of the question is left
                set_by = session.tags.get(f"recalled:{one.opening_id}")
            if set_by is not None:
                return Score(Outcome.excluded, Reason(tag), (one.opening_id, set_by))
    if session.by_merchant and "opened_by_merchant" in policy.exclude:
        return Score(Outcome.excluded, Reason.opened_by_merchant, proof)
    if one.store in policy.exclude:
        return Score(Outcome.excluded, Reason(one.store), proof)
    if one.holiday and plan.tests_holiday:
        return Score(Outcome.excluded, Reason.public_holiday, proof)
    if one.store == "away" and plan.away == "exclude":
        return Score(Outcome.excluded, Reason.away, proof)
    if plan.hours_by is not None and not _inside(one, plan.hours_by):
        return Score(Outcome.excluded, Reason.outside_hours, proof)
    if one.voided:
        return Score(Outcome.excluded, Reason.non_human, (one.opening_id, one.closing_id or ""))
    if one.closed_ms is not None and "zero_second" in policy.exclude and one.closed_ms // 1000 == one.last_ms // 1000:
        return Score(Outcome.excluded, Reason.zero_second, (one.opening_id, one.closing_id or ""))
    return None


def _inside(one: Round, by: str) -> bool:
    if by == "opened" or (by == "replied" and one.closed_ms is None):
        return one.inside
    if by == "session_opened":
        return one.session.inside
    if by == "replied":
        return one.replied_inside
    return one.inside or one.replied_inside


def _midnight(one: Round, plan: Plan, now_ms: int) -> Score | None:
    rule = plan.policy.midnight
    if rule == "none":
        return None
    end_ms = one.day_end_ms
    if rule == "exclude_crossing":
        if one.closed_ms is not None and one.closed_ms >= end_ms:
            return Score(Outcome.excluded, Reason.cross_midnight, (one.opening_id, one.closing_id or ""))
        return None
    if one.closed_ms is not None or one.transferred_id is not None or now_ms < end_ms:
        return None  # nothing can close it after its day: it is settled by then
    if one.excused_id is not None:
        return Score(Outcome.excluded, Reason.bot_only, (one.opening_id, one.excused_id))
    if rule == "missed" or one.due_ms <= end_ms:
        return Score(Outcome.missed, Reason.open_at_midnight, (one.opening_id,))
    return Score(Outcome.excluded, Reason.cross_midnight, (one.opening_id,))


def _answered(one: Round, plan: Plan, closed_ms: int, proof: tuple[str, ...]) -> Score:
    policy = plan.policy
    cut = policy.report.gap_cut_ms
    if cut is not None and one.wait_ms is not None and one.wait_ms >= cut:
        return Score(Outcome.excluded, Reason.gap_cut, proof)
    if closed_ms < one.due_ms or (closed_ms == one.due_ms and policy.inclusive):
        return Score(Outcome.met, Reason.answered_in_time, proof)
    return Score(Outcome.late, Reason.answered_late, proof)
