"""Every scalar stays the text it is."""

import pytest

from sanfen.config.yaml import read_text


@pytest.mark.parametrize(
    "text", ["24:00", "9:00", "08:00", "on", "yes", "no", "0123", "1e3", "1.10", "2026-01-31", "0x10"]
)
def test_scalars_stay_text(text: str) -> None:
    """PyYAML's own types would make 1440, true, 83 or a date of these."""
    document = read_text(f"a: {text}\n{text}: b\n", "f")

    assert document.tree == {"a": text, text: "b"}


def test_null_is_nothing() -> None:
    assert read_text("a:\nb: ~\nc: 'null'\n", "f").tree == {"a": None, "b": None, "c": None} | {"c": "null"}


def test_variables_are_filled_and_marked() -> None:
    document = read_text("a: x${N}y\nb: plain\n", "f", {"N": "42"})

    assert document.tree == {"a": "x42y", "b": "plain"}
    assert document.literal == {("b",)}


def test_places_count_from_one() -> None:
    place = read_text("a:\n  - {b: c}\n", "f").places["a", 0, "b"]

    assert (place.line, place.column, place.key_column) == (2, 9, 6)


@pytest.mark.parametrize("count", [2_000, 20_000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "a:\n "])
def test_nesting_has_an_end(count: int, opening: str) -> None:
    """Also where the composer would recurse until it fails."""
    text = opening * count if "\n" not in opening else "".join(" " * n + "a:\n" for n in range(min(count, 300)))

    assert {finding.code for finding in read_text("version: 1\nx:\n  " + text.replace("\n", "\n  "), "f").findings} == {
        "C001"
    }
