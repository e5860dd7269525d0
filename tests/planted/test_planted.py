"""The planted bugs still fit the source, and some of them are noticed. All of them: ``make planted``."""

from pathlib import Path

import pytest
from tests.planted.bugs import BUGS, Bug
from tests.planted.run import RED, copied, fits, noticed

CHEAP = ("a third message", "a replay of last year is authentic", "an old reminder counts")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_it_can_be_planted(bug: Bug) -> None:
    """The source has changed where this fails: plant the bug anew, in ``bugs.py``."""
    assert fits(bug), f"{bug.file} does not hold this once: {bug.old}"


def test_there_are_enough_and_none_twice() -> None:
    assert len({(bug.file, bug.old) for bug in BUGS}) >= 40
    assert len({bug.name for bug in BUGS}) == len(BUGS)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("name", CHEAP)
def test_it_is_noticed(name: str, tree: Path) -> None:
    (bug,) = (one for one in BUGS if one.name == name)
    code, text = noticed(bug, tree)

    assert code == RED, text
