"""A mistake in the shape hides no undefined name: all of them in one run, and none that is not there."""

import random
from pathlib import Path

import pytest

from sanfen.config.load import inspect

GOOD = """\
version: 1
shop: {id: flagship, timezone: Asia/Shanghai}
channels:
  desk: {signing: none, timeout: 3s}
people:
  lead: {via: ['console:'], hours: 08:00-21:00}
rosters:
  night: [{people: [lead], hours: 21:00-08:00}]
groups: {after: [lily]}
fallback: [lead]
escalation:
  - name: default
    match: {channel: desk, group: after}
    steps:
      - {at: 1m30s, notify: [lead, night]}
      - {at: 2m, notify: [lead], every: 30s}
classify:
  - {name: bots, match: {channel: desk, mode: bot, length: '>= 12'}, verdict: invalid}
  - {name: default, verdict: valid}
"""


def found(tmp_path: Path, text: str) -> set[tuple[str, str]]:
    """Code and the word the caret stands under."""
    path = tmp_path / "sanfen.yaml"
    path.write_text(text, encoding="utf-8")
    findings = inspect(path, {})[1]
    return {(one.code, one.source[one.column - 1 : one.column - 1 + one.width]) for one in findings if one.is_error}


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("at: 1m30s, notify: [lead", "at: 1:30, notify: [leed", {("C013", "1:30"), ("C021", "leed")}),
        ("at: 2m, notify: [lead]", "at: 2m, notfy: [lead]", {("C010", "notfy")}),
        ("{at: 2m, notify: [lead]", "{notify: [leed]", {("C012", "{notify: [leed], every: 30s}"), ("C021", "leed")}),
        ("every: 30s", "every: 30s, if: wated > 1, tims: 2", {("C010", "tims"), ("C030", "wated")}),
        ("hours: 08:00-21:00", "hours: 8-21", {("C013", "8-21")}),
        ("['console:'], hours: 08:00-21:00", "['console:'], hour: 1", {("C010", "hour")}),
        ("timeout: 3s", "timeout: 3", {("C013", "3")}),
        ("match: {channel: desk, group: after}", "match: {chanel: dask, group: afer}", {("C010", "chanel"), ("C021", "afer")}),
        ("length: '>= 12'", "length: long", {("C013", "long")}),
        ("channel: desk, mode: bot", "channel: dask, mode: robot", {("C022", "dask"), ("C012", "robot")}),
        ("groups: {after: [lily]}", "groups: {after: {lily: 1}}", {("C012", "{lily: 1}")}),
        ("  - name: default\n", "  - nmae: default\n", {("C010", "nmae"), ("C011", "nmae: default")}),
    ],
)  # fmt: skip
def test_names_are_checked_beside_a_wrong_shape(
    tmp_path: Path, right: str, wrong: str, expected: set[tuple[str, str]]
) -> None:
    assert GOOD.count(right) == 1

    shown = found(tmp_path, GOOD.replace(right, wrong))

    assert {one for one in shown if one[0] != "C011"} == {one for one in expected if one[0] != "C011"}


def test_what_is_wrong_in_many_places_is_said_in_one_run(tmp_path: Path) -> None:
    text = GOOD.replace("1m30s", "1:30").replace("08:00-21:00", "8-21").replace("notify: [lead]", "notify: [boss]")
    text = text.replace("timeout: 3s", "timeout: 3").replace("mode: bot", "mode: robot").replace("[lead]\n", "[led]\n")

    assert found(tmp_path, text) == {
        ("C013", "1:30"), ("C013", "8-21"), ("C013", "3"), ("C012", "robot"), ("C021", "boss"), ("C021", "led"),
    }  # fmt: skip


def test_a_part_that_was_refused_does_not_hide_the_rest(tmp_path: Path) -> None:
    text = GOOD.replace("timezone: Asia/Shanghai", "timezone: !!str x").replace("timeout: 3s", "timeot: 3s")

    assert {code for code, _ in found(tmp_path, text)} == {"C001", "C010"}


def test_no_file_is_too_broken_to_be_looked_at(tmp_path: Path) -> None:
    """Letters, brackets and lines are lost and doubled: there is always an answer."""
    dice = random.Random(3)  # no secret
    path = tmp_path / "sanfen.yaml"
    for _ in range(150):
        lines = GOOD.split("\n")
        for _ in range(dice.randint(1, 4)):
            number = dice.randrange(len(lines))
            line = lines[number]
            at = dice.randrange(len(line) + 1)
            lines[number] = dice.choice(
                [line[:at] + line[at + 1 :], line[:at] + dice.choice("[]{}:,x1 -") + line[at:], "", line * 2]
            )
        path.write_text("\n".join(lines), encoding="utf-8")
        loaded, findings = inspect(path, {})
        assert (loaded is None) == any(one.is_error for one in findings)
