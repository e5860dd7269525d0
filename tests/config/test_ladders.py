"""From steps as people write them to ladders as the core reads them."""

from pathlib import Path

from sanfen.config.load import inspect, load
from sanfen.core.policy import Ladder, Step

HEAD = "version: 1\npeople: {lead: {via: ['console:']}}\n"


def ladders(tmp_path: Path, text: str, number: int = 0) -> tuple[Ladder, ...]:
    path = tmp_path / "sanfen.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return load(path, {}).policies[number].ladders


def test_steps_are_put_in_order_of_time_wherever_they_count_from(tmp_path: Path) -> None:
    (ladder,) = ladders(
        tmp_path,
        "escalation:\n  - name: a\n    steps:\n"
        "      - {late: 0s, notify: [lead], every: 30s}\n"
        "      - {before: 20s, notify: [lead], every: 10s, times: 3}  # sanfen: allow W102\n"
        "      - {at: 2m, notify: [lead]}  # sanfen: allow W102\n",
    )

    assert ladder.steps == (
        Step(120_000, ("lead",)),
        Step(-20_000, ("lead",), "deadline", every_ms=10_000, times=3),
        Step(0, ("lead",), "deadline", every_ms=30_000, times=20),
    )


def test_what_a_ladder_is_for(tmp_path: Path) -> None:
    (ladder,) = ladders(
        tmp_path,
        "groups: {aftersale: [lily, bob]}\nescalation:\n  - name: a\n"
        "    match: {shop: s, group: aftersale, agent: ann, tag: vip, hours: 21:00-05:00}\n"
        "    steps: [{at: 90s, notify: [lead]}]\n",
    )

    assert ladder.agents == {"ann", "lily", "bob"}
    assert (ladder.shops, ladder.tags, ladder.hours) == (frozenset({"s"}), frozenset({"vip"}), (1260, 300))


def test_a_ladder_is_for_the_first_policy_unless_it_names_others(tmp_path: Path) -> None:
    text = (
        "also: [pdd-3m]\nescalation:\n"
        "  - {name: pdd, match: {policy: pdd-3m}, steps: [{at: 60s, notify: [lead]}]}\n"
        "  - {name: a, steps: [{at: 90s, notify: [lead]}]}\n"
    )

    assert [ladder.name for ladder in ladders(tmp_path, text)] == ["a"]
    assert [ladder.name for ladder in ladders(tmp_path, text, 1)] == ["pdd"]


def test_where_giving_away_is_a_miss_the_holder_is_told_first(tmp_path: Path) -> None:
    head = "policy: taobao-2023-05\nescalation:\n  - name: a\n    steps:\n"
    given = "      - {at: 2m30s, reassign: backup}  # sanfen: allow W109\n"

    (alone,) = ladders(tmp_path, head + given)
    (nudged,) = ladders(tmp_path, head + "      - {at: 1m, notify: [agent]}\n" + given)

    assert alone.steps == (Step(120_000, ("agent",)), Step(150_000, reassign="backup"))
    assert nudged.steps == (Step(60_000, ("agent",)), Step(150_000, reassign="backup"))


def test_a_condition_is_shown_where_it_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text(
        HEAD
        + "escalation:\n  - {name: a, steps: [{at: 90s, notify: [lead], if: 'vip && wated > duration(\"2m\")'}]}\n",
        encoding="utf-8",
    )
    _, (finding,) = inspect(path, {})

    assert finding.source[finding.column - 1 :][: finding.width] == "wated"
    assert finding.help.startswith("did you mean waited? known: waited, text,")


def test_with_a_fallback_no_hour_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text(
        "version: 1\npeople: {day: {via: ['console:'], hours: 08:00-21:00}, boss: {via: ['console:']}}\n"
        "fallback: [boss]\nescalation: [{name: a, steps: [{at: 90s, notify: [day]}]}]\n",
        encoding="utf-8",
    )

    assert inspect(path, {})[1] == []


def test_holidays_are_dates_and_those_of_countries(tmp_path: Path) -> None:
    path = tmp_path / "sanfen.yaml"
    path.write_text("version: 1\nholidays: [CN, 2026-11-11]\n", encoding="utf-8")
    holidays = load(path, {}).settings.holidays

    assert {"2026-10-01", "2026-11-11"} <= holidays
    assert "2026-11-12" not in holidays
