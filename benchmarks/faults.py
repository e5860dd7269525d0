"""How much later a message reaches the workflow through sanfen, and how much later its sender has the answer, with
faults of ours on: each beside the same load sent straight to the workflow, in the same run.

    python benchmarks/faults.py [--rate 200] [--seconds 5] [--repeats 2] [--only CASE ...] [--out FILE]

The load is open: a process of its own sends each message at its moment, whatever became of those before. ``forward`` is
from that moment to the message's arrival at the workflow; ``answer`` to the sender's answer, which waits for the commit
at most ``ack_within`` (1 s). ``added`` is the 99th percentile above that of the direct load. ``cpu`` is the service's
processor time for a message (under strace it is strace's). Where a machine has other work, all of it waits its turn: as
root, ``chrt -r 1 python benchmarks/faults.py`` goes before that. What cannot be had on a machine (a small disk without
root, slow system calls without strace) is said and left out.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.faults import ours  # the harness is the tests'
from tests.faults.proxy import Proxy
from tests.faults.service import Ends, Serve, questions_and_replies, send, serving

PEOPLE = 8  # who are told of every round that waits a second
CASES = (
    "healthy",
    "slow disk",
    "locked database",
    "full disk",
    "people unreachable",
    "people silent",
    "adapter raises",
    "rule raises",
)


@asynccontextmanager
async def running(case: str, folder: Path, ends: Ends) -> AsyncIterator[Serve]:
    """The service with one fault. Raises NoMount."""
    async with AsyncExitStack() as stack:
        people, how = "", dict[str, Any]()
        if case.startswith("people"):
            proxy = await Proxy(ends.port).start()
            stack.push_async_callback(proxy.stop)
            await proxy.set("refuse" if case == "people unreachable" else "blackhole")
            people = ours.people({f"person{number}": proxy.port for number in range(PEOPLE)})
        if case.endswith("raises"):
            how["env"] = ours.saboteur(folder, case.split(maxsplit=1)[0])
        if case == "slow disk":
            how["prefix"] = ours.injected("fdatasync:delay_enter=300000")
        storage = stack.enter_context(ours.small_disk(folder / "disk")) if case == "full disk" else folder
        serve = Serve(folder, ends.port, storage=storage, people=people)
        await stack.enter_async_context(serving(serve, **how))
        if case == "full disk":
            ours.fill(storage / "filler")
        if case == "locked database":
            stack.enter_context(ours.locked(folder / "sanfen.db"))
        yield serve


async def measure(url: str, ends: Ends, name: str, options: argparse.Namespace) -> dict[str, float]:
    """One load: percentiles of the way there and of the answer, milliseconds."""
    messages = questions_and_replies(name, int(options.rate * options.seconds * 2 / 3))
    found = await send(url, messages, rate=options.rate)
    there = sorted(ends.delays_ms[f"{one.id}/1"] for one in messages if f"{one.id}/1" in ends.delays_ms)
    back = sorted(took_ms for _, took_ms in found)
    return {
        "sent": len(messages),
        "arrived": len(there),
        "answered": sum(status == 200 for status, _ in found),
        "forward_p50_ms": there[len(there) // 2],
        "forward_p99_ms": there[len(there) * 99 // 100],
        "answer_p50_ms": back[len(back) // 2],
        "answer_p99_ms": back[len(back) * 99 // 100],
    }


async def run(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = {}
    for case in options.only or CASES:
        if case == "slow disk" and ours.STRACE is None:
            print(f"{case:20} left out: strace is not installed")
            continue
        pairs = []
        for turn in range(options.repeats):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    pairs.append(await pair(case, turn, Path(folder), options))
                except ours.NoMount as reason:
                    print(f"{case:20} left out: {reason}")
                    break
        if pairs:
            figures[case] = {fact: statistics.median(one[fact] for one in pairs) for fact in pairs[0]}
            report(case, figures[case])
    return figures


async def pair(case: str, turn: int, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """The direct load, the load through the service, the direct load again."""
    async with Ends().running() as ends, running(case, folder, ends) as serve:
        direct_url = f"http://127.0.0.1:{ends.port}"
        direct = [await measure(direct_url, ends, f"before{turn}", options)]
        began_s = spent_s(serve)
        through = await measure(serve.url, ends, f"through{turn}", options)
        through["cpu_ms"] = (spent_s(serve) - began_s) * 1000 / through["sent"]
        direct.append(await measure(direct_url, ends, f"after{turn}", options))
    floor = {fact: statistics.mean(one[fact] for one in direct) for fact in direct[0]}
    added = {f"added_{way}_p99_ms": through[f"{way}_p99_ms"] - floor[f"{way}_p99_ms"] for way in ("forward", "answer")}
    return through | added | {"direct_forward_p99_ms": floor["forward_p99_ms"]}


def spent_s(serve: Serve) -> float:
    """Processor time of the service so far: what other work on the machine does not blur."""
    assert serve.process is not None
    facts = Path(f"/proc/{serve.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


def report(case: str, one: dict[str, float]) -> None:
    print(
        f"{case:20} sent {one['sent']:.0f} arrived {one['arrived']:.0f} answered {one['answered']:.0f}"
        f"  forward p50 {one['forward_p50_ms']:.1f} p99 {one['forward_p99_ms']:.1f} added p99 {one['added_forward_p99_ms']:+.1f} ms"
        f"  answer p50 {one['answer_p50_ms']:.1f} p99 {one['answer_p99_ms']:.1f} ms  (direct p99 {one['direct_forward_p99_ms']:.1f} ms)"
        f"  cpu {one['cpu_ms']:.2f} ms a message",
        flush=True,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=CASES)
    parser.add_argument("--out", type=Path, help="keep the figures as JSON")
    options = parser.parse_args()
    print(
        f"{platform.machine()} {os.cpu_count()} cpus, Python {platform.python_version()}, {options.rate:.0f} messages a second"
    )
    figures = asyncio.run(run(options))
    if options.out:
        kept: dict[str, Any] = {"cpus": os.cpu_count(), "python": platform.python_version(), "figures": figures}
        options.out.write_text(json.dumps(kept, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
