"""Every sentence an error or a finding is raised with is there in Chinese, with the same values, and no other one."""

import re
from string import Formatter

import pytest
from tests.sentences import sentences

from sanfen.catalogue import SAID, said
from sanfen.config.findings import CODES, Finding, Findings
from sanfen.config.pages import PAGES
from sanfen.errors import InputError, Phrase
from sanfen.sayings.outside import OUTSIDE

RAISED = list(sentences())
CHINESE = re.compile("[\u4e00-\u9fff：（）]")
SAME = re.compile(r"(pip install|chmod|write !>|write =>|\{sentence\}|\{words\})")  # what one types is the same in both


def fields(text: str) -> set[str]:
    return {f"{name}!{conversion}:{form}" for _, name, form, conversion in Formatter().parse(text) if name is not None}


def test_no_sentence_is_put_together_before_it_can_be_translated() -> None:
    assert not [one.place for one in RAISED if one.text is None]


def test_every_sentence_has_its_chinese() -> None:
    assert not sorted({f"{one.place}: {one.text}" for one in RAISED if one.text and one.text not in SAID})


def test_no_chinese_is_left_of_a_sentence_nobody_says() -> None:
    assert not set(SAID) - {one.text for one in RAISED} - set(OUTSIDE)


@pytest.mark.parametrize("english", [one for one in SAID if "{" in one and not re.search(r"\$\{|\{\"|\{token", one)])
def test_both_languages_have_the_same_values(english: str) -> None:
    assert fields(english) == fields(SAID[english])


def test_chinese_is_chinese() -> None:
    assert not [
        english for english, chinese in SAID.items() if not CHINESE.search(chinese) and not SAME.search(english)
    ]


def test_every_code_has_a_page_in_both_languages() -> None:
    assert set(CODES) == set(PAGES)
    assert not [code for code in CODES if not CHINESE.search(PAGES[code].chinese)]


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
