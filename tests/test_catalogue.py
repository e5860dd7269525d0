"""Every text is there in both languages, with the same values, and every name that is used exists."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from tests.sentences import Sentence, sentences

from sanfen.catalogue import SAID, TEXTS, USAGE, said, t
from sanfen.cli import VERBS
from sanfen.config.findings import CODES, Finding, Findings
from sanfen.config.pages import PAGES
from sanfen.config.policies import PolicyModel
from sanfen.config.schema import Config
from sanfen.core.reasons import Reason, sentence
from sanfen.errors import InputError, Phrase
from sanfen.sayings.outside import OUTSIDE

SOURCES = Path(__file__).parent.parent / "plugin" / "sanfen"
CHINESE = re.compile("[\u4e00-\u9fff]")


BUILT = (
    "act_done_", "init_", "tail_", "report_", "kind_", "column_",
    "weekday_", "show_", "board_key_", "board_screen_", "board_zone_",
    "plot_", "board_today_", "chip_", "mode_", "evidence_", "outcome_", "skipped_", "state_", "mend_", "notify_", "doctor_last_",
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


# --- errors and findings, by their English -------------------------------------------------------------------------


def wanted(models: Iterable[Any]) -> Iterator[str]:
    """How the schema describes what must be there: the hint where it is missing."""
    for model in models:
        if isinstance(model, type) and issubclass(model, BaseModel):
            for field in model.model_fields.values():
                if field.is_required() and field.description:
                    yield field.description.replace("\n", " ")
                yield from wanted([field.annotation])
        else:
            yield from wanted(get_args(model))


RAISED = [*sentences(), *(Sentence(one, "the schema") for one in wanted((Config, PolicyModel)))]
OR_SIGNS = re.compile("[\u4e00-\u9fff：（）]")
SAME = re.compile(r"(pip install|chmod|write !>|write =>|\{sentence\}|\{words\})")  # what one types is the same in both


def values_of(text: str) -> set[str]:
    return {f"{name}!{conversion}:{form}" for _, name, form, conversion in Formatter().parse(text) if name is not None}


def test_no_sentence_is_put_together_before_it_can_be_translated() -> None:
    assert not [one.place for one in RAISED if one.text is None]


def test_a_wrong_command_line_is_told_by_the_catalogue() -> None:
    code = {path.name: path.read_text(encoding="utf-8") for path in (SOURCES / "cli").glob("*.py")}

    assert not [
        name for name, text in code.items() if re.search(r"(UsageError|BadParameter|ClickException)\(f?\"", text)
    ]


def test_every_sentence_has_its_chinese() -> None:
    assert not sorted({f"{one.place}: {one.text}" for one in RAISED if one.text and one.text not in SAID})


def test_no_chinese_is_left_of_a_sentence_nobody_says() -> None:
    assert not set(SAID) - {one.text for one in RAISED} - set(OUTSIDE)


@pytest.mark.parametrize("english", [one for one in SAID if "{" in one and not re.search(r"\$\{|\{\"|\{token", one)])
def test_a_sentence_has_the_same_values_in_both(english: str) -> None:
    assert values_of(english) == values_of(SAID[english])


def test_what_is_said_in_chinese_is_chinese() -> None:
    assert not [
        english for english, chinese in SAID.items() if not OR_SIGNS.search(chinese) and not SAME.search(english)
    ]


def test_every_code_has_a_page_in_both_languages() -> None:
    assert set(CODES) == set(PAGES)
    assert not [code for code in CODES if not OR_SIGNS.search(PAGES[code].chinese)]


def test_an_error_is_said_with_its_mend() -> None:
    error = InputError(Phrase("not a day: {day!r}", day="x"), hint="write 2026-11-01")

    assert str(error) == "not a day: 'x'\n  = help: write 2026-11-01"
    assert said(error.whole, "zh") == "不是日期：'x'\n  = 建议：写成 2026-11-01"


def test_a_sentence_within_a_sentence_is_said_in_the_same_language() -> None:
    inner = Phrase("not a duration: {text!r}", text="2:30")

    assert said(Phrase("{place}: {sentence}", place="--for", sentence=inner), "zh") == "--for：不是时长：'2:30'"


def test_a_name_that_is_also_a_word_of_ours_stays() -> None:
    assert said(Phrase("unknown key {name!r}", name="none"), "zh") == "没有键 'none'"


def test_what_is_not_ours_stays() -> None:
    assert said("a plugin's own words", "zh") == "a plugin's own words"


def test_a_finding_keeps_place_line_and_caret() -> None:
    found = Finding(
        "C010", Phrase("unknown key {name!r}", name="店x"), "a.yaml", 3, 1, "店x: 1", 2, "not a setting here"
    )

    assert said(Findings([found]), "zh") == (
        "错误[C010]：没有键 '店x'\n  --> a.yaml:3:1\n  |\n3 | 店x: 1\n  | ^^^ 这里没有这个设置"
    )
