"""What an adapter costs a message: every fixture of every channel read, next to ``json.loads`` of the same bytes, same run.

    python benchmarks/parsing.py [--rounds 300]

A fixture counts once for each message in it, one that holds none as one. Rounds of both alternate; the best of each is shown.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.contracts.test_fixtures import FIXTURES, PLUGINS, READERS, READINGS, load, request_of, settings_of, told

from sanfen.abc import Answer, ParseError, Pull


def main() -> None:
    """Print microseconds a message, by channel and in all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    rows: dict[str, list[tuple[int, float, float]]] = {}
    for path in FIXTURES:
        read, body, messages = reading(path)
        rows.setdefault(path.parent.name, []).append((messages, *best(read, partial(floor, body), rounds)))
    print(f"{'channel':14} {'messages':>8} {'adapter µs':>11} {'json.loads µs':>14} {'ratio':>6}")
    every = [row for found in rows.values() for row in found]
    for name, found in [*sorted(rows.items()), ("all", every)]:
        count = sum(messages for messages, _, _ in found)
        ours, theirs = (sum(row[at] for row in found) / count * 1e6 for at in (1, 2))
        print(f"{name:14} {count:8} {ours:11.1f} {theirs:14.1f} {ours / theirs if theirs else 0:6.1f}")


def reading(path: Path) -> tuple[Callable[[], Any], bytes, int]:
    """What reads a fixture as the service would, its bytes, and how many messages are in it."""
    name = READERS[path.parent.name]
    facts, fixture = READINGS[name], load(path)
    adapter = PLUGINS.channel(settings_of(path.parent.name, name, facts), "shop")
    said, request = facts.get("fixtures", {}).get(path.stem, {}), request_of(fixture)
    messages = max(1, sum(hasattr(one, "key") for one in told(adapter, path, facts)))
    head = {"content-type": said.get("content_type", "application/json")}
    if "pulled" in said:
        page = Answer(200, head, request.body)
        return lambda: adapter.pulled(Pull(said["pulled"]), page, None, 0), request.body, messages
    if "answers" in said:
        earlier = load(path.with_stem(said["answers"]))
        asked, way, answer = request_of(earlier), earlier["direction"], Answer(200, head, request.body)
        return lambda: adapter.heard(asked, answer, way, 1_795_309_140_000), request.body, messages
    answer = Answer(200, head, said.get("answer", "").encode())

    def read() -> None:
        with suppress(ParseError):
            adapter.parse(request, fixture["direction"], 1_795_309_140_000)
            if answer.body:
                adapter.answered(request, answer, fixture["direction"], 1_795_309_140_000)

    return read, request.body, messages


def floor(body: bytes) -> None:
    """Only the JSON."""
    with suppress(ValueError):
        json.loads(body)


def best(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Seconds for one call of each: the best of alternating rounds of ten."""
    found = [float("inf"), float("inf")]
    for _ in range(rounds):
        for at, one in enumerate((ours, theirs)):
            began = time.perf_counter()
            for _ in range(10):
                one()
            found[at] = min(found[at], (time.perf_counter() - began) / 10)
    return found[0], found[1]


if __name__ == "__main__":
    main()
