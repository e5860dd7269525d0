"""Patterns that could hold everybody up are refused where Python would read them."""

import re
import sys
from types import SimpleNamespace

import pytest

from sanfen.config import presets
from sanfen.config.patterns import pattern_of, readable
from sanfen.errors import UnreadableError


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a*)*", "(?:(x|y+)z?)+", "((a{2,})b?)*", "(?=(a+)+)", "((a)+?b)*", "^(亲[~～]*)+$"]
)
def test_a_repeat_inside_a_repeat(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(UnreadableError, match="a repeat inside a repeat"):
        readable(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "^(亲|您好).{0,12}(稍等|马上来)",
        "退款.*订单",
        "(ab)+c*",
        "(a{1,3})+",
        "[+*]+",
        "(?:\\d{4})*x+",
        "(a|b)+",
        "a++b",
    ],
)
def test_what_ends(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    if "++" in pattern and sys.version_info < (3, 11):
        pytest.skip("no possessive repeats")

    assert readable(pattern) == pattern
    assert isinstance(pattern_of(pattern), re.Pattern)


def test_re2_reads_them_all_but_the_core_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", SimpleNamespace(compile=re.compile, error=re.error))

    assert readable("(a+)+$") == "(a+)+$"
    with pytest.raises(UnreadableError):
        readable("(a+)+$", ours=True)


def test_none_at_all() -> None:
    with pytest.raises(UnreadableError, match="not a regular expression: missing"):
        readable("(")


def test_the_presets_are_readable() -> None:
    for name in presets.names():
        for pattern in presets.tree(name).get("empty_replies", ()):
            assert readable(pattern, ours=True) == pattern
