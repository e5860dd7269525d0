"""Errors that say what is wrong and how to mend it, to those who may know."""

import json

import pytest
from aiohttp.test_utils import make_mocked_request

from sanfen.gateway.problems import Refused, is_local, problem


def test_a_problem_is_rfc_9457() -> None:
    answer = problem(400, "at is missing", "add it", line=3, field=None, headers={"X": "y"})

    assert answer.content_type == "application/problem+json"
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body) == {"title": "at is missing", "status": 400, "hint": "add it", "line": 3}
    assert answer.headers["X"] == "y"


def test_a_lone_surrogate_can_be_said() -> None:
    assert problem(400, "bad \ud800").body


def test_a_refusal_may_close_the_connection() -> None:
    assert Refused(413, "too large", close=True).answer().keep_alive is False
    assert Refused(404, "none").answer().keep_alive is None


@pytest.mark.parametrize(
    ("peer", "headers", "local"),
    [
        ("127.0.0.1", {}, True),
        ("127.8.8.8", {}, True),
        ("::1", {}, True),
        ("::ffff:127.0.0.1", {}, True),
        ("203.0.113.9", {}, False),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.9"}, False),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, False),
    ],
)
def test_who_is_on_this_machine(peer: str, headers: dict[str, str], local: bool) -> None:
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer)

    assert is_local(request) is local
