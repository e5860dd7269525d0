"""How fast the core scores, next to the floor: a loop that only reads the same events and groups them.

    python benchmarks/core.py [--messages 200000]

One process, one core. Both loops run in turn, three times; medians and their ratio are printed, and one line of JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

from sanfen.config import presets
from sanfen.core.events import Event, Key, Message
from sanfen.core.facts import Conversation
from sanfen.core.plan import plan_of
from sanfen.core.rounds import advance

START = 1_673_053_200_000
FOUR = ("taobao-2022-01", "taobao-2023-05", "taobao-2025-10", "taote-2023")


def made(count: int) -> list[Event]:
    """Twenty thousand customers; two questions, an auto-reply and a person's answer, over and over."""
    out: list[Event] = []
    for number in range(count):
        customer = str(number // 4 % 20_000)
        key, at_ms, name = Key("s", "c", customer), START + number * 250, f"e{number}"
        if number % 4 in (0, 1):
            out.append(Message(at_ms, key, name, "customer", customer))
        else:
            mode = "human" if number % 4 == 3 else "auto"
            out.append(Message(at_ms, key, name, "merchant", customer, mode, "a1"))
    return out


def floor(events: list[Event]) -> None:
    grouped: dict[Key, list[int]] = {}
    for event in events:
        grouped.setdefault(event.key, []).append(event.at_ms)


def core(*names: str) -> Callable[[list[Event]], None]:
    plans = [plan_of(presets.policy(name)) for name in names]

    def run(events: list[Event]) -> None:
        states: dict[Key, list[Conversation]] = {}
        for event in events:
            found = states.get(event.key)
            if found is None:
                found = states[event.key] = [Conversation(event.key) for _ in plans]
            for state, plan in zip(found, plans, strict=True):
                advance(state, event, plan)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    events = made(parser.parse_args().messages)
    loops = {"floor": floor, "one policy": core(FOUR[0]), "four policies": core(*FOUR)}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(3):
        for name, loop in loops.items():
            start = time.perf_counter()
            loop(events)
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(found) for name, found in seconds.items()}
    for name, found in median.items():
        print(
            f"{name:<14} {len(events) / found:>12,.0f} messages/s   {found / median['floor']:6.2f} × the floor's time"
        )
    ratio = median["four policies"] / median["one policy"]
    print(f"four policies cost {ratio:.2f} × one")
    print(json.dumps({"messages": len(events), "seconds": median, "four_over_one": ratio}))


if __name__ == "__main__":
    main()
