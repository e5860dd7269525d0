"""The page of a week: its figures are those of the log, in every form; HTML stands alone."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import Sanfen

ASKED = [(9, 30), (10, 400), (11, 60), (21, 700), (22, None), (23, 90)]  # hour, seconds until the answer


@pytest.fixture
def log(sanfen: Sanfen, tmp_path: Path) -> Path:
    """Two weeks of two agents: in the second one is slower, and nobody answers at ten in the evening."""
    rows: list[dict[str, Any]] = []
    at_ms, who = 0, {"shop": "flagship", "channel": "taobao"}
    for day in range(2, 16):  # 2026-11-02 is a Monday
        for number, (hour, wait_s) in enumerate(ASKED):
            agent = "小美" if number % 2 else "阿强"
            at_ms = 1_762_012_800_000 + 365 * 86_400_000 + ((day - 2) * 24 + hour) * 3_600_000
            who = who | {"customer": f"tb_{day}x{number}"}
            rows.append(who | {"at": at_ms, "from": "customer", "text": "<b>在吗</b>"})
            slow = 1 if day < 9 or agent == "阿强" else 9
            if wait_s is not None:
                answer = {"from": "merchant", "agent": agent, "mode": "human"}
                rows.append(who | answer | {"at": at_ms + wait_s * slow * 1000})
        rows.append(who | {"customer": f"tb_night{day}", "at": at_ms + 3 * 3_600_000, "from": "customer"})
    source, scored = tmp_path / "chat.jsonl", tmp_path / "scored.db"
    rows.sort(key=lambda row: int(row["at"]))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    done = sanfen("replay", source, "--policy", "taobao-2023-05", "--tz", "Asia/Shanghai", "--out", scored)
    assert done.code == 0
    return scored


class Checker(HTMLParser):
    """Nothing is loaded from elsewhere, and every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [name for name, value in attrs if name in ("src", "href") and value]
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_week_without_rounds_says_which_has_some(sanfen: Sanfen, log: Path) -> None:
    done = sanfen("report", log, "--week", "2026-W50")

    assert done.code == 1
    assert "the newest round is of 2026-11-16: --week 2026-W47" in done.err
    assert "6 misses, 1 allowed: 5 too many; too few units: not assessed" in done.out


def test_the_figures_are_those_of_the_log(sanfen: Sanfen, log: Path) -> None:
    found = sanfen("report", log, "--week", "2026-W46", "--json").json
    span = ("--from", "2026-11-09", "--to", "2026-11-15", "--json")
    (total,) = sanfen("rates", log, *span).json
    agents = {row["agent"]: row for row in sanfen("rates", log, "--by", "agent", *span).json}

    assert found["total"]["rounds"] == total["rounds"] > 0
    assert found["total"]["rate"] == total["rate"]
    assert {row["agent"]: row["rate"] for row in found["agents"]} == {name: row["rate"] for name, row in agents.items()}
    assert [row["agent"] for row in found["agents"]] == sorted(agents, key=lambda name: agents[name]["rate"])
    assert sum(row["rounds"] for row in found["hours"]) == total["rounds"]
    assert sum(row["rounds"] for row in found["excluded"]) == total["excluded"]
    assert (
        found["before"]["rounds"]
        == sanfen("rates", log, "--from", "2026-11-02", "--to", "2026-11-08", "--json").json[0]["rounds"]
    )
    worst = found["worst"]
    assert [row["status"] for row in worst] == sorted((row["status"] for row in worst), reverse=True)
    assert max(row["wait_ms"] for row in worst if row["wait_ms"]) == max(row["longest_ms"] for row in found["agents"])
    assert all("**" in row["customer"] for row in worst)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_stands_alone(sanfen: Sanfen, log: Path, tmp_path: Path, language: str) -> None:
    out = tmp_path / "week.html"
    done = sanfen("--lang", language, "report", log, "--week", "2026-W46", "--out", out)
    text = out.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    lines = sanfen("--lang", language, "report", log, "--week", "2026-W46").out.splitlines()

    assert (done.code, done.out.strip()) == (0, str(out))
    assert (checker.open, checker.loaded, "url(" in text, "<script" in text) == ([], [], False, False)
    assert text.count("<svg") == 2
    assert "@page" in text
    assert "&lt;b&gt;在吗&lt;/b&gt;" in text
    assert [line for line in lines if line.replace("'", "&#39;") not in text] == []
    assert bool(re.search("[\u4e00-\u9fff]{4}", " ".join(lines))) == (language == "zh")


def test_markdown_and_csv_have_the_same_agents(sanfen: Sanfen, log: Path, tmp_path: Path) -> None:
    for name in ("week.md", "week.csv"):
        assert sanfen("report", log, "--week", "2026-W46", "--out", tmp_path / name).code == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "week.csv").read_text(encoding="utf-8"))))
    text = (tmp_path / "week.md").read_text(encoding="utf-8")

    assert [row["agent"] for row in rows][-1] == ""
    assert sum(int(row["rounds"]) for row in rows[:-1]) == int(rows[-1]["rounds"])
    assert all(f"| {row['agent']} | {row['rounds']} |" in text for row in rows[:-1] if row["agent"])
    assert "2026-W46" in text.splitlines()[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--week 2026-W54", "not a week: '2026-W54'"),
        ("--week last", "write 2026-W47"),
        ("--out week.pdf", "end the name in .html, .md, .csv"),
        ("--send lead", "--send needs the configuration"),
        ("--policy pdd-3m", "holds no rounds under pdd-3m"),
        ("--week 2026-W46 --out no/such/folder.md", "cannot write"),
    ],
)
def test_what_cannot_be_read_or_written_is_said(sanfen: Sanfen, log: Path, given: str, words: str) -> None:
    done = sanfen("report", log, *given.split())

    assert done.code == 2
    assert words in done.err


def test_a_week_without_rounds_and_the_summary_sent(sanfen: Sanfen, log: Path, config: Path) -> None:
    empty = sanfen("report", log, "--week", "2026-W10")
    sent = sanfen("report", log, "--week", "2026-W46", "--send", "boss", "-c", config)
    nobody = sanfen("report", log, "--week", "2026-W46", "--send", "bos", "-c", config)

    assert (empty.code, "0 rounds" in empty.out) == (1, True)
    assert (sent.code, "told in" in sent.err) == (0, True)
    assert (nobody.code, "did you mean boss" in nobody.err) == (2, True)
