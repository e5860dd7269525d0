"""How fast one process scores on one core, next to a floor: the same loop that only parses and groups the events.

    python benchmarks/core.py [--messages 200000]

Each loop reads lines of ``sanfen.event/1``, turns each into an event and groups it by conversation. The others also
classify replies by two rules, run the round machine and score, under ``taobao-2022-01`` and under four policies at once;
`machine` is that work alone, on events that are ready. All loops run in turn, five times; medians of processor seconds (a
busy machine disturbs them least), their ratios, and one line of JSON.
"""

import argparse
import json
import re
import statistics
import time
from collections.abc import Callable, Iterable

from sanfen.bulk.rescore import Rescore, seldom_collected
from sanfen.config import presets
from sanfen.core.classify import Rule
from sanfen.core.events import Event, Key
from sanfen.core.plan import plan_of
from sanfen.wire import read_event

START = 1_673_053_200_000
FOUR = ("taobao-2022-01", "taobao-2023-05", "taobao-2025-10", "taote-2023")
RULES = (
    Rule("greeting", verdict="invalid", text=re.compile("欢迎光临")),
    Rule("people", verdict="valid", agents=frozenset({"a1", "a2"})),
)


def made(count: int) -> list[str]:
    """Twenty thousand customers; two questions, an auto-reply and a person's answer, over and over."""
    out = []
    for number in range(count):
        row = {"id": f"e{number}", "at": START + number * 250, "customer": f"tb{number // 4 % 20_000}", "text": "在吗"}
        if number % 4 in (0, 1):
            row |= {"from": "customer"}
        else:
            mode = {"mode": "auto", "text": "您好，欢迎光临"} if number % 4 == 2 else {"mode": "human"}
            row |= {"from": "merchant", "agent": "a1"} | mode
        out.append(json.dumps(row, ensure_ascii=False))
    return out


def parsed(lines: Iterable[str]) -> Iterable[Event]:
    return (read_event(json.loads(line)) for line in lines)


def grouping(events: Iterable[Event]) -> None:
    grouped: dict[Key, list[int]] = {}
    for event in events:
        grouped.setdefault(event.key, []).append(event.at_ms)


def scoring(*names: str) -> Callable[[Iterable[Event]], None]:
    plans = [plan_of(presets.policy(name)) for name in names]

    def run(events: Iterable[Event]) -> None:
        rescore = Rescore(plans, rules=RULES)
        for _ in rescore.feed(events):
            pass
        rescore.finish(rescore.last_ms)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    lines = made(parser.parse_args().messages)
    ready = list(parsed(lines))
    one, four = scoring(FOUR[0]), scoring(*FOUR)
    loops: dict[str, Callable[[], None]] = {
        "floor: parse and group": lambda: grouping(parsed(lines)),
        "one policy": lambda: one(parsed(lines)),
        "four policies": lambda: four(parsed(lines)),
        "machine, one policy": lambda: one(ready),
        "machine, four policies": lambda: four(ready),
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(5):
        for name, loop in loops.items():
            start = time.process_time()
            with seldom_collected():  # as a replay has it; the floor too
                loop()
            seconds[name].append(time.process_time() - start)
    median = {name: statistics.median(found) for name, found in seconds.items()}
    floor = median["floor: parse and group"]
    for name, found in median.items():
        print(f"{name:<24} {len(lines) / found:>12,.0f} messages/s   {floor / found:5.2f} × the floor's speed")
    ratio = median["four policies"] / median["one policy"]
    alone = median["machine, four policies"] / median["machine, one policy"]
    print(f"four policies cost {ratio:.2f} × one, the machine alone {alone:.2f} ×")
    print(
        json.dumps({"messages": len(lines), "seconds": median, "four_over_one": ratio, "machine_four_over_one": alone})
    )


if __name__ == "__main__":
    main()
