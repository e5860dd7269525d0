"""Every text a person reads, in English and Chinese: by name, or, where our errors are concerned, by the English sentence.

What is said where the catalogue is not known (the core, adapters) is raised in English; ``said`` looks up its Chinese in
``sanfen.sayings``. Reasons have their sentences in ``core/reasons.py``.
"""

from typing import Literal

from sanfen.errors import told
from sanfen.sayings import SAID
from sanfen.sayings.usage import USAGE
from sanfen.talk import TALK
from sanfen.wording import BOARD

__all__ = ["SAID", "TEXTS", "USAGE", "Language", "said", "t"]

Language = Literal["en", "zh"]

TEXTS: dict[str, tuple[str, str]] = {
    # outcomes and verdicts
    "outcome_met": ("met", "达标"),
    "outcome_late": ("late", "晚答"),
    "outcome_missed": ("missed", "未答"),
    "outcome_pending": ("pending", "待答"),
    "outcome_excluded": ("excluded", "不计"),
    "verdict_valid": ("valid", "有效"),
    "verdict_invalid": ("invalid", "无效"),
    # what became of a notice
    "state_waiting": ("waiting", "待发"),
    "state_sending": ("sending", "发送中"),
    "state_told": ("told", "已通知"),
    "state_inhibited": ("not needed", "无需通知"),
    "state_failed": ("failed", "未送达"),
    "state_unsure": ("unsure", "不确定"),
    # notices
    "notice_title": ("A customer has waited {waited}", "顾客已等 {waited}"),
    "notice_title_many": ("{count} customers wait, the longest for {waited}", "{count} 位顾客在等，最久 {waited}"),
    "notice_more": ("and {count} more", "另有 {count} 位"),
    "notice_left": (
        "{customer} in {shop}/{channel} has waited {waited} for an answer; {left} left. Held by {agent}.",
        "{shop}/{channel} 的 {customer} 已等 {waited}，还剩 {left}。当前客服：{agent}。",
    ),
    "notice_over": (
        "{customer} in {shop}/{channel} has waited {waited} for an answer; the deadline has passed. Held by {agent}.",
        "{shop}/{channel} 的 {customer} 已等 {waited}，已过时限。当前客服：{agent}。",
    ),
    "notice_question": ("They asked: {question}", "问：{question}"),
    "nobody": ("nobody", "无"),
    # a link in a notice
    "act_title": ("A customer waits", "有顾客在等"),
    "act_waited": ("waited", "已等"),
    "act_take": ("I take it", "我来处理"),
    "act_snooze": ("Remind in 5 minutes", "5 分钟后提醒"),
    "act_release": ("Hand it back", "交回"),
    "act_escalate": ("Call the next person", "通知下一位"),
    "act_as": ("You act as", "操作人："),
    "act_taken_by": ("It is with", "处理人："),
    "act_done_take": ("It is yours: nobody else is reminded of it.", "已由你处理，不再提醒其他人。"),
    "act_done_snooze": ("Nobody is reminded for 5 minutes.", "5 分钟内不再提醒。"),
    "act_done_release": ("Handed back: reminders go on.", "已交回，继续提醒。"),
    "act_done_escalate": ("The next person is being told.", "正在通知下一位。"),
    # replay and tables
    "replay_policy": (
        "{policy}: {numerator} of {denominator} = {value}",
        "{policy}：{numerator}/{denominator} = {value}",
    ),
    "replay_limit": (
        "{policy}: {free} of {sent} messages were free to send, {outside} needed a template",
        "{policy}：{sent} 条消息中 {free} 条在免费回复期内，{outside} 条须用模板",
    ),
    "replay_compare": (
        "what differs: sanfen compare {file} {one} {other}",
        "差异：sanfen compare {file} {one} {other}",
    ),
    "replay_mean": ("{policy}: mean {value} over {n}", "{policy}：平均 {value}（{n} 轮）"),
    "replay_counts": (
        "met {met}, late {late}, missed {missed}, pending {pending}, excluded {excluded}",
        "达标 {met}，晚答 {late}，未答 {missed}，待答 {pending}，不计 {excluded}",
    ),
    "replay_excluded": ("excluded: {reasons}", "不计：{reasons}"),
    "replay_target": ("target {name} {op} {value}: {word}", "目标 {name} {op} {value}：{word}"),
    "target_met": ("met", "达到"),
    "target_not_met": ("not met", "未达到"),
    "replay_period": ("{first} to {last}, {units} units", "{first} 至 {last}，{units} 个计数单位"),
    "replay_unassessed": ("too few units: not assessed", "数量不足，不考核"),
    "replay_unknown": (
        "{count} of {replies} replies have an unknown mode and were not counted as answers. If people wrote them: "
        "--unknown human. If some are a bot's or automatic, say which in a file: --map FILE (docs/imports.md)",
        "{replies} 条回复中有 {count} 条不知是谁发的，没有算作回复。若是人工所发：--unknown human；若有机器人或自动回复，用文件说明：--map 文件（docs/imports.md）",
    ),
    "unknown_replies": (
        "{count} replies have an unknown mode and were not counted as answers. If people wrote them: "
        "sanfen replay {file} --unknown human --out {file} --score-set people, or rules for the service: classify:",
        "有 {count} 条回复不知是谁发的，没有算作回复。若是人工所发："
        "sanfen replay {file} --unknown human --out {file} --score-set people，或在配置中写规则：classify:",
    ),
    "replay_unverified": (
        "{policy} is not verified: no source supports it; do not rely on its number",
        "{policy} 未经核实：没有可靠来源，数字仅供参考",
    ),
    "reconcile_same": ("same", "一致"),
    "reconcile_differs": ("differs", "不一致"),
    "replay_duplicates": ("{count} repeated events were counted once", "{count} 条重复事件只算一次"),
    "replay_guessed": ("{file}: columns guessed: {columns}", "{file}：猜测的列：{columns}"),
    "replay_sorting": ("{file} is not in order of time: sorting it first", "{file} 没有按时间排序：先排序"),
    "replay_saved": ("saved: {file} (try: sanfen rates {file})", "已存：{file}（试试：sanfen rates {file}）"),
    "replay_reading": ("reading", "读取中"),
    "explain_nothing": (
        "no round and no customer of this log is called {asked!r}\n  = help: sanfen rounds {log} lists them",
        "这份记录里没有叫 {asked!r} 的轮次或顾客\n  = 建议：sanfen rounds {log} 列出全部",
    ),
    "nothing_found": ("nothing found", "没有找到"),
    # adapters
    "adapters_nothing": ("it tells nothing: relayed, and nothing to count", "没有内容：照常转发，不计数"),
    "adapters_unread": ("cannot be read: {error}", "无法读取：{error}"),
    "adapters_challenge": ("a challenge: answered with {answer}", "握手请求：回答 {answer}"),
    "adapters_wrote": ("wrote {path}", "已写 {path}"),
    "adapters_next": ("next: docs/adapters.md", "接下来看 docs/adapters.md"),
    "dry_question": ("a question", "提问"),
    "dry_event": ("an event", "事件"),
    "adapters_unlisted": ("in neither staff nor bots: a customer", "不在 staff 与 bots 中：按顾客算"),
    "adapters_channel": ("no channel {name}; there are: {names}", "没有渠道 {name}；有：{names}"),
    # route and test
    "route_none": ("no ladder of {policy} matches", "{policy} 没有匹配的升级阶梯"),
    "route_nobody": ("nobody", "没有人"),
    "route_reassign": ("reassign to {name}", "转给 {name}"),
    "route_again": ("again every {every}, {times} times", "每 {every} 再通知，共 {times} 次"),
    "skipped_off_duty": ("is off duty", "不当班"),
    "skipped_nobody_holds_it": ("nobody holds it", "没有客服在接待"),
    "skipped_agent_unknown": ("is nobody under people", "不在 people 里"),
    "test_differs": ("expected {expected}, found {found}", "预期 {expected}，实际 {found}"),
    "test_sum": ("{passed} passed, {failed} failed", "{passed} 通过，{failed} 失败"),
    "incomplete": ("incomplete", "不完整"),
    "incomplete_note": (
        "incomplete: deliveries of this span are missing from the log or not journaled yet (the gaps view lists them)",
        "不完整：这段时间有消息未能记录或尚未入库（见 gaps 视图）",
    ),
    # explain
    "explain_head": (
        "{id}  {shop}/{channel}  {customer}  {day}  policy {policy}  → {outcome}",
        "{id}  {shop}/{channel}  {customer}  {day}  规则 {policy}  → {outcome}",
    ),
    "explain_because": ("because {sentence}; {waited}; {counted}", "因为{sentence}；{waited}；{counted}"),
    "explain_wait": ("waited {waited}, deadline {due}", "等待 {waited}，截止 {due}"),
    "explain_opens": ("opens the round", "开始一轮"),
    "explain_asks": ("question", "提问"),
    "explain_closes": ("closes the round", "结束这一轮"),
    "explain_told": ("told: {answer}", "已通知：{answer}"),
    "explain_state": ("{state}: {reason}", "{state}：{reason}"),
    "explain_text_gone": ("(no text)", "（无文字）"),
    "text_not_kept": ("(the text is not kept)", "（文字未保留）"),
    "explain_whatif": ("under {policy}: {outcome}, {sentence}", "按 {policy}：{outcome}，{sentence}"),
    "explain_elsewhere_none": ("under {policy}: opens no round", "按 {policy}：不开始新的一轮"),
    "explain_clause": ("clause {key}: {value}  ({place})", "依据条款 {key}: {value}（{place}）"),
    "explain_checked": ("checked: {checks}", "逐项检查：{checks}"),
    "explain_source": ("source: {at}  {says}", "来源：{at}  {says}"),
    "check_yes": ("YES", "是"),
    "check_no": ("no", "否"),
    "check_unasked": ("not asked", "未问"),
    "explain_counted": ("counts in the denominator", "计入分母"),
    "explain_counted_both": ("counts in numerator and denominator", "计入分子和分母"),
    "explain_not_counted": ("counts nowhere", "不计入"),
    # compare
    "compare_side": (
        "{score_set}/{policy}: {met} of {rounds} rounds met",
        "{score_set}/{policy}：{rounds} 轮中 {met} 轮达标",
    ),
    "compare_differ": ("{differ} rounds differ, {same} do not", "{differ} 轮不同，{same} 轮相同"),
    "compare_none": ("no round", "没有这一轮"),
    # budget
    "budget_head": (
        "{policy}, target {target} {op} {wanted}: {value} from {first_day} to {last_day}, {word}",
        "{policy}，目标 {target} {op} {wanted}：{first_day} 至 {last_day} 为 {value}，{word}",
    ),
    "budget_broken": ("broken", "未达到"),
    "budget_holds": ("holds", "达到"),
    "budget_few": ("too few units: not assessed", "数量不足，不考核"),
    "budget_left": (
        "{used} misses of {units} units; {allowed} allowed, {left} left; it bears {in_a_row} more in a row",
        "{units} 个计数单位中 {used} 个未达标；允许 {allowed}，还剩 {left}；还可连续 {in_a_row} 个未达标",
    ),
    "budget_over": (
        "{used} misses of {units} units; {allowed} allowed: {over} too many",
        "{units} 个计数单位中 {used} 个未达标；允许 {allowed}，已多 {over}",
    ),
    "budget_burn": (
        "burn rate: last hour {hour}, last day {day} (1 uses it up exactly)",
        "消耗速度：近一小时 {hour}，近一天 {day}（1 为恰好用完）",
    ),
    "budget_leaves": (
        "tomorrow {units} units with {misses} misses leave the period",
        "明天有 {units} 个计数单位（未达标 {misses}）移出周期",
    ),
    "budget_breaks": ("at this pace it breaks on {day}", "按目前速度，{day} 破线"),
    "budget_lasts": ("at this pace it holds", "按目前速度，不会破线"),
    "budget_today": (
        "today: {won} won, {lost} lost, {open} can still go either way",
        "今天：已达标 {won}，已失 {lost}，未定 {open}",
    ),
    "budget_lost": ("lost already: {names}", "已失：{names}"),
    "budget_open": ("can still go either way: {names}", "未定：{names}"),
    "budget_more": ("and {count} more", "等，另有 {count} 个"),
    "budget_no_target": (
        "the policy states no target: give one with --target '>= 90%'",
        "规则没有规定目标：用 --target '>= 90%' 指定",
    ),
    # notify
    "notify_test_title": ("This is a test", "这是一条测试消息"),
    "notify_test_text": (
        "{shop} can reach you here when a customer waits. Nobody waits now.",
        "有顾客在等时，{shop} 可以这样提醒你。现在没有人在等。",
    ),
    "notify_told": ("told in {seconds} s: {answer}", "已送达，{seconds} 秒：{answer}"),
    "notify_refused": ("refused in {seconds} s: {answer}", "被拒绝，{seconds} 秒：{answer}"),
    "notify_unknown": ("nobody knows, {seconds} s: {answer}", "结果不明，{seconds} 秒：{answer}"),
    "notify_untried": ("not tried; --all tries every way", "没有尝试；--all 会试每一种方式"),
    "notify_nobody": ("{name} was not reached", "没有联系上 {name}"),
    # how a refusal is mended, by its reason
    "mend_keyword": (
        "add the word 三分 to the robot's keywords: every message begins with it",
        "给机器人的关键词加上“三分”：每条消息都以它开头",
    ),
    "mend_signature": (
        "give the way the robot's signing secret (secret: ${{NAME}}), and set this machine's clock by NTP",
        "给这种方式写上机器人的加签密钥（secret: ${{NAME}}），并用 NTP 校准本机时间",
    ),
    "mend_ip": (
        "add this machine's public address to the robot's list, or let the robot check a keyword or a signature instead",
        "把本机的公网地址加入机器人的白名单，或改用关键词、加签",
    ),
    "mend_token": (
        "the robot is not there any more, or its token is mistyped: copy the address from the robot's page again",
        "机器人已不在，或 token 抄错：请从机器人的设置页重新复制地址",
    ),
    "mend_gone": (
        "the robot is switched off or its group is gone: ask the group's owner",
        "机器人已停用或群已解散：请找群主",
    ),
    "mend_limited": (
        "it has had too many messages and takes none for a while; DingTalk is silent for ten minutes",
        "消息太多，暂时不再接收；钉钉会限流十分钟",
    ),
    "mend_tls": (
        "its certificate is not trusted here: wrong host, expired, or a proxy in between",
        "证书不受信任：主机不对、已过期，或中间有代理",
    ),
    "mend_unreachable": ("check the address, the name server and the firewall", "连不上：检查地址、域名解析和防火墙"),
    "mend_timeout": ("it may have arrived all the same: ask the person", "没有及时回答，也可能已经送达：请问一下本人"),
    "mend_lost": ("it may have arrived all the same: ask the person", "连接中断，也可能已经送达：请问一下本人"),
    "mend_not_understood": (
        "something else answered in its place: a login page, a proxy or a firewall",
        "回答的不是它：可能是登录页、代理或防火墙",
    ),
    "mend_content": (
        "the robot's platform does not like what the message says: the next way is used",
        "机器人平台不接受消息里的内容：改用下一种方式",
    ),
    "mend_denied": (
        "an address inside a network must be in outbound: {allow: [...]}",
        "内网地址须写进 outbound: {allow: [...]}",
    ),
    "mend_plugin_hangs": ("mend or remove the plugin, then restart the service", "修好或去掉这个插件，再重启服务"),
    "mend_no_program": (
        "the program must be there, and this user must be allowed to run it",
        "程序须存在，且当前用户有权运行",
    ),
    # demo
    "demo_welcome": (
        "三分 demo · shop 旗舰店 · policy taobao-2022-01, target 90 % · {agents} agents, {days} days, {rounds} scored rounds. It is {at} there. Ctrl-C ends it.",
        "三分演示 · 旗舰店 · 规则 taobao-2022-01，目标 90 % · {agents} 位客服，{days} 天，已计分 {rounds} 轮。店里此刻是 {at}。Ctrl-C 结束。",
    ),
    "demo_board": ("board   {url}        (log: {log})", "看板    {url}        （记录：{log}）"),
    "demo_try": (
        'try     sanfen say "在吗" --from buyer:me        in a second terminal, then watch the clock',
        '试试    sanfen say "在吗" --from buyer:me        在另一个终端里，然后看倒计时',
    ),
    "demo_summary": (
        "3-minute rate {rate} of {decided} rounds: met {met}, late {late}, missed {missed}; excluded {excluded}, "
        "pending {pending}",
        "3 分钟响应率 {rate}，共 {decided} 轮：达标 {met}，晚答 {late}，未答 {missed}；不计 {excluded}，待答 {pending}",
    ),
    "demo_unsigned": (
        "{count} forwarded requests had lost their signature: please report this",
        "{count} 个转发的请求丢了签名：请反馈",
    ),
    "demo_next": (
        "the log is kept. Try: sanfen rates {log} --by agent   or: sanfen rounds {log} --status late",
        "记录已保存。试试：sanfen rates {log} --by agent   或：sanfen rounds {log} --status late",
    ),
    # usage of the command line
    "usage_unexpected": (
        "sanfen: unexpected {word}: {error}\n  = help: run it again with --debug and report what it shows",
        "sanfen：意外错误 {word}：{error}\n  = 建议：加上 --debug 再运行一次，并反馈输出",
    ),
    "usage_code": ("no code {code}; codes: {codes}", "没有代码 {code}；代码有：{codes}"),
    "usage_file": ("name a file, such as sanfen.yaml", "请给出文件，如 sanfen.yaml"),
    "usage_own_days": (
        "--period policy names its own days: leave --from and --to out",
        "--period policy 自带日期：请去掉 --from 和 --to",
    ),
    "usage_days": ("--days names the first day: leave --from out", "--days 已定起始日：请去掉 --from"),
    "usage_who": ("write buyer:ID or agent:NAME", "写 buyer:编号 或 agent:名字"),
    "usage_whom": (
        "name a --customer, or --list what was erased",
        "请用 --customer 指明顾客，或用 --list 查看已删除的",
    ),
    "usage_policies": ("give one policy to show, or two to compare", "请给出一个规则查看，或两个规则比较"),
    # erasing
    "erase_sure": (
        "What this customer said is overwritten and cannot be had back. Go on?",
        "该顾客说过的话将被覆盖，无法恢复。继续？",
    ),
    "erase_done": (
        "emptied: {messages} messages, {notices} notices; rounds and scores stay",
        "已清空：{messages} 条消息，{notices} 条通知；轮次和得分保留",
    ),
    # login page
    "login_title": ("Log in", "登录"),
    "login_token": ("Token", "令牌"),
    "login_enter": ("Log in", "登录"),
    "login_help": (
        "The token is the one from admin: in the configuration. Whoever set sanfen up can tell you yours.",
        "令牌即配置中 admin: 下的令牌，请向部署人员索取。",
    ),
    "login_wrong": ("This token is not valid", "令牌无效"),
    "login_wait": ("Too many wrong tokens: wait five minutes", "错误次数过多：请等五分钟再试"),
    "login_leave": ("Log out", "退出"),
    # the API's page
    "api_title": ("API", "接口"),
    "api_about": (
        "The numbers of the board, the command line and the SQL views, under the same names. Customers are masked. What goes "
        "wrong is said as problem+json, with a hint. A name that ends in _ms is epoch milliseconds, or a duration in them.",
        "与看板、命令行、SQL 视图同名同数。顾客姓名已遮盖。出错时以 problem+json 说明，并附解决办法。以 _ms 结尾的是毫秒时间戳或毫秒时长。",
    ),
    "api_everywhere": ("Everywhere:", "通用参数："),
    "api_only_leads": (
        "for leads; JSON, with a bearer or from a page of the board",
        "仅限组长；JSON，须带令牌或从看板页面发出",
    ),
    "api_needed": ("needed", "必填"),
    "api_gives": ("gives", "返回"),
    # the board, in part: wording.py has the rest
    "board_title": ("sanfen: now", "三分：现在"),
    "board_nobody": ("✓ Nobody is waiting", "✓ 没有人在等"),
    "board_rate": ("3-minute rate", "3 分钟响应率"),
    "board_open": ("Waiting now", "正在等"),
    "board_told": ("Told last", "最近通知"),
    "board_degraded": ("The log cannot be written: relaying without scoring", "记录无法写入：只转发，不计分"),
    "board_aside": (
        "Deliveries are kept aside, the figures are incomplete: {cause} ({kept} waiting, {lost} lost)",
        "消息暂存在外，数字不完整：{cause}（待入库 {kept}，丢失 {lost}）",
    ),
    "board_not_adopted": ("The changed configuration is not in force", "修改后的配置没有生效"),
    "board_standby": ("Standing by: another instance serves this shop", "备用：另一实例正在服务"),
    "board_incomplete": ("incomplete", "不完整"),
    "board_customer": ("customer", "顾客"),
    "board_agent": ("agent", "客服"),
    "board_other_language": ("中文", "English"),
    **TALK,
    **BOARD,
}


def said(sentence: str, language: str) -> str:
    """What an error or a finding says, in a language; a sentence that is not ours stays as it is."""
    return told(sentence, SAID) if language == "zh" else str(sentence)


def t(name: str, language: str = "en", /, **values: object) -> str:
    """The text of a name in a language, with its values put in."""
    return TEXTS[name][language == "zh"].format(**values)
