"""A notice to tell."""

import pytest

from sanfen.abc import Notice
from sanfen.testing import notice as a_notice


@pytest.fixture
def notice() -> Notice:
    return a_notice(
        agent="小美",
        question="退款三天了",
        title="顾客已等 1:30",
        text="flagship/desk 的 tb**34 已等 1:30，还剩 1:30。\n问：退款三天了 [点我](http://evil.example)",
    )
