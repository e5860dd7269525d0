"""JSON from strangers: what every way in refuses, what it mends, and that it never fails otherwise."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanfen.errors import ParseError
from sanfen.strictjson import Row, RowError, json_rows, strict_json


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b"\xff", "not UTF-8 at byte 0"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "not JSON"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not"),
        (b"1e999", "too large"),
        (b"1" * 21, "more than 20 digits"),
        (b"1" * 5_000, "more than 20 digits"),
        (b'{"a": 1, "b": 2, "a": 3}', "a key stands twice in one object: 'a'"),
        (b"[" * 33 + b"]" * 33, "deeper than 32"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "deeper than 32"),
        (b"[" * 100_000, "deeper than 32"),
        (b"[1,]", "not JSON"),
        (b"{'a': 1}", "line 1 column 2"),
        (b'{"a": 1} x', "Extra data"),
        (b'"\x01"', "not JSON"),
        (b"\xef\xbb\xbf\xef\xbb\xbf1", "not JSON"),
    ],
)
def test_refused_in_one_sentence(body: bytes, says: str) -> None:
    with pytest.raises(ParseError) as caught:
        strict_json(body)

    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\xef\xbb\xbf{}", {}),
        (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
        (b'["[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["]', ["[" * 35]),
        (b"18446744073709551615", 2**64 - 1),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\ud800"', "\ufffd"),
        (b'{"a\\udfff": ["\\u0000", 1, null]}', {"a\ufffd": ["\ufffd", 1, None]}),
        (b'"\\\\ud800"', "\\ud800"),
        (b"[1.5, true, null]", [1.5, True, None]),
    ],
)
def test_read_and_mended(body: bytes, value: Any) -> None:
    assert strict_json(body) == value


def test_objects_of_a_body() -> None:
    assert json_rows(b'{"a": 1}') == [Row("", 0, {"a": 1})]
    assert json_rows(b'{\n "a": 1\n}') == [Row("", 0, {"a": 1})]
    assert json_rows(b'[{"a": 1}, {}]') == [Row("index", 0, {"a": 1}), Row("index", 1, {})]
    assert json_rows(b'\n{"a": 1}\r\n\n{}') == [Row("line", 2, {"a": 1}), Row("line", 4, {})]


@pytest.mark.parametrize(
    ("body", "place", "number", "says"),
    [
        (b'[{}, "x"]', "index", 1, "index 1: not a JSON object but a text"),
        (b"{}\n[]", "line", 2, "line 2: not a JSON object but an array"),
        (b"{}\n{]", "line", 2, "line 2: the body is not JSON"),
        (b"5", "", 0, "not a JSON object but a number"),
        (b"null", "", 0, "not a JSON object but null"),
    ],
)
def test_the_object_at_fault_is_named(body: bytes, place: str, number: int, says: str) -> None:
    with pytest.raises(RowError) as caught:
        json_rows(body)

    assert (caught.value.place, caught.value.number) == (place, number)
    assert caught.value.message.startswith(says)


def test_a_first_line_that_is_no_json_is_not_a_line() -> None:
    with pytest.raises(ParseError, match="line 2 column 1"):
        json_rows(b'{"a":\n}')


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(_JSON)
def test_what_is_written_properly_is_read_the_same(value: Any) -> None:
    """Whatever a correct writer makes of storable texts comes back."""
    storable = json.loads(json.dumps(value).replace("\\u0000", "?"))

    assert strict_json(json.dumps(storable).encode()) == storable
    assert strict_json(json.dumps(storable, ensure_ascii=False).encode()) == storable


@given(st.binary(max_size=60) | st.text(alphabet='[]{}",:0e\\ud8\n ').map(str.encode))
def test_it_fails_in_one_way_only(body: bytes) -> None:
    """ParseError, or a value that SQLite and a terminal can take."""
    try:
        rows = json_rows(body)
    except ParseError:
        return

    json.dumps([row.value for row in rows], ensure_ascii=False).encode()
