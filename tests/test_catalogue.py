"""Every text is there in both languages, with the same values, and every name that is used exists."""

import re
from pathlib import Path
from string import Formatter

import pytest

from sanfen.catalogue import TEXTS, USAGE, t
from sanfen.cli import VERBS
from sanfen.core.reasons import Reason, sentence

SOURCES = Path(__file__).parent.parent / "plugin" / "sanfen"
CHINESE = re.compile("[\u4e00-\u9fff]")


BUILT = (
    "act_done_", "init_", "tail_", "report_", "kind_", "column_",
    "weekday_", "show_", "board_key_", "board_screen_", "board_zone_",
    "plot_", "board_today_", "chip_", "mode_", "evidence_", "outcome_", "skipped_", "state_", "mend_", "notify_",
)  # fmt: skip
"""Names that are put together where they are used."""


def fields(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("name", TEXTS)
def test_both_languages_have_the_same_values(name: str) -> None:
    english, chinese = TEXTS[name]

    assert fields(english) == fields(chinese)
    assert english
    assert chinese


@pytest.mark.parametrize("english", USAGE)
def test_what_click_says_keeps_its_values(english: str) -> None:
    assert fields(english) >= fields(USAGE[english])
    assert CHINESE.search(USAGE[english])


def test_chinese_is_chinese() -> None:
    plain = {"replay_policy", "explain_state", "board_other_language", "board_today", "explain_head"}

    assert not [name for name, (_, chinese) in TEXTS.items() if not CHINESE.search(chinese) and name not in plain]
    assert not [reason for reason in Reason if not CHINESE.search(sentence(reason, "zh"))]
    assert not [verb for verb, (_, chinese) in VERBS.items() if not CHINESE.search(chinese)]


def test_every_name_that_is_used_exists_and_every_text_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*") if path.suffix in (".py", ".html"))
    used = set(re.findall(r'\bt\(\s*"(\w+)"', code)) | set(re.findall(r"\bt\.(\w+)", code))
    used |= {name for name in TEXTS if code.count(f'"{name}"') > 1}  # its own entry, and somebody who names it
    built = {name for name in TEXTS if name.startswith(BUILT)}

    assert {name for name in used if name.startswith(("replay_", "demo_", "notice_", "explain_", "board_"))} <= set(
        TEXTS
    )
    assert not [name for name in TEXTS if name not in used | built]


def test_values_are_put_in() -> None:
    assert t("replay_saved", "zh", file="x.db") == "已存：x.db（试试：sanfen rates x.db）"
