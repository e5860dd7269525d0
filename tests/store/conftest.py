"""A real log in a real file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sanfen.store.db import Database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(tmp_path / "log.db")
    yield made
    made.close()


@pytest.fixture
def run(db: Database) -> Callable[..., Any]:
    """Run a function of the store in the writer thread, and wait for its commit."""
    return lambda job, *args, **kwargs: db.write(lambda connection: job(connection, *args, **kwargs)).result(timeout=10)
