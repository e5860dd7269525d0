"""An explanation says which clause decided and where it stands, and holds enough to decide the round again."""

import json
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests import oracle
from tests.oracle import DAYS
from tests.properties.shops import Maker

from sanfen.cli import main
from sanfen.config import presets
from sanfen.store import queries
from sanfen.store.explanation import explain
from sanfen.store.opening import open_reader

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


DECIDED = ("taobao-2022-01", "taobao-2025-10", "jd-art", "tiktok-us-24h", "lazada-2019", "taote-2023", "douyin-session",
           "akaric-6h", "facebook-badge", "taobao-art-2022-07")  # fmt: skip
PLAIN = ("unit", "judge", "wait_from", "starts", "inclusive", "bots", "empty_replies", "no_reply", "midnight", "transfer",
         "agent_clock", "away", "exclude", "replies", "tz")  # fmt: skip


def keys_of(policy: dict[str, Any]) -> dict[str, Any]:
    """The policy of an explanation in the words of a policy file, which the second scorer reads."""
    keys = {name: policy[name] for name in PLAIN}
    hours, session, cut_ms = policy["hours"], policy["session"], policy["report"]["gap_cut_ms"]
    if hours is not None:
        keys["hours"] = {name: hours[name] for name in ("holidays", "by", "outside")}
        keys["hours"] |= {
            "open": clock(hours["open_min"]),
            "close": clock(hours["close_min"]),
            "days": days(hours["days"]),
        }
    keys["session"] = {"since": session["since"]} | (
        {} if session["gap_ms"] is None else {"gap": f"{session['gap_ms']}ms"}
    )
    keys["report"] = {} if cut_ms is None else {"gap_cut": f"{cut_ms}ms"}
    keys["due"] = [due_of(rule) for rule in policy["due"]]
    return keys


def due_of(rule: dict[str, Any]) -> dict[str, Any]:
    at_min, when = rule["at_min"], {"hours": rule["when_hours"]}
    if rule["when_days"] is not None:
        when["days"] = days(rule["when_days"])
    made = {
        "after": None if rule["after_ms"] is None else f"{rule['after_ms']}ms",
        "clock": rule["clock"],
        "workdays": rule["workdays"],
        "batch": None if rule["batch_min"] is None else clock(rule["batch_min"]),
        "weekday": None if rule["weekday"] is None else DAYS[rule["weekday"]],
        "at": "same" if at_min is None else clock(at_min),
    }
    when = {name: one for name, one in when.items() if one is not None}
    return {name: one for name, one in made.items() if one is not None} | {"when": when}


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def days(numbers: list[int]) -> list[str]:
    return [DAYS[number] for number in numbers]


def decided(keys: dict[str, Any], told: dict[str, Any], holidays: list[str]) -> list[tuple[Any, ...]]:
    """What the second scorer makes of an explanation's events: the rounds of its question."""
    found = oracle.score(keys, told["events"], shop_tz=keys["tz"], holidays=holidays)
    return [
        (row.status, row.reason, row.wait_ms, row.due_ms, row.messages, list(row.evidence))
        for row in found.rounds
        if row.evidence[0] == told["round"]["evidence"][0]
    ]


@pytest.fixture(scope="module")
def random_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random shops, a case of each rule in turn, scored by the real command under all of them."""
    folder = tmp_path_factory.mktemp("decided")
    rows: list[dict[str, Any]] = []
    for number in range(8 * len(DECIDED)):
        case = Maker(Random(number), presets.tree(DECIDED[number % len(DECIDED)])).case()
        for event in case.log:
            more = {"id": f"{number}-{event['id']}", "shop": f"s{number}"}
            rows.append(
                event
                | more
                | {name: f"{number}-{event[name]}" for name in ("conversation", "customer") if name in event}
            )
    rows.sort(key=lambda row: row["at"])
    source, out = folder / "log.jsonl", folder / "scored.db"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = [part for name in DECIDED for part in ("--policy", name)]
    days_off = "2023-01-06,2025-03-08,2025-03-28,2025-04-05,2025-09-06,2025-10-25,2025-11-01"
    with pytest.raises(SystemExit) as end:
        main(["replay", str(source), "--tz", "Asia/Kolkata", "--holidays", days_off, "--out", str(out), *asked])
    assert not end.value.code
    return out


def test_it_holds_enough_to_decide_again(random_log: Path) -> None:
    """From the JSON alone, and without the core, thousands of rounds come out the same, here and under other policies."""
    others = [presets.policy(name, tz="Asia/Kolkata") for name in ("pdd-3m", "amazon")]
    with closing(open_reader(random_log)) as reader:
        rows = queries.rounds(reader)
        assert len(rows) > 2000
        assert {row["status"] for row in rows} == {"met", "late", "missed", "excluded", "pending"}
        assert len({row["because"] for row in rows}) > 18
        for row in rows:
            told = json.loads(json.dumps(explain(reader, row["id"], policy=row["policy"], others=others), default=str))
            one, facts, holidays = told["round"], told["facts"], told["policy"]["holidays"]
            again = decided(keys_of(told["policy"]), told, holidays)
            shown = (one["status"], one["reason"], one["wait_ms"], facts["due_ms"], one["messages"], one["evidence"])

            assert shown in again, one
            assert facts["wait_ms"] == one["wait_ms"]
            held = [check["name"] for check in told["checks"] if check["holds"]]
            assert held == ([one["because"]] if one["status"] == "excluded" else [])
            for policy in others:
                under = decided(presets.tree(policy.id) | {"tz": policy.tz}, told, [])
                seen = [found for found in told["elsewhere"] if found["policy"] == policy.id and found["status"]]
                assert [(found["status"], found["wait_ms"], found["evidence"]) for found in seen] == [
                    (status, wait_ms, evidence) for status, _, wait_ms, _, _, evidence in under
                ]


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


@pytest.mark.parametrize(
    ("as_of", "because", "clause"),
    [("02T12:01", "within_deadline", "due"), ("02T12:10", "no_valid_reply", "due"), ("02T23:59", "no_valid_reply", "due"),
     ("03T00:00", "open_at_midnight", "midnight")],
)  # fmt: skip
def test_an_open_round_is_explained_as_the_log_saw_it(as_of: str, because: str, clause: str, tmp_path: Path) -> None:
    """Before midnight nobody knows yet what midnight will make of it."""
    source, log = tmp_path / "chat.jsonl", tmp_path / "scored.db"
    source.write_text(json.dumps({"id": "q", "at": "2026-03-02T12:00:00+08:00", "from": "customer", "customer": "A"}))
    with pytest.raises(SystemExit):
        main(["replay", str(source), "--out", str(log), "--as-of", f"2026-03-{as_of}"])
    with closing(open_reader(log)) as reader:
        (row,) = queries.rounds(reader)
        found = explain(reader, row["id"])
    assert found is not None
    assert (row["because"], found["clauses"][0]["key"]) == (because, clause)


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
