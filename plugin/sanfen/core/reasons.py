"""The closed list of reasons: why a round got its outcome, and why a reply was valid or not.

A code is part of the public interface; its sentences in English and Chinese are what ``sanfen explain`` shows.
"""

from enum import StrEnum

__all__ = ["Reason", "sentence"]


class Reason(StrEnum):
    """A fact that decided something. ``plain`` ones repeat their outcome, and are null in rows and JSON."""

    # outcomes that speak for themselves
    answered_in_time = "answered_in_time"
    answered_late = "answered_late"
    no_valid_reply = "no_valid_reply"
    within_deadline = "within_deadline"
    # missed, and why it is final
    transferred = "transferred"
    open_at_midnight = "open_at_midnight"
    # excluded: the policy's ``exclude`` names
    sub_account = "sub_account"
    merchant = "merchant"
    platform_staff = "platform_staff"
    group_chat = "group_chat"
    cn_account = "cn_account"
    disabled_account = "disabled_account"
    spam = "spam"
    ad = "ad"
    blocked = "blocked"
    abnormal = "abnormal"
    red_packet = "red_packet"
    recalled = "recalled"
    no_response_needed = "no_response_needed"
    opened_by_merchant = "opened_by_merchant"
    holiday_mode = "holiday_mode"
    closed_shop = "closed_shop"
    public_holiday = "public_holiday"
    zero_second = "zero_second"
    # excluded: what happened
    outside_hours = "outside_hours"
    cross_midnight = "cross_midnight"
    bot_only = "bot_only"
    non_human = "non_human"
    no_reply = "no_reply"
    away = "away"
    gap_cut = "gap_cut"
    # verdicts on a reply
    reply_counts = "reply_counts"
    reply_ignored = "reply_ignored"
    reply_excuses = "reply_excuses"
    reply_voids = "reply_voids"
    unlisted_bot = "unlisted_bot"
    empty_reply = "empty_reply"
    mode_unknown = "mode_unknown"

    @property
    def plain(self) -> bool:
        """Whether the outcome alone already says it."""
        return self in _PLAIN


_PLAIN = frozenset(
    {Reason.answered_in_time, Reason.answered_late, Reason.no_valid_reply, Reason.within_deadline},
)

_SENTENCES: dict[Reason, tuple[str, str]] = {
    Reason.answered_in_time: ("a valid reply came in time", "有效回复在时限内"),
    Reason.answered_late: ("a valid reply came after the deadline", "有效回复晚于时限"),
    Reason.no_valid_reply: ("the deadline passed without a valid reply", "时限已过，没有有效回复"),
    Reason.within_deadline: ("still open inside its deadline", "仍在时限内，尚未回复"),
    Reason.transferred: ("handed to another agent without a reply", "未回复即转接给他人"),
    Reason.open_at_midnight: ("still open at midnight, overdue", "到午夜仍未回复，已超时"),
    Reason.sub_account: ("the customer is a sub-account", "对方是子账号"),
    Reason.merchant: ("the customer is a merchant", "对方是商家"),
    Reason.platform_staff: ("the customer is platform staff", "对方是平台小二"),
    Reason.group_chat: ("a group chat", "群聊"),
    Reason.cn_account: ("the customer's account is in mainland China", "对方是中国大陆账号"),
    Reason.disabled_account: ("the customer's account is disabled", "对方账号已停用"),
    Reason.spam: ("marked as spam", "被标记为骚扰信息"),
    Reason.ad: ("marked as an advertisement", "被标记为广告"),
    Reason.blocked: ("the customer is blocked", "对方已被拉黑"),
    Reason.abnormal: ("marked as abnormal by the platform", "被平台判定为异常"),
    Reason.red_packet: ("a red packet", "红包消息"),
    Reason.recalled: ("the question was recalled", "提问已撤回"),
    Reason.no_response_needed: ("marked as needing no response", "被标记为无需回复"),
    Reason.opened_by_merchant: ("the merchant wrote first", "由商家先发起"),
    Reason.holiday_mode: ("the shop was in holiday mode", "店铺处于休假模式"),
    Reason.closed_shop: ("the shop was closed", "店铺处于关店状态"),
    Reason.public_holiday: ("opened on a day the rule leaves out", "发生在不考核的日子"),
    Reason.zero_second: ("answered within the same second", "同一秒内回复"),
    Reason.outside_hours: ("outside the assessed hours", "不在考核时段内"),
    Reason.cross_midnight: ("runs across midnight", "跨天"),
    Reason.bot_only: ("only an unattended bot replied", "只有机器人回复"),
    Reason.non_human: ("taken by an unattended bot", "由机器人接待"),
    Reason.no_reply: ("unanswered rounds are left out of this metric", "该指标不计未回复"),
    Reason.away: ("nobody was online", "当时无人在线"),
    Reason.gap_cut: ("the silence is longer than the metric looks at", "间隔过长，不计入该指标"),
    Reason.reply_counts: ("this kind of reply answers", "这类回复有效"),
    Reason.reply_ignored: ("this kind of reply does not count", "这类回复不算数"),
    Reason.reply_excuses: ("does not answer, but excuses the round if nobody does", "不算回复；若无人回复则该轮不计"),
    Reason.reply_voids: ("takes the round out of the count", "使该轮不计入"),
    Reason.unlisted_bot: ("the bot is not on the policy's list", "机器人不在规则认可的名单内"),
    Reason.empty_reply: ("the text is on the list of empty replies", "属于规则列出的无效话术"),
    Reason.mode_unknown: ("nothing tells whether a person wrote it", "无法判断是否人工发送"),
}


def sentence(reason: Reason, language: str = "en") -> str:
    """The reason in one sentence, ``zh`` or ``en``."""
    return _SENTENCES[reason][language == "zh"]
