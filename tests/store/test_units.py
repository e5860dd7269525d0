"""What a policy counts, read back from the log, is what the replay of its messages says."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sanfen.bulk.replay import Replay, Request
from sanfen.bulk.sources import Log
from sanfen.config import presets
from sanfen.core.policy import Policy
from sanfen.errors import InputError
from sanfen.store import policies, units
from sanfen.store.db import Database
from sanfen.store.opening import open_reader

NAMES = ("taobao-2023-05", "pdd-3m", "taote-2023", "taobao-art-2022-03", "facebook-badge", "amazon", "shopee")
START = 1_673_053_200_000  # 2023-01-07 09:00 in Shanghai
END = START + 6 * 86_400_000


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Six days of two shops under seven policies, and what the replay reports of each and of its period."""
    folder, dice = tmp_path_factory.mktemp("units"), Random(5)
    rows: list[dict[str, Any]] = []
    for number in range(900):
        at_ms = START + dice.randrange(6 * 86_400_000)
        who = {"customer": f"c{dice.randrange(60)}", "shop": dice.choice(["s1", "s2"])}
        rows.append({"id": f"q{number}", "at": at_ms, "from": "customer", **who})
        wait_ms = dice.choice([20_000, 90_000, 180_000, 400_000, 2_000_000, None])
        if wait_ms is not None:
            reply = {"from": "merchant", "mode": "human", "agent": dice.choice(["a", "b"])}
            rows.append({"id": f"a{number}", "at": at_ms + wait_ms, **reply, **who})
    rows.sort(key=lambda row: row["at"])
    source, out = folder / "chat.jsonl", folder / "scored.db"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = tuple(presets.policy(name) for name in NAMES)
    request = Request(found, None, END, END, (), with_rounds=False, period=False, out=out)
    whole = run(request, source)
    periods = run(request._replace(out=None, period=True), source)
    return out, [one | {"own": other} for one, other in zip(whole, periods, strict=True)]


def run(request: Request, source: Path) -> list[dict[str, Any]]:
    with Log(source) as log:
        return Replay(request, [log]).run(lambda: None, lambda *_args, **_named: None)


def test_rates_give_the_number_the_policy_reports(replayed: tuple[Path, list[dict[str, Any]]]) -> None:
    path, reports = replayed
    with closing(open_reader(path)) as connection:
        rows = {row["policy"]: row for row in units.rates(connection)}
    assert rows.keys() == set(NAMES)
    for report in reports:
        row = rows[report["policy"]]

        assert (row["hits"], row["units"]) == (report["numerator"], report["denominator"]), report["policy"]
        assert row["value"] == pytest.approx(report["value"], abs=1e-6)


def test_a_period_is_that_of_the_replay(replayed: tuple[Path, list[dict[str, Any]]]) -> None:
    path, reports = replayed
    with closing(open_reader(path)) as connection:
        for report in reports:
            policy = units.known(connection, "replay", report["policy"])
            assert policy is not None
            (found,) = units.assessed(connection, policy, "replay", END)
            own = report["own"]

            assert (found["first"], found["last"]) == (own["period"]["first"], own["period"]["last"])
            assert (found["hits"], found["units"]) == (own["numerator"], own["denominator"])
            assert found["value"] == pytest.approx(own["value"])
            assert found["targets"] == {target["name"]: target["met"] for target in own["targets"]}


@pytest.mark.parametrize("by", ["shop", "day", "agent", "week", "month", "hour"])
def test_groups_of_rounds_add_up(replayed: tuple[Path, list[dict[str, Any]]], by: str) -> None:
    path, _ = replayed
    with closing(open_reader(path)) as connection:
        (whole,) = units.rates(connection, policy="taobao-2023-05")
        parts = units.rates(connection, by=[by], policy="taobao-2023-05")
        days = units.rates(connection, by=[by], policy="pdd-3m")
        (every,) = units.rates(connection, policy="pdd-3m")

    assert sum(part["units"] for part in parts) == whole["units"]
    # A customer's day may have rounds of several agents, hours: then it is a unit of each.
    together = sum(part["units"] for part in days)
    assert together == every["units"] if by in ("shop", "day", "week", "month") else together > every["units"]


def test_the_budget_counts_the_units_of_its_period(replayed: tuple[Path, list[dict[str, Any]]]) -> None:
    path, _ = replayed
    with closing(open_reader(path)) as connection:
        policy = units.known(connection, "replay", "pdd-3m")
        assert policy is not None
        (row,) = units.budgets(connection, policy, "replay", END)
        (every,) = units.rates(connection, policy="pdd-3m")

    assert (row["units"], row["units"] - row["used"]) == (every["units"], every["hits"])
    assert row["left"] == row["units"] // 2 - row["used"]
    standing = [one["stands"] for one in row["standing"]]
    assert (standing.count("lost"), standing.count("open")) == (row["today"]["lost"], row["today"]["open"])
    assert standing.count("lost") > 0
    assert all(one["customer"].startswith("c") and one["shop"] in ("s1", "s2") for one in row["standing"])


@pytest.mark.parametrize("name", NAMES)
def test_a_budget_of_the_roll_up_is_that_of_the_rounds(
    replayed: tuple[Path, list[dict[str, Any]]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_reader(replayed[0])) as connection:
        policy = units.known(connection, "replay", name)
        assert policy is not None
        found = [units.budgets(connection, policy, "replay", END, shop=shop) for shop in (None, "s1")]
        monkeypatch.setattr(units, "_by_days", lambda _: False)
        slow = [units.budgets(connection, policy, "replay", END, shop=shop) for shop in (None, "s1")]

    assert found == slow


def test_a_budget_of_the_past_does_not_see_what_came_later(
    replayed: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    """It is the budget of a log that ends there; but the row of a round names who answered it later."""
    as_of_ms = END - 90_000_000
    found = tuple(presets.policy(name) for name in NAMES if name != "taote-2023")
    ended = tmp_path / "ended.db"
    request = Request(found, None, as_of_ms, END, (), with_rounds=False, period=False, out=ended)
    run(request, replayed[0].parent / "chat.jsonl")
    with closing(open_reader(replayed[0])) as whole, closing(open_reader(ended)) as part:
        for policy in found:
            told = [units.budgets(log, policy, "replay", as_of_ms) for log in (whole, part)]

            assert told[0] == told[1], policy.id


def test_a_period_by_shop_and_by_agent(replayed: tuple[Path, list[dict[str, Any]]]) -> None:
    path, _ = replayed
    with closing(open_reader(path)) as connection:
        policy = units.known(connection, "replay", "taobao-2023-05")
        assert policy is not None
        (whole,) = units.assessed(connection, policy, "replay", END)
        shops = units.assessed(connection, policy, "replay", END, by=["shop"])
        agents = units.assessed(connection, policy, "replay", END, by=["shop", "agent"], shop="s1")
        with pytest.raises(InputError, match="own days"):
            units.assessed(connection, policy, "replay", END, by=["hour"])

    assert [row["shop"] for row in shops] == ["s1", "s2"]
    assert sum(row["units"] for row in shops) == whole["units"]
    assert sum(row["units"] for row in agents) == shops[0]["units"]
    assert {(row["shop"], row["agent"]) for row in agents} == {("s1", "a"), ("s1", "b")}


def test_a_policy_of_ones_own_is_known_from_the_log(db: Database, run: Callable[..., Any]) -> None:
    """No preset has its name; a change of targets is noted, but makes no new version."""
    ours = presets.policy("taobao-2022-01", overrides={"id": "ours", "due": [{"after": "2m"}]})
    run(policies.remember, "live", [ours], 5)
    run(policies.remember, "live", [ours], 9)
    with closing(db.reader()) as reader:
        assert units.known(reader, "live", "ours") == ours
        assert units.known(reader, "live", "theirs") is None
        assert [epoch.since_ms for epoch in policies.epochs(reader, "live", "ours")] == [0]

    strict = presets.policy("taobao-2022-01", overrides={"id": "ours", "due": [{"after": "1m"}]})
    wished = presets.policy("taobao-2023-05", overrides={"id": "ours"}).targets
    run(policies.remember, "live", [strict], 9)
    run(
        policies.remember,
        "live",
        [Policy(**{f: getattr(strict, f) for f in strict.__slots__} | {"targets": wished})],
        12,
    )
    with closing(db.reader()) as reader:
        assert [epoch.since_ms for epoch in policies.epochs(reader, "live", "ours")] == [0, 9]
        assert (units.known(reader, "live", "ours") or strict).targets == wished
