"""The help of the command line and the headers of its tables in Chinese, by their English. Texts: ``sanfen.catalogue``."""

__all__ = ["COLUMNS", "OPTIONS", "VERBS"]

VERBS: dict[str, str] = {
    "": "三分：人多久回复？转发聊天，判断回复，及时提醒，逐轮计分。",
    "demo": "运行真正的服务：模拟的顾客和客服，三十天的历史，实时看板。Ctrl-C 结束，记录留在目录里。",
    "init": "写出 config/sanfen.yaml、密钥、供编辑器用的 schema、第一个测试和 systemd 单元。\n\n"
    "会问四件事：渠道、通知谁、规则、时区。已有的文件不会被覆盖。",
    "serve": "转发、判断、提醒、计分，直到停止（Ctrl-C 或 SIGTERM）。SIGHUP 重新读取配置。",
    "say": "发一条消息，看结果：开始了哪一轮，或回复算不算数。\n\n"
    "消息带签名从渠道自己的入口进入，并转发给后面的工作流；无法代渠道写消息时，走 /events。没有服务时退出码为 3。",
    "tail": "一行一件事：提问、回复算不算数、通知、结果。没有服务时退出码为 3。",
    "check": "找出配置里的所有错误，检查记录文件是否损坏。退出码 0：没有问题；1：有；2：文件读不了。",
    "doctor": "检查配置、服务、时钟、磁盘、记录、时限、节假日、转发目标和通知方式。\n\n"
    "不会给任何人发消息；要试发用 sanfen notify 名字。有必须处理的问题时退出码为 1。",
    "route": "事前先问：channel=desk agent=lily group=aftersale tag=vip hour=21 policy=pdd-3m at=2026-11-29T21:30。\n\n"
    "显示升级阶梯及其所在行、每一步届时通知谁、谁不在。没有匹配的阶梯，或不是预期的那个，退出码为 1。",
    "test": "播放对话（docs/transcripts.md）并比较：=> 行是轮次，!> 行是通知。有差别时退出码为 1。",
    "notify": "告诉一个人这是测试，按顺序逐个尝试各种方式，直到成功。\n\n"
    "每种方式是收下还是拒绝，用对方的原话说明，并说明怎样解决。没有送达时退出码为 1。",
    "quiet": "一段时间内不通知任何人：add、list、end。没有服务时退出码为 3。",
    "quiet add": "现在开始静默。",
    "quiet list": "尚未结束的静默，包括配置文件里将要开始的。",
    "quiet end": "现在结束静默。",
    "rates": "轮次、结果和响应率，按计分集、规则和 --by 分行。\n\n"
    "rate 是达标轮次的比例；units、hits、value 是规则自己的计数：会话、顾客日、平均秒数。",
    "rounds": "列出轮次，最近的在前。",
    "explain": "一轮为什么是这个结果。ROUND 是轮次编号，或顾客名（取最近一轮）。没有这一轮时退出码为 1。",
    "budget": "错误预算：已错几轮，还能错几轮，消耗速度，明天移出周期的，何时破线。\n\n"
    "周期是还能改变的那个：到今天为止的滚动周期，或本周、本月。已破线时退出码为 1。",
    "figures": "首响、平响、未回复人数、消息数、慢响应、询单、订单：按客服或时段。",
    "query": "问一个问题；记录以只读方式打开。视图和列见 docs/sql-cookbook.md。\n\n"
    "服务写入的同时，也可以用 sqlite-utils、Datasette、sqlite3 读取。",
    "datasette": "用 Datasette 打开记录：分面、现成的问题、回到看板的链接。\n\n"
    "顾客名打码，消息文字不显示。DB 之后的选项交给 datasette serve：-p 8001、--open。",
    "replay": "给聊天记录计分：JSON、CSV、TSV、表格、对话文本、自己的记录；- 读标准输入。",
    "compare": "比较 A 和 B：记录里的规则，或 计分集/规则。\n\n"
    "同一个问题的轮次放在一起比；差别按原因分组，最大的在前。有差别时退出码为 1。",
    "reconcile": "把平台自己的未回复人数、平均等待与我们的记录对账（docs/imports.md）。\n\n有差别时退出码为 1。",
    "policies": "不带名字：列出自带的规则。一个：内容和来源。两个：差别。",
    "erase": "清空某个顾客的消息、原始请求和通知里引用的话；轮次和得分保留。\n\n"
    "文件不能正在使用：服务运行时通过 HTTP 请求（docs/security.md）。没有这个顾客时退出码为 1。",
    "schema": "打印 sanfen.yaml 的 JSON Schema。编辑器据此补全和检查。",
    "completion": "打印你的 shell 的补全脚本；放在哪里见 docs/cli.md。",
}
"""What each verb does, by its path."""

OPTIONS: dict[str, str] = {
    "Show the version and exit.": "显示版本。",
    "Show where an unexpected error comes from.": "显示意外错误的来源。",
    "Language of what is said (default: LANG).": "语言（默认按 LANG）。",
    "The configuration file (or SANFEN_CONFIG).": "配置文件（或 SANFEN_CONFIG）。",
    "The configuration of the running service (or SANFEN_CONFIG).": "运行中的服务的配置（或 SANFEN_CONFIG）。",
    "Print JSON.": "输出 JSON。",
    "Print CSV.": "输出 CSV。",
    "Print one JSON object a line.": "每行输出一个 JSON 对象。",
    "Print Markdown.": "输出 Markdown。",
    # demo
    "How fast the shop's time runs.": "店里的时间走多快。",
    "Traffic; another if taken.": "消息端口；被占用时换一个。",
    "Where the log and the configuration go.": "记录和配置放在哪里。",
    "End after so long, such as 60s; without it: at Ctrl-C.": "多久后结束，如 60s；默认到 Ctrl-C 为止。",
    # init
    "Ask nothing: take what the options say, and defaults.": "不提问：用选项和默认值。",
    "The kind of channel: an adapter, such as generic.": "渠道种类：适配器，如 generic。",
    "How the lead is reached, such as dingtalk://TOKEN; docs/notifiers.md.": "怎样通知值班组长，如 dingtalk://TOKEN；见 docs/notifiers.md。",
    "The rule rounds are judged by.": "按哪条规则判断。",
    "The shop's time zone.": "店铺的时区。",
    # serve, say, tail
    "If another instance writes the log, wait, and take over when it ends.": "另一实例在写记录时等待，它结束后接管。",
    "Where messages arrive, in place of the file's listen.hooks.": "接收消息的地址，代替文件里的 listen.hooks。",
    "Where the board and the API are, in place of listen.board.": "看板和 API 的地址，代替 listen.board。",
    "Judge and show everything, tell nobody, hand nothing over.": "照常判断和显示，不通知任何人，不转派。",
    "Who says it.": "谁说的。",
    "Whose conversation an agent answers in.": "客服在哪个顾客的对话里回复。",
    "Which channel; default: the first of the configuration.": "哪个渠道；默认是配置里的第一个。",
    "Marked as an automatic reply, as a platform marks its own.": "标为自动回复，像平台标记的那样。",
    "Only these: ask, reply, escalate, met, late, missed, excluded.": "只看这些：ask、reply、escalate、met、late、missed、excluded。",
    "Begin with what happened since then.": "从何时发生的事开始。",
    "The board; another if taken.": "看板端口；被占用时换一个。",
    "Open no browser.": "不打开浏览器。",
    "One short line each, without what was said.": "每件事一短行，不显示消息文字。",
    # check, route, test, notify, quiet
    "How findings are printed.": "输出格式。",
    "Warnings count as findings for the exit code.": "警告也影响退出码。",
    "What a code means.": "解释一个代码。",
    "Exit 1 if it is another ladder.": "不是这个阶梯时退出码为 1。",
    "The configuration to test (or SANFEN_CONFIG). Without it each chat's own policy: holds.": "要测试的配置（或 SANFEN_CONFIG）。不给时用每段对话自己的 policy:。",
    "Also say which chats passed.": "也显示通过的对话。",
    "Only chats whose name or title has this in it.": "只测名称或标题含有这个词的对话。",
    "Try every way, also after one has worked.": "每种方式都试，成功后也继续。",
    "How long: 2h, 30m.": "多久：2h、30m。",
    "What for; shown to whoever asks why nobody was told.": "为什么；有人问起时显示。",
    "Who says so; default: the user's name.": "谁决定的；默认是当前用户。",
    # questions to a log
    "Group by; several with commas between them.": "分组；多个用逗号隔开。",
    "The policy's own period, as it stands now or at --as-of.": "规则自己的周期，以现在或 --as-of 为准。",
    "With --period: look from this instant.": "配合 --period：以这个时刻为准。",
    "The last N local days, today included.": "最近 N 天，含今天。",
    "First local day, 2026-11-01.": "起始日，2026-11-01。",
    "Last local day.": "截止日。",
    "Only this agent.": "只看这位客服。",
    "Only this channel.": "只看这个渠道。",
    "Only this shop.": "只看这家店。",
    "Only this policy.": "只看这条规则。",
    "live, replay, or another; default: live if there is one.": "live、replay 或其他；默认有 live 就用 live。",
    "live, replay, or another.": "live、replay 或其他。",
    "Only this outcome.": "只看这种结果。",
    "Only this reason, such as cross_midnight.": "只看这个原因，如 cross_midnight。",
    "Only this conversation.": "只看这个对话。",
    "Opened since then: so long ago, or a local day or time.": "从何时开始：多久以前，或某天、某时。",
    "The N longest waits.": "等得最久的 N 轮。",
    "At most so many; machine formats show all.": "最多这么多；机器格式显示全部。",
    "Show customers in full.": "显示完整的顾客名。",
    "Show the customer in full.": "显示完整的顾客名。",
    "Also under this policy: a preset or a file; or of the log's, this one.": "再按这条规则看：预设或文件；或记录里的这一条。",
    "A target in place of the policy's own.": "代替规则目标的目标。",
    "Look from this instant. Default: now.": "以这个时刻为准，默认现在。",
    "Change a definition: cap=10m, slow=90s, slow_times=2, within=1m (docs/figures.md).": "修改定义：cap=10m、slow=90s、slow_times=2、within=1m（docs/figures.md）。",
    "Fill :NAME in the SQL.": "填入 SQL 里的 :NAME。",
    # replay, compare, erase
    "A policy to score by; several give several results.": "按哪条规则计分；多条给出多个结果。",
    "Change a key of the policy: midnight=exclude_crossing, hours.open=09:00.": "修改规则的键：midnight=exclude_crossing、hours.open=09:00。",
    "Look at the log as it stood then. Default: after its end.": "以当时的记录为准。默认在结束之后。",
    "Zone of times without offset, and of policies that leave it to the shop.": "没有偏移的时间所在的时区，也用于由店铺决定时区的规则。",
    "Local dates that are holidays or special days.": "节假日或特殊日期。",
    "Only the policy's own period, as it stands at --as-of.": "只看规则自己的周期，以 --as-of 为准。",
    "Which column means what, whose replies are a bot's, as YAML (docs/imports.md).": "每列的含义、哪些回复是机器人的，YAML 格式（docs/imports.md）。",
    "Write the guessed columns as a map.": "把猜测的列写成映射文件。",
    "What replies of unknown mode are.": "不知是谁发的回复算什么。",
    "Classification rules: a file with classify:.": "分类规则：含 classify: 的文件。",
    "What does the work.": "用什么计算。",
    "Keep events and rounds in a new log, for rates, rounds, explain and SQL.": "把事件和轮次存入新记录，供 rates、rounds、explain 和 SQL 使用。",
    "The name of these scores in --out. With a name of your own --out may be a log that is there: events stay as they are.": "这批计分在 --out 里的名字。用自己的名字时 --out 可以是已有的记录，事件保持不变。",
    "Show every round.": "显示每一轮。",
    "B is in this log.": "B 在这个记录里。",
    "Show every round that differs.": "显示每一个有差别的轮次。",
    "The customer's name, as the channel writes it.": "顾客名，与渠道里的写法一致。",
    "Do not ask.": "不询问。",
    "What was erased so far.": "已经删除过什么。",
}
"""Lines of help, by the English one."""

COLUMNS: dict[str, str] = {
    "score_set": "计分集", "policy": "规则", "shop": "店铺", "channel": "渠道", "agent": "客服", "day": "日期",
    "week": "周", "month": "月", "hour": "时段", "rounds": "轮数", "met": "达标", "late": "晚答", "missed": "未答",
    "pending": "待答", "excluded": "不计", "rate": "响应率", "mean_wait": "平均等待",
    "units": "计数", "hits": "命中", "value": "数值", "first": "首日", "last": "末日", "assessed": "考核", "targets": "目标",
    "id": "编号", "opened": "开始", "customer": "顾客", "outcome": "结果", "reason": "原因", "wait": "等待",
    "messages": "消息", "incomplete": "缺数据", "target": "目标", "used": "已用", "left": "剩余", "breaks": "破线日",
    "consult_num": "咨询人数", "no_reply_num": "未回复", "ask_num": "询单", "first_reply_mean": "首响",
    "total_reply_mean": "平响", "longest_reply": "最长等待", "ok": "三分钟内", "slow_reception_num": "慢响应",
    "long_receive_num": "长接待", "seller_msg_num": "客服消息", "buyer_msg_num": "顾客消息", "mark": "响应得分",
    "order_num": "下单", "paid_num": "付款", "paid_amount": "付款额", "way": "方式", "result": "结果", "answer": "回答",
    "took": "用时", "from": "开始", "until": "结束", "by": "操作人", "why": "原因", "state": "状态", "what": "项目",
    "told": "情况", "examples": "例子", "a": "甲", "b": "乙", "because_a": "甲的原因", "because_b": "乙的原因",
    "confidence": "可信度", "as_of": "时间", "title": "名称", "key": "键", "at": "时间", "notices": "通知",
    "figure": "指标", "theirs": "平台", "ours": "我们", "difference": "差", "same": "是否一致",
    "answered_here": "这里的回复数",
}  # fmt: skip
"""Headers of tables, by the column's name."""
