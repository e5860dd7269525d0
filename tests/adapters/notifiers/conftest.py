"""A notice to tell."""

import pytest

from sanfen.abc import Notice

NOTICE = Notice(
    id="r1.default.0.7",
    round_id="r1",
    shop="flagship",
    channel="desk",
    conversation="c",
    customer="tb**34",
    agent="小美",
    ladder="default",
    step=0,
    person="lead",
    opened_ms=1_673_056_800_000,
    due_ms=1_673_056_980_000,
    waited_ms=90_000,
    question="退款三天了",
    title="顾客已等 1:30",
    text="flagship/desk 的 tb**34 已等 1:30，还剩 1:30。\n问：退款三天了 [点我](http://evil.example)",
)


@pytest.fixture
def notice() -> Notice:
    return NOTICE
