"""Chats as tests of a configuration: what they say of rounds and of who is told is compared, line by line."""

from pathlib import Path

import pytest

from sanfen.bulk.trials import Difference, try_chat
from sanfen.config.load import Loaded, load
from sanfen.errors import InputError
from sanfen.transcript import parse

CONFIG = """\
version: 1
policy: ours
also: [pdd-3m]
policies: {ours: {based_on: taobao-2022-01, window: 00:00-24:00}}
classify:
  - {name: greeting, match: {text: "^您好"}, verdict: invalid}
  - {name: default, verdict: valid}
people:
  lily: {via: ["console:"], agents: [lily]}
  lead: {via: ["console:"], hours: 08:00-21:00}
  boss: {via: ["console:"]}
fallback: [boss]
escalation:
  - name: default
    steps:
      - {at: 1m, notify: [agent]}
      - {at: 2m, notify: [lead]}
      - {at: 2m30s, reassign: backup}
"""
CHAT = """\
# Answered by a greeting, then by nobody. (ours)
2023-01-07
10:00:00 customer  在吗
10:00:01 unknown lily  您好，欢迎光临
10:10:00 unknown lily  在的
=> late 0:10:00
!> 10:01:00 lily
!> 10:02:00 lead
!> 10:02:30 reassign backup
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    path = tmp_path / "sanfen.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return load(path, {})


def tried(text: str, loaded: Loaded | None) -> list[Difference]:
    return try_chat(parse(text, "chat.txt"), "chat.txt", loaded)


def test_a_chat_that_goes_as_it_says(loaded: Loaded) -> None:
    assert tried(CHAT, loaded) == []


def test_what_differs_is_said_with_its_line(loaded: Loaded) -> None:
    text = CHAT.replace("=> late 0:10:00", "=> met 0:00:01").replace("10:02:00 lead", "10:02:00 boss")

    assert tried(text, loaded) == [
        Difference(6, "met 0:00:01", "late 0:10:00"),
        Difference(8, "10:02:00 boss", "10:02:00 lead"),
    ]


def test_too_many_and_too_few(loaded: Loaded) -> None:
    short = "2023-01-07\n10:00:00 customer  在吗\n10:00:30 unknown lily  在的\n"

    assert tried(short, loaded) == [Difference(0, "no round", "met 0:00:30")]
    assert tried(short + "=> met\n=> met\n!> none\n", loaded) == [Difference(5, "met", "no round")]
    assert tried(short + "=> met\n!> 10:01:00 lily\n", loaded) == [Difference(5, "10:01:00 lily", "nobody is told")]


def test_who_is_not_there_and_who_stands_in(loaded: Loaded) -> None:
    night = "2023-01-07\n22:00:00 customer  在吗\n22:01:30 take boss\n=> missed\n!> 22:01:00 boss\n"
    late = "2023-01-07\n22:00:00 customer  在吗\n=> missed\n!> 22:01:00 boss\n!> 22:02:00 boss\n!> 22:02:30 reassign backup\n"

    assert tried(night, loaded) == [Difference(4, "missed", "missed open_at_midnight")]
    assert tried(late.replace("=> missed", "=> missed open_at_midnight"), loaded) == []


def test_without_a_configuration_the_chat_says_by_which_policy() -> None:
    text = "policy: pdd-3m\n2023-01-07\n10:00:00 customer  在吗\n10:02:00 agent lily  在的\n=> met 0:02:00\n!> none\n"

    assert tried(text, None) == []
    assert tried("set: due=[{after: 1m}]\n" + text, None) == [Difference(6, "met 0:02:00", "late 0:02:00")]


def test_what_does_not_go_together(loaded: Loaded) -> None:
    with pytest.raises(InputError, match="scores by no policy 'jd-art'"):
        tried("policy: jd-art\n" + CHAT, loaded)
    with pytest.raises(InputError, match="set: lines and a configuration"):
        tried("set: midnight=missed\n" + CHAT, loaded)
    with pytest.raises(InputError, match="nobody is told here"):
        tried("!> soon lead\n", loaded)
