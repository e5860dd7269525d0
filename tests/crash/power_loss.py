"""Power-loss images of recorded runs of the real service.

    python tests/crash/power_loss.py [--images 1000000] [--workers 2]          (make power-loss)

Runs are recorded and replayed until there are enough images. Two controls follow, in which the log is opened with
``synchronous=NORMAL`` and with ``OFF``: they must lose acknowledged events, and the second must be found corrupt. Exit 1
if anything acknowledged is lost, a round is scored twice or a file is corrupt; or if a control is not noticed.
"""

import argparse
import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.crash import checks
from tests.crash.images import MODES, Images, Tally
from tests.crash.record import record
from tests.crash.shop import loaded
from tests.crash.trace import read

from sanfen.clock import SystemClock
from sanfen.config.load import Loaded
from sanfen.engine.ingest import Engine
from sanfen.errors import StoreError
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import ask

__all__ = ["run"]

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # images are many; the disk need not see them


def run(
    seed: int, *, rounds: int, synchronous: str = "", most: int | None = None, brief: bool = False
) -> tuple[Tally, list[str]]:
    """Record one run and look at its images, at most so many, spread evenly; and what was wrong."""
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="sanfen-images-") as temporary:
        folder = Path(temporary)
        trace = asyncio.run(record(folder, seed, rounds=rounds, synchronous=synchronous, brief=brief))
        shop = loaded(folder / "sanfen.yaml")
        ops = list(read(trace))
        disk = [number for number, op in enumerate(ops) if op.kind not in "KA"]
        every = 1 if most is None else max(1, len(disk) * len(MODES) // most)
        looked = set(disk[::every])
        images = Images(folder, Random(seed), lambda path: as_the_service(path, shop))
        try:
            for number, op in enumerate(ops):
                images.feed(op, look=number in looked)
        finally:
            images.close()
        return images.tally, [f"seed {seed}: {one}" for one in images.said]


def as_the_service(path: Path, shop: Loaded) -> list[str]:
    """Open a copy as the service does at its start, let it live on, close it, and look again."""
    try:
        with closing(checks.read_only(path)) as connection:
            before = checks.state_of(connection)
    except sqlite3.Error:
        before = checks.EMPTY
    try:
        db = Database.open(path)
    except StoreError as error:
        return [f"corrupt: {error.message}"]
    try:
        asyncio.run(_live_on(db, shop))
        connection = db.reader()
        connection.row_factory = None
        with closing(connection):
            after = checks.state_of(connection)
            problems = [*after.problems, *checks.refold(connection, shop)]
    except (StoreError, sqlite3.Error) as error:
        return [f"corrupt: {error}"]
    finally:
        db.close()
    if not before.events < after.events:
        problems.append("what was there before is not there any more")
    return problems


async def _live_on(db: Database, shop: Loaded) -> None:
    clock = SystemClock()
    engine = Engine(db, shop.policies, shop.rules, clock, zone=shop.settings.shop.timezone)
    await engine.adopt()
    await engine.submit(Delivery(clock.now_ms(), "desk", "in", "POST", "", b"{}"), [ask(clock.now_ms(), "new")])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=12, help="how much is said in a run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--minutes", type=float, default=600, help="begin no more runs after this; what was done is said"
    )
    asked = parser.parse_args()
    started, total, seed = time.monotonic(), Tally(), asked.seed
    with ProcessPoolExecutor(asked.workers) as pool:
        waiting: set[Future[tuple[Tally, list[str]]]] = set()
        ends = started + asked.minutes * 60
        while total.images < asked.images and total.clean and time.monotonic() < ends:
            while len(waiting) < asked.workers:
                waiting.add(pool.submit(run, seed, rounds=asked.rounds))
                seed += 1
            done = next((one for one in waiting if one.done()), None)
            if done is None:
                time.sleep(0.1)
                continue
            waiting.remove(done)
            tally, said = done.result()
            total += tally
            print("\n".join([f"{total.images:>9,} images, {time.monotonic() - started:.0f} s", *said]), flush=True)
        for one in waiting:
            tally, said = one.result()
            total += tally
            print("\n".join([f"{total.images:>9,} images, {time.monotonic() - started:.0f} s", *said]), flush=True)
        controls = {
            word: pool.submit(run, asked.seed, rounds=asked.rounds // 2, synchronous=word, most=8_000, brief=True)
            for word in ("NORMAL", "OFF")
        }
        found = {word: one.result()[0] for word, one in controls.items()}
    print(f"\n{seed - asked.seed} runs of the service, {time.monotonic() - started:.0f} s")
    for name, tally in {"FULL": total, **found}.items():
        print(f"{name:<7}" + ", ".join(f"{field} {value:,}" for field, value in tally._asdict().items()))
    noticed = found["NORMAL"].lost and found["OFF"].lost and found["OFF"].corrupt
    if not noticed:
        print("a control was not noticed: the images prove nothing")
    return 0 if total.clean and noticed else 1


if __name__ == "__main__":
    sys.exit(main())
