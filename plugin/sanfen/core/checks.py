"""Every test a round went through, in the order of ``score``: what a policy leaves out, and what decided.

``score`` decides; this only lists. A property test holds the first check that holds to the reason ``score`` gives.
"""

from typing import NamedTuple

from sanfen.core.facts import Round
from sanfen.core.plan import Plan
from sanfen.core.reasons import Reason
from sanfen.core.score import Score

__all__ = ["Check", "checks", "clause_of"]

_TYPES = ("sub_account", "merchant", "platform_staff", "group_chat", "cn_account", "disabled_account")
_STORE = ("holiday_mode", "closed_shop")
_CLAUSES = {
    Reason.answered_in_time: "due",
    Reason.answered_late: "due",
    Reason.no_valid_reply: "due",
    Reason.within_deadline: "due",
    Reason.transferred: "transfer",
    Reason.open_at_midnight: "midnight",
    Reason.cross_midnight: "midnight",
    Reason.outside_hours: "hours",
    Reason.bot_only: "replies",
    Reason.non_human: "replies",
    Reason.no_reply: "no_reply",
    Reason.away: "away",
    Reason.gap_cut: "report",
    Reason.reply_counts: "replies",
    Reason.reply_ignored: "replies",
    Reason.reply_excuses: "replies",
    Reason.reply_voids: "replies",
    Reason.mode_unknown: "replies",
    Reason.unlisted_bot: "bots",
    Reason.empty_reply: "empty_replies",
}


class Check(NamedTuple):
    """One test. ``holds``: None where an earlier one had decided. ``clause``: the policy's key that asks for it."""

    name: Reason
    clause: str
    holds: bool | None


def clause_of(reason: Reason) -> str:
    """The key of a policy that a reason rests on."""
    return _CLAUSES.get(reason, "exclude")


def checks(one: Round, plan: Plan, scored: Score) -> list[Check]:
    """What the policy can leave a round out for, each with whether it does; up to the one that decided."""
    out: list[Check] = []
    decided = False
    for name, holds in _tests(one, plan, scored):
        out.append(Check(name, clause_of(name), None if decided else holds))
        decided |= holds
    return out


def _tests(one: Round, plan: Plan, scored: Score) -> list[tuple[Reason, bool]]:
    policy, tags = plan.policy, one.session.tags
    exclude = policy.exclude
    found = [(Reason(name), one.customer_type == name) for name in _TYPES if name in exclude]
    found += [(Reason(tag), scored.reason == tag) for tag in plan.left_out_tags if tag not in _TYPES or tag in tags]
    if "opened_by_merchant" in exclude:
        found.append((Reason.opened_by_merchant, one.session.by_merchant))
    found += [(Reason(name), one.store == name) for name in _STORE if name in exclude]
    if plan.tests_holiday:
        found.append((Reason.public_holiday, one.holiday))
    if policy.away == "exclude":
        found.append((Reason.away, one.store == "away"))
    # What follows looks at the reply, the day's end or the clock: the score has looked.
    effects = set(policy.replies.values())
    last = (
        (Reason.outside_hours, plan.hours_by is not None),
        (Reason.non_human, "voids" in effects),
        (Reason.zero_second, "zero_second" in exclude),
        (Reason.cross_midnight, policy.midnight in ("exclude_pending", "exclude_crossing")),
        (Reason.bot_only, "excuses" in effects),
        (Reason.no_reply, policy.no_reply == "excluded"),
        (Reason.gap_cut, policy.report.gap_cut_ms is not None),
    )
    return found + [(name, scored.reason == name) for name, asked in last if asked]
