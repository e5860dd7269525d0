"""A policy made ready to run: its calendar, its patterns and the answers to questions asked for every message."""

import re
from functools import lru_cache

from sanfen.core.days import Calendar, calendar_of
from sanfen.core.policy import Policy

__all__ = ["TAGS", "Plan", "plan_of"]

_CUSTOMER_TYPES = ("sub_account", "merchant", "platform_staff", "group_chat", "cn_account", "disabled_account")

TAGS = ("spam", "ad", "blocked", "abnormal", "red_packet", "recalled", "no_response_needed", *_CUSTOMER_TYPES)
"""Tags a policy can exclude by, in the order they are tested; a customer's type can come late, as a tag."""


class Plan:
    """Everything about a policy that does not change from event to event."""

    __slots__ = (
        "away",
        "calendar",
        "defer_hours",
        "due_after_ms",
        "empty",
        "fresh_days",
        "gap_ms",
        "hours_by",
        "ignore_outside",
        "left_out_tags",
        "left_out_types",
        "moves",
        "policy",
        "settles",
        "tests_holiday",
        "tests_reply_hours",
    )

    def __init__(self, policy: Policy) -> None:
        hours = policy.hours
        self.policy = policy
        self.calendar: Calendar = calendar_of(policy.tz, hours, policy.holidays)
        self.empty = tuple(re.compile(pattern, re.IGNORECASE) for pattern in policy.empty_replies)
        self.left_out_types = policy.exclude.intersection(_CUSTOMER_TYPES)
        self.left_out_tags = tuple(tag for tag in TAGS if tag in policy.exclude)
        self.tests_holiday = not policy.exclude.isdisjoint({"public_holiday", "special_day"})
        self.ignore_outside = hours is not None and hours.outside == "ignore"
        self.defer_hours = hours is not None and hours.outside == "defer"
        asks_hours = any(rule.when_hours is not None for rule in policy.due)
        self.hours_by = hours.by if hours is not None and hours.outside == "exclude" and not asks_hours else None
        self.tests_reply_hours = self.hours_by in ("replied", "either")
        self.gap_ms = policy.session.gap_ms
        first = policy.due[0]
        plain = first.when_days is None and first.when_hours is None and first.clock == "wall"
        self.due_after_ms = first.after_ms if plain and not self.defer_hours else None  # the usual deadline
        # these two settle every open round when its day ends
        self.settles = policy.midnight in ("exclude_pending", "missed")
        self.fresh_days = policy.midnight != "none" or policy.unit in ("customer_day", "agent_customer_day")
        self.away = policy.away
        self.moves = any(ladder.moves for ladder in policy.ladders)


@lru_cache(maxsize=512)
def plan_of(policy: Policy) -> Plan:
    """The plan of a policy; the same object for the same policy."""
    return Plan(policy)
