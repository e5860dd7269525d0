"""Every failure says with which one command it comes again."""

import os
import shlex
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

SEED = int(os.environ.get("SANFEN_SEED", "1"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        given = {"SANFEN_SEED": str(SEED)} | {k: v for k, v in os.environ.items() if k.startswith("SANFEN_")}
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(given.items()))
        report.sections.append(("replay", f"{settings} .venv/bin/python -Im pytest {shlex.quote(item.nodeid)}"))
    return report


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that is possible: power cuts are another test's business, and a year writes much."""
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own in it
    with tempfile.TemporaryDirectory(prefix="sanfen-", dir=memory if memory.is_dir() else tmp_path) as made:
        yield Path(made)
