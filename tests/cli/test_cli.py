"""The command as users call it: results, exit codes, one clear sentence for every mistake, never a traceback."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.command import Sanfen

from sanfen.cli import VERBS

GOLDEN = Path(__file__).parent.parent / "data" / "golden.jsonl"
TRIED = 52  # worked cases of the family


def test_check_reads_a_log_through(sanfen: Sanfen, scored: Path) -> None:
    """Whole, then with a figure somebody changed by hand, then with bytes that are no page any more."""
    assert sanfen("check", scored) == (0, f"{scored}: a whole log\n", "")
    with closing(sqlite3.connect(scored)) as other:
        other.execute("UPDATE rate_hours SET met = met + 1")
        other.commit()
    assert "hours of the roll-up disagree" in sanfen("check", scored).out
    spoilt = bytearray(scored.read_bytes())
    spoilt[4096:40_960] = b"\xaa" * 36_864
    scored.write_bytes(bytes(spoilt))
    done = sanfen("check", scored)

    assert (done.code, "malformed" in done.out or "damaged" in done.out) == (1, True)


def test_replay_gives_the_published_figures(sanfen: Sanfen, chat: Path) -> None:
    done = sanfen("replay", chat, "--json", "--rounds")
    (one,) = done.json["policies"]

    assert (one["policy"], one["numerator"], one["denominator"], one["value"]) == ("taobao-2022-01", 1, 2, 0.5)
    assert one["counts"] == {"met": 1, "late": 1, "missed": 0, "pending": 0, "excluded": 0}
    assert one["rounds"][0] | {"id": "", "evidence": [], "clock": ""} == {
        "id": "", "shop": "default", "channel": "default", "conversation": "tb_赵1234", "customer": "tb_赵1234",
        "agent": "小美", "opened": "2023-01-07T10:10:15+08:00", "clock": "", "due": "2023-01-07T10:13:15+08:00",
        "closed": "2023-01-07T10:18:10+08:00", "wait_ms": 475_000, "status": "late", "reason": None,
        "because": "answered_late", "evidence": [], "messages": 2,
    }  # fmt: skip
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("name", "figures"), [("round-late", (0, 1)), ("two-rounds", (1, 2)), ("nobody-answers", (0, 1))]
)
def test_the_three_published_examples(sanfen: Sanfen, name: str, figures: tuple[int, int]) -> None:
    """0 of 1, 1 of 2, 0 of 1."""
    path = Path(__file__).parent.parent / "transcripts" / f"{name}.txt"
    (one,) = sanfen("replay", path, "--json").json["policies"]

    assert (one["numerator"], one["denominator"]) == figures


def test_the_worked_cases_through_the_command(sanfen: Sanfen, tmp_path: Path) -> None:
    """Every case of the Taobao family whose policy is not changed beyond --set: the same counts from the real command."""
    tried = 0
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        if case["kind"] != "events" or not case["preset"].startswith(("taobao-", "1688-", "taote-")):
            continue
        path = tmp_path / "case.jsonl"
        types = {name: facts.get("type") for name, facts in case.get("customers", {}).items()}
        with path.open("w", encoding="utf-8") as out:
            for number, given in enumerate(case["events"]):
                customer = given.get("customer", "A")
                fields = {"id": str(number), "customer": customer, "customer_type": types.get(customer)} | given
                fields["at"] = fields.pop("t")
                out.write(json.dumps(fields) + "\n")
        options = ["--policy", case["preset"], "--tz", case["tz"], "--json", "--rounds"]
        options += ["--as-of", case["asof"]] if "asof" in case else []
        options += ["--holidays", ",".join(case["holidays"])] if "holidays" in case else []
        for key, value in case.get("override", {}).items():
            options += ["--set", f"{key}={json.dumps(value)}"]
        (one,) = sanfen("replay", path, *options).json["policies"]
        expected = case["expect"]
        tried += 1

        assert {k: one[k] for k in ("numerator", "denominator") if k in expected} == {
            k: expected[k] for k in ("numerator", "denominator") if k in expected
        }, case["id"]
        if "rounds" in expected:
            wanted = [
                {key: row[key] for key in ("opened", "status", "reason") if key in row} for row in expected["rounds"]
            ]
            told = [row | {"opened": row["opened"][:19]} for row in one["rounds"]]
            assert len(told) == len(wanted), case["id"]
            for row, stated in zip(told, wanted, strict=True):
                assert {key: row[key] for key in stated} == stated, case["id"]
    assert tried == TRIED


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ratez"], "没有命令 'ratez'。 是不是 'rates'？"),
        (["rates"], "缺少参数 'DB'"),
        (["rates", "x.db", "--by", "nobody"], "'--by' 取值无效：'nobody' 不在可选值之内"),
        (["rates", "x.db", "--bye"], "没有选项 '--bye'。 是不是 '--by'？"),
        (["rounds", "x.db", "--limit"], "选项 '--limit' 需要一个值"),
        (["rounds", "x.db", "--limit", "many"], "'--limit' 取值无效：'many' 不是有效的数"),
        (["check", "a", "--explain", "X999"], "没有代码 X999"),
        (["policies", "a", "b", "c"], "两个规则比较"),
    ],
)
def test_a_wrong_command_line_is_told_in_chinese(sanfen: Sanfen, arguments: list[str], told: str) -> None:
    done = sanfen("--lang", "zh", *arguments)

    assert done.code == 2
    assert told in done.err
    assert "错误：" in done.err
    assert "Error" not in sanfen("--lang", "zh", *arguments).err
    assert "Error: " in sanfen("--lang", "en", *arguments).err


def test_what_if_and_set(sanfen: Sanfen, chat: Path) -> None:
    done = sanfen(
        "replay",
        chat,
        "--policy",
        "taobao-2022-01",
        "--policy",
        "taobao-2023-05",
        "--set",
        "due=[{after: 10m}]",
        "--json",
    )

    assert [one["numerator"] for one in done.json["policies"]] == [2, 2]


def test_the_policys_own_period(sanfen: Sanfen, chat: Path) -> None:
    inside = sanfen("replay", chat, "--json", "--period", "policy", "--as-of", "2023-01-08T12:00:00+08:00")
    outside = sanfen("replay", chat, "--json", "--period", "policy", "--as-of", "2023-01-07T12:00:00+08:00")

    assert [one["denominator"] for done in (inside, outside) for one in done.json["policies"]] == [2, 0]


def test_a_mean_and_a_late_share_of_a_period(sanfen: Sanfen, chat: Path) -> None:
    """A mean stays in milliseconds, a late share counts the late ones, also in the policy's own period."""
    at = ("--period", "policy", "--as-of", "2023-01-08T12:00:00+08:00", "--tz", "Asia/Shanghai", "--json")
    (mean,) = sanfen("replay", chat, "--policy", "taobao-art-2022-03", *at).json["policies"]
    (late,) = sanfen("replay", chat, "--policy", "amazon", "--set", "due=[{after: 3m}]", *at).json["policies"]

    assert (mean["mean_ms"], mean["n"], mean["value"]) == ((475_000 + 30_000) / 2, 2, 252.5)
    assert (late["numerator"], late["denominator"]) == (1, 3)


def test_unknown_replies_are_counted_loudly_and_can_be_resolved(sanfen: Sanfen, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "at,from,customer\n2023-01-07 10:00:00,customer,A\n2023-01-07 10:01:00,merchant,A\n", encoding="utf-8"
    )
    ignored = sanfen("replay", path, "--tz", "Asia/Shanghai", "--json")
    human = sanfen("replay", path, "--tz", "Asia/Shanghai", "--json", "--unknown", "human")

    assert "1 of 1 replies have an unknown mode" in ignored.err
    assert human.err == ""
    assert [done.json["policies"][0]["numerator"] for done in (ignored, human)] == [0, 1]


def test_a_scored_log_answers_questions(sanfen: Sanfen, scored: Path) -> None:
    rates = sanfen("rates", scored, "--by", "agent", "--policy", "taobao-2022-01", "--json").json
    (late,) = sanfen("rounds", scored, "--status", "late", "--policy", "taobao-2022-01", "--json").json

    assert [(row["agent"], row["rounds"], row["rate"]) for row in rates] == [("小美", 2, 0.5)]
    assert (late["wait_ms"], late["customer"]) == (475_000, "tb**34")
    story = sanfen("--lang", "zh", "explain", scored, late["id"], "--policy", "taobao-2025-10")
    assert "晚答" in story.out
    assert "按 taobao-2025-10：晚答" in story.out
    assert sanfen("explain", scored, late["id"], "--json").json["round"]["because"] == "answered_late"
    assert sanfen("explain", scored, "r0").code == 1


@pytest.mark.parametrize(
    ("form", "start"), [("--csv", "score_set,policy,"), ("--nl", '{"score_set"'), ("--md", "| policy"), ("--json", "[")]
)
def test_every_table_has_four_machine_forms(sanfen: Sanfen, scored: Path, form: str, start: str) -> None:
    assert sanfen("rates", scored, form).out.startswith(start)


def test_policies_are_listed_shown_and_compared(sanfen: Sanfen) -> None:
    assert "taote-2023" in sanfen("policies").out
    assert "sources:" in sanfen("policies", "taote-2023").out
    assert "midnight" in sanfen("policies", "taobao-2022-01", "taobao-2023-05").out
    assert sanfen("policies", "taobao-2022-01", "taobao-2022-01").err == "no difference\n"


def test_check_says_everything_and_exits_accordingly(sanfen: Sanfen, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nshop: {nane: x}\ntarget: ninety\n", encoding="utf-8")
    good = tmp_path / "good.yaml"
    good.write_text("version: 1\n", encoding="utf-8")

    assert (sanfen("check", good).code, sanfen("check", bad).code, sanfen("check", tmp_path / "no").code) == (0, 1, 2)
    assert sanfen("check", bad).out.count("error[") == 2
    assert [one["code"] for one in sanfen("check", bad, "--format", "json").json] == ["C010", "C013"]
    assert "::error file=" in sanfen("check", bad, "--format", "github").out
    assert "C010: A key" in sanfen("check", "--explain", "c010").out


MISTAKES = [
    (["replay", "{folder}/none.jsonl"], "cannot read"),
    (["replay", "{folder}"], "is a folder"),
    (["replay", "{chat}", "--policy", "taobao-2022"], "no policy is called 'taobao-2022'"),
    (["replay", "{chat}", "--policy", "{folder}/none.yaml"], "cannot read the file"),
    (["replay", "{chat}", "--set", "midnigth=none"], "not a key of a policy"),
    (["replay", "{chat}", "--set", "midnight"], "no value"),
    (["replay", "{chat}", "--set", "midnight=never"], "midnight"),
    (["replay", "{chat}", "--as-of", "yesterday"], "--as-of is not a time"),
    (["replay", "{chat}", "--tz", "Asia/Peking"], "no zone is called 'Asia/Peking'"),
    (["replay", "{chat}", "--holidays", "2026-13-01"], "not a date"),
    (["replay", "{chat}", "--engine", "spark"], "not in this release"),
    (["replay", "{chat}", "--out", "{chat}"], "is there already"),
    (["replay", "{chat}", "--classify", "{chat}"], "error[C0"),
    (["rates", "{folder}/none.db"], "no such log"),
    (["rates", "{chat}"], "damaged or no database"),
    (["rates", "{foreign}"], "another program's database"),
    (["rounds", "{foreign}"], "another program's database"),
    (["explain", "{foreign}", "r1"], "another program's database"),
    (["serve", "-c", "{folder}/none.yaml"], "cannot read the file"),
    (["serve", "-c", "{bad}"], "error[C010]"),
    (["repaly", "x"], "Did you mean 'replay'?"),
    (["rates"], "Missing argument"),
    (["check"], "name a file"),
    (["replay", "{chat}", "--nope"], "No such option"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES, ids=[" ".join(one[:3]) for one, _ in MISTAKES])
def test_a_mistake_is_one_clear_sentence(
    sanfen: Sanfen, chat: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """Exit 2, on standard error, with what to do; nothing on standard output."""
    foreign, bad = tmp_path / "foreign.db", tmp_path / "bad.yaml"
    with closing(sqlite3.connect(foreign)) as other:
        other.execute("CREATE TABLE theirs (a)")
    bad.write_text("version: 1\nshopp: {}\n", encoding="utf-8")
    done = sanfen(*(one.format(folder=tmp_path, chat=chat, foreign=foreign, bad=bad) for one in arguments))

    assert words in done.err
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err


def test_a_locked_and_a_damaged_log(sanfen: Sanfen, scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanfen.store.opening._BUSY_MS", 50)
    with closing(sqlite3.connect(scored, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        locked = sanfen("rates", scored)
    content = bytearray(scored.read_bytes())
    content[4096:] = b"x" * (len(content) - 4096)
    scored.write_bytes(content)
    damaged = sanfen("rates", scored)

    assert (locked.code, damaged.code, locked.out, damaged.out) == (2, 2, "", "")
    assert "is locked by another program" in locked.err
    assert "is damaged or no database" in damaged.err


def test_help_loads_neither_the_server_nor_the_models() -> None:
    """`sanfen --help` stays quick because it needs none of them."""
    heavy = ("aiohttp", "pydantic", "sqlite_utils", "structlog", "jinja2", "rich")
    code = f"import sys\nfrom sanfen.cli import cli\ncli.main(['--help'], standalone_mode=False)\nsys.exit(any(m in sys.modules for m in {heavy}))"
    done = subprocess.run([sys.executable, "-Ic", code], capture_output=True, check=False, text=True)

    assert done.returncode == 0
    assert all(verb in done.stdout for verb in VERBS)


def test_an_unexpected_error_is_a_sentence_too(sanfen: Sanfen, chat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("sanfen.bulk.replay.Replay.run", broken)
    done = sanfen("replay", chat)

    assert (done.code, done.out) == (2, "")
    assert "unexpected RuntimeError: a bug" in done.err


def test_the_real_process_and_a_closed_pipe(chat: Path) -> None:
    """Data on standard output; whoever reads it may stop reading."""
    command = [sys.executable, "-Im", "sanfen.cli", "replay", str(chat), "--json", "--rounds"]
    environment = os.environ | {"LANG": "zh_CN.UTF-8"}
    whole = subprocess.run(command, capture_output=True, check=True, env=environment)
    reader, writer = os.pipe()
    os.close(reader)
    cut = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, env=environment)
    os.close(writer)

    assert json.loads(whole.stdout)["policies"][0]["denominator"] == 2
    assert (cut.returncode, cut.stderr) == (0, b"")
