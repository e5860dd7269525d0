"""The verbs that ask a scored log: figures, budget, comparison, what-if."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.command import Sanfen

from sanfen.cli.options import coloured as coloured_now


def test_budget_says_how_many_more_misses_a_target_bears(sanfen: Sanfen, scored: Path) -> None:
    at = ("--as-of", "2023-01-07T12:00")
    none = sanfen("budget", scored, "--policy", "taobao-2022-01", *at)
    own = sanfen("budget", scored, "--policy", "taobao-2022-01", "--target", "50%", *at)
    broken = sanfen("budget", scored, "--policy", "taobao-2022-01", "--target", ">= 90%", *at, "--json")
    over = sanfen("budget", scored, "--policy", "taobao-2022-01", "--target", "90%", *at)
    later = sanfen("budget", scored, "--policy", "taobao-2022-01", "--target", "90%", "--as-of", "2023-06-01T12:00").out

    assert none.code == 0
    assert "the policy states no target" in none.err
    assert "1 misses of 2 units; 1 allowed, 0 left; it bears 0 more in a row" in own.out
    assert own.code == 0
    assert ("too few units" in later, "at this pace" in later) == (True, False)
    assert "1 misses of 2 units; 0 allowed: 1 too many" in over.out
    assert (broken.code, broken.json[0]["left"], broken.json[0]["breaks"]) == (1, -1, "2023-01-07")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--target many", "not a target"),
        ("--target " + "9" * 5_000, "not a target"),
        ("--policy pdd-3m", "the log holds no rounds under pdd-3m"),
        ("--as-of noon", "--as-of is not a time: 'noon'\n  = help: write 2026-01-31T10:00, or with an offset"),
    ],
)
def test_budget_refuses_what_it_cannot_read(sanfen: Sanfen, scored: Path, given: str, words: str) -> None:
    done = sanfen("budget", scored, *given.split())

    assert done.code == 2
    assert words in done.err


def test_rates_give_the_policys_own_period(sanfen: Sanfen, scored: Path) -> None:
    rows = {
        row["policy"]: row
        for row in sanfen("rates", scored, "--period", "policy", "--as-of", "2023-01-08T09:00", "--json").json
    }
    refused = sanfen("rates", scored, "--period", "policy", "--by", "hour")

    assert (rows["taobao-2022-01"]["first"], rows["taobao-2022-01"]["last"]) == ("2022-12-09", "2023-01-07")
    assert (rows["taobao-2022-01"]["hits"], rows["taobao-2022-01"]["units"]) == (1, 2)
    assert (rows["taote-2023"]["units"], rows["taote-2023"]["value"], rows["taote-2023"]["targets"]) == (
        1,
        1.0,
        {"no_penalty": True},
    )
    assert (refused.code, "own days" in refused.err) == (2, True)


def test_replies_nobody_is_known_to_have_written_are_told_aloud(sanfen: Sanfen, tmp_path: Path) -> None:
    """With the way to settle them, which works as written."""
    rows = [("10:00:00", "customer"), ("10:01:00", "merchant"), ("10:02:00", "merchant"), ("23:00:00", "customer")]
    source, log = tmp_path / "chat.jsonl", tmp_path / "scored.db"
    source.write_text(
        "".join(json.dumps({"at": f"2023-01-07T{at}+08:00", "from": who, "customer": "A"}) + "\n" for at, who in rows)
    )
    asked = sanfen("replay", source, "--out", log, "--policy", "pdd-3m", "--policy", "amazon")
    rates = sanfen("rates", log)
    (first,) = sanfen("rounds", log, "--policy", "pdd-3m", "--json").json
    told = sanfen("explain", log, first["id"], "--policy", "pdd-3m")
    assert "2 of 2 replies have an unknown mode" in asked.err
    for done in (rates, told):
        assert "2 replies have an unknown mode" in done.err
        assert f"sanfen replay {log} --unknown human --out {log} --score-set people" in done.err

    settled = sanfen("replay", log, "--unknown", "human", "--out", log, "--score-set", "people")
    after = sanfen("rates", log, "--score-set", "people")
    assert (settled.code, "unknown mode" in after.err) == (0, False)
    assert "unknown mode" not in sanfen("rates", log, "--shop", "another").err


@pytest.mark.parametrize("asked", ["rates --from yesterday", "rounds --to 2023-1-7", "figures --from 20230107"])
def test_a_day_that_is_none_is_refused(sanfen: Sanfen, scored: Path, asked: str) -> None:
    verb, *given = asked.split()
    done = sanfen(verb, scored, *given)

    assert (done.code, "not a day" in done.err, "write 2026-11-01" in done.err) == (2, True, True)


def test_a_word_a_key_does_not_know_is_answered_with_those_it_knows(sanfen: Sanfen, chat: Path) -> None:
    done = sanfen("replay", chat, "--set", "midnight=never")

    assert done.code == 2
    assert (
        "midnight: 'never' is not known\n  = help: choose from none, exclude_pending, exclude_crossing, missed"
        in done.err
    )


def test_a_deadline_that_is_no_list_is_answered_with_the_list(sanfen: Sanfen, chat: Path) -> None:
    done = sanfen("replay", chat, "--set", "due=2m")

    assert done.code == 2
    assert "due: a list must stand here\n  = help: write [{after: 2m}]" in done.err


def test_a_budget_names_whose_day_is_lost(sanfen: Sanfen, tmp_path: Path) -> None:
    """One was answered late, one waits still; who was answered in time can lose the day yet."""
    source, log = tmp_path / "chat.jsonl", tmp_path / "scored.db"
    rows = [("late", 0, 400), ("waits", 500, None), ("fine", 10, 60)]
    said = [(at, {"from": "customer", "customer": f"tb_{who}"}) for who, at, _ in rows]
    said += [(at, {"from": "merchant", "mode": "human", "customer": f"tb_{who}"}) for who, _, at in rows if at]
    source.write_text("".join(json.dumps(row | {"at": 1_673_056_800_000 + at * 1000}) + "\n" for at, row in said))
    at = ("--as-of", "2023-01-07T10:10:00+08:00")
    sanfen("replay", source, "--policy", "pdd-3m", "--out", log, *at)
    masked = sanfen("budget", log, *at).out
    sanfen("replay", log, "--policy", "pdd-3m", "--out", log, "--score-set", "other", *at)
    both = sanfen("budget", log, *at).out
    named = sanfen("budget", log, *at, "--unmask", "--json").json[0]["standing"]

    assert "today: 0 won, 1 lost, 2 can still go either way" in masked
    assert "lost already: tb**te" in masked
    assert masked.startswith("pdd-3m, target floor")
    assert ("other/pdd-3m, target floor" in both, "replay/pdd-3m, target floor" in both) == (True, True)
    assert "can still go either way: tb**ne, tb**ts" in masked
    assert [(one["stands"], one["customer"]) for one in named] == [
        ("lost", "tb_late"), ("open", "tb_fine"), ("open", "tb_waits"),
    ]  # fmt: skip


def test_a_round_under_several_policies_says_which(sanfen: Sanfen, scored: Path) -> None:
    both = sanfen("rounds", scored, "--longest", "2").out
    one = sanfen("rounds", scored, "--policy", "taobao-2022-01").out

    assert ("policy" in both.splitlines()[0], "policy" in one.splitlines()[0]) == (True, False)


def test_what_if_is_explained_as_it_would_be_written(sanfen: Sanfen, scored: Path) -> None:
    sanfen(
        "replay",
        scored,
        "--policy",
        "taobao-2022-01",
        "--set",
        "due=[{after: 90s}]",
        "--out",
        scored,
        "--score-set",
        "strict",
    )
    told = sanfen("explain", scored, "tb_赵1234", "--score-set", "strict", "--json").json

    assert {"after": "1m30s", "clock": "wall"} in next(one["value"] for one in told["clauses"] if one["key"] == "due")


def test_figures_counts_what_no_policy_does(sanfen: Sanfen, scored: Path) -> None:
    (row,) = sanfen("figures", scored, "--by", "agent", "--json").json

    assert (row["agent"], row["consult_num"], row["no_reply_num"]) == ("小美", 1, 0)
    assert (row["first_reply_cost"], row["total_reply_times"], row["total_reply_mean"]) == (475, 2, 252.5)
    assert sanfen("figures", scored, "--set", "cap=5m", "--json").json[0]["total_reply_cost"] == 330
    assert "4m12s" in sanfen("figures", scored).out


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--set slo=90s", "did you mean slow?"),
        ("--set slow=fast", "not a duration"),
        ("--set slow_times=x", "not a whole number"),
        ("--set slow_times=" + "9" * 5_000, "not a whole number"),
        ("--from yesterday", "not a day"),
    ],
)
def test_figures_refuses_what_it_cannot_read(sanfen: Sanfen, scored: Path, given: str, words: str) -> None:
    done = sanfen("figures", scored, *given.split())

    assert done.code == 2
    assert words in done.err


def test_compare_groups_what_differs_by_its_reasons(sanfen: Sanfen, scored: Path) -> None:
    done = sanfen("compare", scored, "taobao-2022-01", "taote-2023", "--json", "--rounds")
    same = sanfen("compare", scored, "taobao-2022-01", "replay/taobao-2022-01")
    with closing(sqlite3.connect(scored)) as connection:
        rows = connection.execute("SELECT policy, id, status, because FROM rounds").fetchall()
    by = {policy: {(name, status, why) for one, name, status, why in rows if one == policy} for policy, *_ in rows}

    assert done.json["differ"] == len({name for name, *_ in by["taobao-2022-01"] ^ by["taote-2023"]})
    assert sum(group["rounds"] for group in done.json["groups"]) == done.json["differ"] == len(done.json["rounds"])
    assert done.code == (1 if done.json["differ"] else 0)
    assert (same.code, "0 rounds differ, 2 do not" in same.out) == (0, True)


def test_what_if_under_a_name_of_its_own_touches_nothing_else(sanfen: Sanfen, scored: Path) -> None:
    """Scores of another rule in the same log; a third time the name is taken, and the live set cannot be written."""
    before = sanfen("rates", scored, "--json").json
    strict = ("--policy", "taobao-2022-01", "--set", "due=[{after: 20s}]", "--out", scored, "--score-set")
    done = sanfen("replay", scored, *strict, "strict", "--json").json["policies"][0]
    found = sanfen("compare", scored, "replay/taobao-2022-01", "strict/taobao-2022-01", "--json").json

    assert (done["numerator"], done["denominator"]) == (0, 2)
    assert [row for row in sanfen("rates", scored, "--json").json if row["score_set"] == "replay"] == before
    assert found["groups"] == [
        {"a": "met", "because_a": "answered_in_time", "b": "late", "because_b": "answered_late", "rounds": 1}
        | {"examples": found["groups"][0]["examples"]}
    ]
    with closing(sqlite3.connect(scored)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (5,)
    for name, words in (("strict", "holds a score set strict already"), ("live", "not a name"), ("a b", "not a name")):
        refused = sanfen("replay", scored, *strict, name)
        assert refused.code == 2
        assert words in refused.err


def test_a_what_if_that_fails_leaves_nothing(sanfen: Sanfen, scored: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    row = {"id": "x", "at": "2023-01-08T10:00:00+08:00", "from": "customer", "customer": "Z"}
    bad.write_text(json.dumps(row) + "\nnonsense\n", encoding="utf-8")
    before = sanfen("rates", scored, "--json").json

    assert sanfen("replay", bad, "--out", scored, "--score-set", "bad").code == 2
    assert sanfen("rates", scored, "--json").json == before


def test_a_limit_on_sending_counts_what_was_free(sanfen: Sanfen, tmp_path: Path) -> None:
    rows = [("01T09:00", "customer"), ("01T09:15", "merchant"), ("02T08:59", "merchant"), ("02T09:00", "merchant")]
    path = tmp_path / "chat.jsonl"
    path.write_text(
        "".join(
            json.dumps({"id": str(n), "at": f"2026-03-{at}:00Z", "from": who, "customer": "A"}) + "\n"
            for n, (at, who) in enumerate(rows)
        ),
        encoding="utf-8",
    )
    alone = sanfen("replay", path, "--policy", "whatsapp-window", "--json").json["policies"]
    both = sanfen("replay", path, "--policy", "whatsapp-window", "--policy", "etsy")

    assert [(one["numerator"], one["denominator"], one["counts"]["outside"]) for one in alone] == [(2, 3, 1)]
    assert "whatsapp-window: 2 of 3 messages were free to send, 1 needed a template" in both.out
    assert "etsy: 0 of 1" in both.out


@pytest.mark.parametrize(("one", "other"), [("pdd-3m", "taote-2023"), ("taote-2023", "live/taote-2023")])
def test_compare_refuses_what_the_log_does_not_hold(sanfen: Sanfen, scored: Path, one: str, other: str) -> None:
    done = sanfen("compare", scored, one, other)

    assert done.code == 2
    assert "it holds replay/taobao-2022-01, replay/taote-2023" in done.err


def test_a_log_answers_in_sql_and_is_not_changed(sanfen: Sanfen, scored: Path) -> None:
    asked = sanfen(
        "query",
        scored,
        "SELECT status, count(*) AS n FROM rounds WHERE policy = :p GROUP BY 1",
        "-p",
        "p",
        "taote-2023",
        "--nl",
    )
    written = sanfen("query", scored, "DELETE FROM events")
    wrong = sanfen("query", scored, "SELECT unheard FROM rounds")
    several = sanfen("query", scored, "SELECT 1; SELECT 2")

    assert {json.loads(line)["status"] for line in asked.out.splitlines()} <= {"met", "late", "missed", "excluded"}
    assert [done.code for done in (asked, written, wrong, several)] == [0, 2, 2, 2]
    assert "readonly" in written.err
    assert "no such column: unheard" in wrong.err


def test_spans_and_groups_are_written_short(sanfen: Sanfen, scored: Path) -> None:
    """Commas or several options, the last days, since an hour or a day."""
    commas = sanfen("rates", scored, "--by", "shop,agent", "--json").json
    apart = sanfen("rates", scored, "--by", "shop", "--by", "agent", "--json").json

    assert commas == apart
    assert [row["agent"] for row in commas] == ["小美", "小美"]
    assert sanfen("rates", scored, "--days", "30").err.strip() == "nothing found"
    assert len(sanfen("rounds", scored, "--since", "2023-01-07", "--json").json) == 4
    assert len(sanfen("rounds", scored, "--since", "2023-01-07T10:18:20", "--json").json) == 2
    assert sanfen("rounds", scored, "--since", "2h", "--json").json == []
    for given, words in (
        (["--days", "3", "--from", "2023-01-01"], "--days"),
        (["--by", "shop,agnet"], "'agnet'"),
        (["--since", "soon"], "No such option"),
    ):
        done = sanfen("rates", scored, *given)
        assert (done.code, words in done.err) == (2, True), given


def test_one_rule_has_a_head_and_a_sum(sanfen: Sanfen, scored: Path) -> None:
    """For a person; machines get rows alone."""
    told = sanfen("rates", scored, "--by", "agent,hour", "--policy", "taobao-2022-01").out.splitlines()
    both = sanfen("rates", scored).out.splitlines()

    assert told[0] == "rounds answered in time · replay/taobao-2022-01"
    assert told[1].split() == [
        "agent",
        "hour",
        "rounds",
        "met",
        "late",
        "missed",
        "pending",
        "excluded",
        "rate",
        "mean_wait",
    ]
    assert both[0].split()[0] == "policy"
    assert sanfen("rates", scored, "--policy", "taobao-2022-01", "--csv").out.startswith("score_set,policy,")


@pytest.mark.parametrize("form", ["--json", "--csv", "--nl", "--md"])
@pytest.mark.parametrize(
    "verb",
    [
        "rates {log}", "rounds {log}", "figures {log} --by agent", "budget {log} --target 90%", "query {log} SELECT*FROM(rounds)",
        "compare {log} taobao-2022-01 taote-2023", "compare {log} taobao-2022-01 taote-2023 --rounds", "erase {log} --list",
        "policies", "policies taote-2023", "policies taote-2023 pdd-3m", "adapters",
    ],
)  # fmt: skip
def test_every_table_has_every_form(sanfen: Sanfen, scored: Path, verb: str, form: str) -> None:
    words = [word.format(log=scored).replace("SELECT*FROM(rounds)", "SELECT * FROM rounds") for word in verb.split()]
    done = sanfen(*words, form)
    starts = {"--json": ("[", "{"), "--csv": tuple("abcdefghijklmnopqrstuvwxyz"), "--nl": ("{",), "--md": ("|",)}

    assert done.code in (0, 1)
    assert done.out.startswith(starts[form]) or not done.out


def test_colour_is_for_terminals_that_want_it(sanfen: Sanfen, scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = coloured_now()
    monkeypatch.setenv("NO_COLOR", "1")

    assert (coloured, coloured_now()) == (True, False)


def test_a_wide_table_is_turned(sanfen: Sanfen, scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each figure has its line where all of them do not fit beside each other."""
    monkeypatch.setenv("COLUMNS", "80")
    narrow = sanfen("figures", scored, "--by", "agent").out.splitlines()
    monkeypatch.setenv("COLUMNS", "300")
    wide = sanfen("figures", scored, "--by", "agent").out.splitlines()

    assert (len(wide), wide[0].split()[0], wide[0].split()[1]) == (2, "agent", "consult_num")
    assert [line.split()[0] for line in narrow][:2] == ["agent", "consult_num"]
    assert len(narrow) == len(wide[0].split())
