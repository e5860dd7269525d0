"""An explanation says which clause decided and where it stands, and holds enough to decide the round again."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from sanfen.cli import main
from sanfen.config import presets
from sanfen.core.drive import fold
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.policy import Policy
from sanfen.store import queries
from sanfen.store.db import open_reader
from sanfen.store.explanation import explain
from sanfen.wire import read_event

NAMES = ("taobao-2022-01", "taobao-2025-10", "jd-art", "tiktok-us-24h", "lazada-2019", "taote-2023")
CHAT = [
    ("10:00:00", "customer", {}),
    ("10:00:01", "merchant", {"mode": "auto", "text": "您好，欢迎光临"}),
    ("10:02:00", "merchant", {"mode": "assisted", "bot": "nobody", "agent": "a"}),
    ("10:05:00", "system", {"event": "transfer", "agent": "a", "to": "b"}),
    ("10:06:00", "merchant", {"text": "在的", "agent": "b"}),
    ("10:20:00", "customer", {}),
    ("10:20:30", "merchant", {"mode": "bot", "bot": "leyan"}),
    ("23:30:00", "customer", {"customer": "B", "customer_type": "sub_account"}),
    ("23:31:00", "merchant", {"customer": "B", "mode": "human", "agent": "a"}),
    ("23:59:00", "customer", {"customer": "C"}),
    ("23:59:30", "system", {"customer": "C", "event": "tag", "tag": "spam"}),
]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chat under six policies, by the real command, with a classification rule for what is unknown."""
    folder = tmp_path_factory.mktemp("explanation")
    rows: list[dict[str, Any]] = [
        {"id": f"m{number}", "at": f"2026-03-02T{at}", "from": sender, "customer": "A"} | more
        for number, (at, sender, more) in enumerate(CHAT)
    ]
    source, rules, out = folder / "chat.jsonl", folder / "rules.yaml", folder / "scored.db"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    rules.write_text("classify:\n  - name: by-hand\n    match: {mode: unknown}\n    verdict: valid\n", encoding="utf-8")
    asked = [part for name in NAMES for part in ("--policy", name)]
    with pytest.raises(SystemExit) as end:
        main(["replay", str(source), "--tz", "Asia/Shanghai", "--classify", str(rules), "--out", str(out), *asked])
    assert not end.value.code
    return out


def test_it_holds_enough_to_decide_again(scored: Path) -> None:
    """From the events and the policy that the JSON carries, every round of every policy comes out the same."""
    with closing(open_reader(scored)) as reader:
        rows = queries.rounds(reader)
        assert len(rows) > 15
        for row in rows:
            found = explain(reader, row["id"], policy=row["policy"])
            assert found is not None
            told = json.loads(json.dumps(found, default=str))
            policy = TypeAdapter(Policy).validate_python(told["policy"], strict=False)
            events = [read_event(event) for event in told["events"]]
            again = {
                one.id: (str(outcome.outcome), str(outcome.reason), one.wait_ms, one.due_ms)
                for one, outcome in fold(Conversation(events[0].key), events, plan_of(policy), 1 << 61).rounds()
            }

            assert again[row["id"]][:3] == (row["status"], row["because"], row["wait_ms"]), row["policy"]
            decided = [check["name"] for check in told["checks"] if check["holds"]]
            assert decided == ([row["because"]] if row["status"] == "excluded" else [])
            assert told["facts"]["wait_ms"] == row["wait_ms"]


def test_a_clause_has_its_value_its_line_and_its_sources(scored: Path) -> None:
    with closing(open_reader(scored)) as reader:
        (row,) = queries.rounds(reader, policy="taobao-2025-10", reason="transferred")
        found = explain(reader, row["id"], policy="taobao-2025-10")
    assert found is not None
    clause = found["clauses"][0]
    text = (Path(presets.__file__).parents[3] / "config" / "sanfen_presets" / "taobao-2025-10.yaml").read_text("utf-8")
    line = text.splitlines()[int(clause["place"].split(":")[1]) - 1]

    assert (clause["key"], clause["value"]) == ("transfer", "split")
    assert line.startswith("transfer: split")
    assert found["sources"][0]["at"].startswith("http")


def test_every_message_has_its_rule_and_its_clause(scored: Path) -> None:
    with closing(open_reader(scored)) as reader:
        row = queries.rounds(reader, policy="taobao-2022-01", conversation="A")[-1]
        found = explain(reader, row["id"], policy="taobao-2022-01")
    assert found is not None
    told = {one["id"]: (one["rule"], one["clause"]) for one in found["messages"]}

    assert told["m1"] == (None, "replies.auto: ignored")
    assert told["m2"] == (None, "bots: [dianxiaomi, leyan, xiaoduo, xiaowei]")
    assert told["m4"][1] == "replies.human: answers"
    assert told["m4"][0].startswith("by-hand (")
    assert told["m4"][0].endswith("rules.yaml:2)")
    assert told["m6"] == (None, "replies.bot: excuses")


def test_other_policies_on_the_same_question(scored: Path) -> None:
    with closing(open_reader(scored)) as reader:
        row = queries.rounds(reader, policy="taobao-2022-01", conversation="A")[-1]
        found = explain(
            reader, row["id"], policy="taobao-2022-01", others=[presets.policy(name) for name in ("pdd-3m", "jd-art")]
        )
        assert explain(reader, "r0") is None
    assert found is not None
    elsewhere = {(one["policy"], one["agent"]): (one["status"], one["because"]) for one in found["elsewhere"]}

    assert elsewhere == {
        ("lazada-2019", "a"): ("met", "answered_in_time"),
        ("taobao-2025-10", "a"): ("missed", "transferred"),
        ("taobao-2025-10", "b"): ("met", "answered_in_time"),
        ("taote-2023", "a"): ("missed", "transferred"),
        ("taote-2023", "b"): ("met", "answered_in_time"),
        ("tiktok-us-24h", "a"): ("met", "answered_in_time"),
        ("pdd-3m", "a"): ("met", "answered_in_time"),  # any bot's assisted reply counts there
        ("jd-art", None): (None, None),  # nobody handed the chat to people
    }
