"""A platform's own daily figures next to ours."""

from pathlib import Path

from tests.cli.command import Sanfen
from tests.cli.test_imports import EXPORTS, HEAD, workbook


def test_against_the_platforms_own_figures(sanfen: Sanfen, tmp_path: Path) -> None:
    """甲 waits 38 s, 乙 gets only an auto-reply, 丙 is answered by a person: they say 乙 and 丙 were not."""
    rows = [
        ["2026-11-21 10:00:00", "买家", "buyer甲", "在吗"], ["2026-11-21 10:00:38", "客服", "buyer甲", "在"],
        ["2026-11-21 10:01:00", "买家", "buyer乙", "在吗"], ["2026-11-21 10:01:00", "客服", "buyer乙", "欢迎"],
        ["2026-11-21 10:02:00", "买家", "buyer丙", "在吗"], ["2026-11-21 10:02:38", "客服", "buyer丙", "在"],
    ]  # fmt: skip
    export = workbook(tmp_path / "a.xlsx", [[*HEAD, "客服"], *([*row, "示例店铺:小王"] for row in rows)])
    rules = tmp_path / "map.yaml"
    rules.write_text("auto_replies: {exact: [欢迎]}\nunknown: human\n", encoding="utf-8")
    log = tmp_path / "scored.db"
    scored = sanfen("replay", export, "--map", rules, "--tz", "Asia/Shanghai", "--out", log)
    done = sanfen("reconcile", log, EXPORTS / "noreplynum_get.json", EXPORTS / "avgwaittime_get.json", "--json")
    by_figure = {row["figure"]: row for row in done.json}

    assert (scored.code, done.code) == (0, 1)
    assert (by_figure["no_reply_num"]["theirs"], by_figure["no_reply_num"]["ours"]) == (2, 1)
    assert by_figure["no_reply_num"]["answered_here"] == ["cntaobaobuyer丙"]
    assert by_figure["total_reply_mean"]["same"]


def test_a_table_without_figures_is_told_what_is_read(sanfen: Sanfen, scored: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = sanfen("reconcile", scored, tmp_path / "wrong.csv")

    assert (done.code, "help: give the answers of noreplynum.get" in done.err) == (2, True)


def test_their_figures_as_a_table(sanfen: Sanfen, tmp_path: Path) -> None:
    export = workbook(
        tmp_path / "a.xlsx",
        [
            [*HEAD, "客服"],
            ["2026-11-21 10:00:00", "买家", "甲", "x", "小王"],
            ["2026-11-21 10:00:40", "客服", "甲", "y", "小王"],
        ],
    )
    log = tmp_path / "scored.db"
    sanfen("replay", export, "--unknown", "human", "--tz", "Asia/Shanghai", "--out", log)
    table = tmp_path / "theirs.csv"
    table.write_bytes("日期,客服,未回复人数,平均响应时间\n2026/11/21,小王,0,40秒\n".encode("gb18030"))
    same = sanfen("reconcile", log, table)
    table.write_text("日期,客服,未回复人数\n2026/11/21,小王,many\n", encoding="utf-8")
    wrong = sanfen("reconcile", log, table)

    assert (same.code, same.out.count("same")) == (0, 3)
    assert (wrong.code, wrong.out) == (2, "")
    assert "no_reply_num is not a number: 'many'" in wrong.err
