"""What calling the command gives."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Done", "Sanfen"]


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Sanfen = Callable[..., Done]
