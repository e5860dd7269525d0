"""A configuration with its mistakes taken out, so that the names in the rest of it are checked in the same run.

Nothing else may be read from it: a value that stands in for one that could not be read means nothing.
"""

import copy
from collections import Counter
from typing import Any

from pydantic import ValidationError

from sanfen.config.schema import Config
from sanfen.config.types import refusal

__all__ = ["mended"]

_ROUNDS = 8
_Path = tuple[str | int, ...]


def mended(tree: dict[str, Any]) -> tuple[Config, frozenset[str]]:
    """What is left of a file's tree, and the sections that lost an entry: what is named there, nobody knows any more."""
    left = copy.deepcopy(tree) | {"version": "1"}
    lost: set[str] = set()
    tried: Counter[_Path] = Counter()
    for _ in range(_ROUNDS):
        try:
            return Config.model_validate(left), frozenset(lost)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                path = _there(left, found["loc"])
                up = tried[found["loc"]]  # what stands there was of no use: its holder goes, and then that one's
                tried[found["loc"]] += 1
                if up or not _replaced(left, path, found):
                    lost |= _taken_out(left, path[: max(1, len(path) - up)], whole=found["type"] != "extra_forbidden")
    return Config(version="1"), frozenset(lost | set(left))


def _there(tree: Any, loc: _Path) -> _Path:
    """As much of a place as stands in the tree; pydantic's own steps are left out."""
    path: list[str | int] = []
    for part in loc:
        inside = part in tree if isinstance(tree, dict) else isinstance(tree, list) and isinstance(part, int)
        if inside and (isinstance(tree, dict) or part < len(tree)):  # type: ignore[operator]  # an index
            path.append(part)
            tree = tree[part]
    return tuple(path)


def _replaced(tree: Any, path: _Path, found: Any) -> bool:
    """Put a value that would do in the place of one that does not; whether there is one."""
    example = refusal(found).example
    if found["type"] == "missing":
        path = (*path, found["loc"][-1])
        example = ".".join(map(str, path))  # as a name it is nobody else's
    if example is None or not path:
        return False
    *parents, last = path
    for part in parents:
        tree = tree[part]
    if isinstance(example, dict):  # the keys that are wanting
        example = dict(tree[last]) | example
    tree[last] = example
    return True


def _taken_out(tree: Any, path: _Path, *, whole: bool) -> set[str]:
    """Take a value out. A list goes as a whole: what is left of it would stand in other places. Returns what lost an entry.

    ``whole``: what goes may have been the name of something.
    """
    while path and isinstance(path[-1], int):
        path = path[:-1]
    if not path:
        return set()
    *parents, last = path
    for part in parents:
        tree = tree[part]
    tree.pop(last, None)
    return {str(path[0])} if whole and len(path) <= 2 else set()
