"""The command line's part of the catalogue: English and Chinese, by name."""

__all__ = ["TALK"]

TALK: dict[str, tuple[str, str]] = {
    # verbs that talk to a running service
    "server_none": (
        "no service answers ({names})\n  = help: start one (sanfen serve -c FILE, or sanfen demo), or name its file: -c FILE",
        "没有服务在运行（{names}）\n  = 建议：先启动（sanfen serve -c 文件，或 sanfen demo），或指明它的配置：-c 文件",
    ),
    "server_no_file": ("looked for {names}", "找过 {names}"),
    "server_silent": (
        "no service answers at {address}: {reason}\n  = help: start it: sanfen serve -c {config}",
        "{address} 没有服务：{reason}\n  = 建议：启动它：sanfen serve -c {config}",
    ),
    "server_elsewhere": (
        "no service answers at {address}: {reason}\n  = help: check the address, and whether the service runs there",
        "{address} 没有服务：{reason}\n  = 建议：检查地址，以及那里的服务是否在运行",
    ),
    "serve_head": (
        "{config}: warnings: {warnings}, classify rules: {rules}, ladders: {ladders}, people: {people}",
        "{config}：警告 {warnings} 条，分类规则 {rules} 条，升级阶梯 {ladders} 个，人 {people} 位",
    ),
    "serve_kept": ("kept and scored, not passed on", "记录并计分，不转发"),
    "serve_dry": ("dry run: everything is judged and shown, nobody is told", "试运行：照常判断和显示，不通知任何人"),
    "serve_silent": (
        "no message yet after {seconds} s: point the channel's webhook at an address above, or try: sanfen say hello",
        "{seconds} 秒内没有收到消息：把渠道的 webhook 指向上面的地址，或试试：sanfen say 在吗",
    ),
    "say_sent": ("sent; not judged yet", "已发送，尚未判定"),
    "say_asked": ("{id}  {outcome}, due {due}", "{id}  {outcome}，截止 {due}"),
    "tail_opened": ("opened", "开始"),
    "tail_told": ("told {seconds} s", "已通知 {seconds} 秒"),
    "tail_refused": ("REFUSED {answer}", "被拒绝 {answer}"),
    "tail_unknown": ("unsure {answer}", "不确定 {answer}"),
    "quiet_added": (
        "quiet for {lasts}; end it: sanfen quiet end {number}",
        "静默 {lasts}；提前结束：sanfen quiet end {number}",
    ),
    "quiet_ended": ("silence {number} has ended", "静默 {number} 已结束"),
    "quiet_none": ("no silence is planned", "没有计划内的静默"),
    "policies_same": ("no difference", "没有差别"),
    "datasette_missing": ("Datasette is not installed here", "没有安装 Datasette"),
    # init
    "init_channel": ("Which channel do messages come from?", "消息来自哪种渠道？"),
    "init_told": (
        "Who is told, and how? An address such as dingtalk://TOKEN; console: prints here",
        "怎样通知值班组长？地址如 dingtalk://TOKEN；console: 打印在这里",
    ),
    "init_policy": (
        "Which rule are you judged by? (sanfen policies lists them)",
        "按哪条规则考核？（sanfen policies 列出全部）",
    ),
    "init_tz": ("In which time zone is the shop?", "店铺在哪个时区？"),
    "init_out": ("where the shop's answers went before", "店铺回复原来送到的地方"),
    "init_timeout": ("less than the channel waits for an answer", "要短于渠道等待应答的时间"),
    "init_secret_ours": ("give the same to the sender", "发送方也用这个密钥"),
    "init_secret_theirs": ("put the channel's own secret into this file", "把渠道自己的密钥写进这个文件"),
    "init_there": ("{name} is there already, nothing was written", "{name} 已经存在，没有写入任何文件"),
    "init_there_mend": ("name another folder: sanfen init shop", "换一个目录：sanfen init shop"),
    "init_nobody": ("nobody answers the questions: --yes takes the defaults", "没有人回答问题：--yes 使用默认值"),
    "init_done": (
        "next:\n  cd {folder}\n  sanfen check config/sanfen.yaml\n  sanfen test tests -c config/sanfen.yaml\n"
        "  sanfen serve -c config/sanfen.yaml --dry-run      # messages go to http://127.0.0.1:8970/in/{channel}",
        "接下来：\n  cd {folder}\n  sanfen check config/sanfen.yaml\n  sanfen test tests -c config/sanfen.yaml\n"
        "  sanfen serve -c config/sanfen.yaml --dry-run      # 消息发到 http://127.0.0.1:8970/in/{channel}",
    ),
    # doctor
    "doctor_config": ("configuration", "配置"),
    "doctor_no_config": ("none found: sanfen init, or name it with -c", "没有找到：sanfen init，或用 -c 指明"),
    "doctor_versions": ("{versions}; extras: {extras}", "{versions}；附加组件：{extras}"),
    "doctor_holidays": ("holidays {year}", "{year} 年节假日"),
    "doctor_holidays_known": (
        "days off and workdays of China are known (holidays {version})",
        "放假和调休已收录（holidays {version}）",
    ),
    "doctor_holidays_unknown": (
        "China's shifted days are not known yet: pip install -U holidays once they are published (now {version})",
        "调休尚未收录：国务院公布后 pip install -U holidays（现为 {version}）",
    ),
    "doctor_service": ("service", "服务"),
    "doctor_silent": ("nobody answers at {address}", "{address} 没有回应"),
    "doctor_answers": ("answers at {address}, version {version}", "{address} 正常，版本 {version}"),
    "doctor_other_version": (
        "answers at {address} in version {version}: restart it to run this one",
        "{address} 的版本是 {version}：重启后才会用当前版本",
    ),
    "doctor_clock": ("clock", "时钟"),
    "doctor_apart": ("the service's and ours are {apart} apart", "服务与本机相差 {apart}"),
    "doctor_disk": ("disk", "磁盘"),
    "doctor_free": ("{folder}: {free} GiB free", "{folder}：剩余 {free} GiB"),
    "doctor_not_writable": ("{folder} cannot be written", "{folder} 不可写"),
    "doctor_log": ("log", "记录"),
    "doctor_no_log": ("{path} is not there yet: the service makes it", "{path} 还没有：服务启动时创建"),
    "doctor_size": ("{path}: {size} MiB, events: {events}", "{path}：{events} 个事件，{size} MiB"),
    "doctor_deliveries": ("deliveries", "收到的消息"),
    "doctor_read": ("of the last {deliveries} all could be read", "最近 {deliveries} 条都能读懂"),
    "doctor_unread": (
        "of the last {deliveries} {unread} could not be read (the view unread), the last one on {channel}: {reason}",
        "最近 {deliveries} 条中有 {unread} 条读不懂（见视图 unread），最近一条来自 {channel}：{reason}",
    ),
    "doctor_notices": ("notices", "通知"),
    "doctor_sent": (
        "last {days} days: {sent}, of them {late} more than 10 s late, {lost} lost or unsure",
        "最近 {days} 天：{sent} 条，晚于 10 秒 {late} 条，未送达或不确定 {lost} 条",
    ),
    "doctor_gaps": ("gaps", "缺口"),
    "doctor_gaps_found": (
        "last {days} days: {gaps}, {deliveries} deliveries lost",
        "最近 {days} 天：{gaps} 处，丢失 {deliveries} 条",
    ),
    "doctor_steps": ("clock set", "校时"),
    "doctor_set": ("last {days} days: {steps} times", "最近 {days} 天：{steps} 次"),
    "doctor_forward": ("forward {name}", "转发 {name}"),
    "doctor_reached": ("takes connections", "可以连接"),
    "doctor_way": ("{way}; try it: sanfen notify {name}", "{way}；试一下：sanfen notify {name}"),
    "doctor_last_told": ("; last told: {answer}", "；上次送达：{answer}"),
    "doctor_last_refused": ("; last refused: {answer}", "；上次被拒绝：{answer}"),
    "doctor_last_unknown": ("; last not known: {answer}", "；上次结果不明：{answer}"),
    "doctor_people": ("people", "通知人"),
    "doctor_nobody": ("nobody can be told", "没有人可以通知"),
    # check
    "check_none": ("{files}: no findings", "{files}：没有问题"),
    "check_online": (
        "online: {reached} addresses take connections, {clock}",
        "联网检查：{reached} 个地址可以连接，{clock}",
    ),
    "check_not_online": ("{path}: nothing was looked at online: mend it first", "{path}：没有联网检查：请先改好文件"),
    "check_clock": ("the clock is right within {seconds} s", "时钟误差在 {seconds} 秒以内"),
    "check_no_clock": ("nobody was asked for the time", "没有可核对时间的地方"),
    "check_whole": ("{path}: a whole log", "{path}：记录完好"),
    "check_upgraded": ("{path}: brought up to date", "{path}：已更新到当前版本"),
    "check_orphan": ("{path}: {table} has a row without its parent", "{path}：{table} 有一行找不到上级"),
    "check_drift": (
        "{path}: hours of the roll-up disagree with their rounds ({rows} rows)",
        "{path}：按小时的汇总与轮次不符（{rows} 行）",
    ),
    "check_wrong": ("has it:", "有这个问题："),
    "check_right": ("mended:", "改好之后："),
    # rates
    "rates_head": ("rounds answered in time", "按时回复的轮次"),
    "rates_total": ("all", "合计"),
    "rates_left_out": ("excluded: {reasons}", "不计：{reasons}"),
    # the week's report
    "report_title": ("rounds answered in time", "按时回复的轮次"),
    "report_head": ("{policy}, {first} to {last}", "{policy}，{first} 至 {last}"),
    "report_rate": (
        "{rate} of {rounds} rounds in time{word}: {met} met, {late} late, {missed} missed; {excluded} left out",
        "{rounds} 轮中 {rate} 按时{word}：达标 {met}，晚答 {late}，未答 {missed}；不计 {excluded}",
    ),
    "report_above": (", target {target} reached", "，达到目标 {target}"),
    "report_below": (", below the target {target} ▼", "，低于目标 {target} ▼"),
    "report_before": ("the week before: {rate} ({points} points since)", "上一周：{rate}（变化 {points} 个百分点）"),
    "report_talk": (
        "{customers} customers, {unreplied} without any reply by a person; first reply after {first}, mean {total}",
        "{customers} 位顾客咨询，{unreplied} 位没有得到人工回复；首次响应 {first}，平均响应 {total}",
    ),
    "report_spread": (
        "agents from {low} {low_rate} to {high} {high_rate}",
        "客服从 {low} {low_rate} 到 {high} {high_rate}",
    ),
    "report_hour": ("the weakest hour: {hour}:00, {rate}", "最弱的时段：{hour}:00，{rate}"),
    "report_budget": (
        "budget {first} to {last}: {used} of {allowed} misses used, {left} left; {word}",
        "额度 {first} 至 {last}：允许 {allowed}，已用 {used}，还剩 {left}；{word}",
    ),
    "report_over": (
        "budget {first} to {last}: {used} misses, {allowed} allowed: {over} too many; {word}",
        "额度 {first} 至 {last}：允许 {allowed}，已用 {used}，已多 {over}；{word}",
    ),
    "report_told": (
        "people were told {told} times; {lost} notices were lost or unsure",
        "共通知 {told} 次；{lost} 次未送达或不确定",
    ),
    "report_trend": ("Rate by day", "每天的响应率"),
    "report_trend_note": (
        "Line: the rate of each day, with the target. Columns: late and missed rounds.",
        "折线：每天的响应率和目标。柱：晚答和未答的轮数。",
    ),
    "report_heat": ("Rate by hour, %", "各时段响应率，%"),
    "report_heat_note": (
        "The number is the rate, the dot's size the rounds; below the target it is bold and red.",
        "数字是响应率，圆点大小是轮数；低于目标的加粗并显示为红色。",
    ),
    "report_days": ("Mon|Tue|Wed|Thu|Fri|Sat|Sun", "周一|周二|周三|周四|周五|周六|周日"),
    "report_agents": ("Agents", "客服"),
    "report_agents_heads": (
        "agent|rounds|met|late|missed|left out|rate|± week before|mean wait|9 in 10 within|longest",
        "客服|轮数|达标|晚答|未答|不计|响应率|较上周|平均等待|九成以内|最长",
    ),
    "report_by_shop": ("Shops and channels", "店铺和渠道"),
    "report_by_shop_heads": (
        "shop|channel|rounds|met|late|missed|left out|rate|mean wait",
        "店铺|渠道|轮数|达标|晚答|未答|不计|响应率|平均等待",
    ),
    "report_worst": ("The worst rounds, and why", "最差的轮次及原因"),
    "report_worst_heads": ("asked|customer|agent|question|wait|why|round", "提问|顾客|客服|问题|等待|原因|轮次"),
    "report_escalations": ("Who was told", "通知了谁"),
    "report_escalations_heads": ("person|told|lost or unsure|mean time", "通知人|已送达|未送达或不确定|平均用时"),
    "report_excluded": ("Left out, and why", "不计的轮次及原因"),
    "report_excluded_heads": ("reason|rounds", "原因|轮数"),
    "report_footer": (
        "the same numbers: sanfen rates, sanfen rounds, sanfen explain",
        "同样的数字：sanfen rates、sanfen rounds、sanfen explain",
    ),
    "report_notice": ("{shop}: the week {week}", "{shop} {week} 周报"),
    "report_newest": ("the newest round is of {day}: --week {week}", "最近一轮是 {day}：--week {week}"),
    "report_send_config": (
        "--send needs the configuration with the people: -c FILE",
        "--send 需要写有通知人的配置：-c 文件",
    ),
}
