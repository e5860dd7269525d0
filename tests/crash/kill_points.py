"""The service killed at every write, every sync and every send of twenty scenarios, before it and in the middle of it.

    python tests/crash/kill_points.py [--workers 2] [--every 1]          (make kill-points)

A scenario is run with the service dying at its first point, then at its second, until it comes through alive. Each time
another is started on the same log, what was not acknowledged is sent again, and the end must be the one written down in
``scenarios.py``. Exit 1 if it is not, if anything acknowledged is missing, or if somebody was told three times.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.crash import checks
from tests.crash.native import BEFORE, HALF
from tests.crash.scenarios import SCENARIOS, Act, Scenario
from tests.crash.shop import Ports, Sent, configure, is_ready, loaded
from tests.crash.wire import OK, Client, Workflow, here
from tests.crash.zygote import Run, Zygote
from tests.ports import free_port

from sanfen.clock import SystemClock

__all__ = ["Points", "prepared"]

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # a kill loses no memory
AGO_MS = 10_000

_CLOCK = SystemClock()


class Died(Exception):  # noqa: N818  # not an error: what this is about
    """The service is gone."""


class Points:
    """One run of a scenario, with a service that dies at one point."""

    def __init__(self, folder: Path, zygote: Zygote, scenario: Scenario, template: Path | None) -> None:
        self._folder, self._zygote, self._scenario = folder, zygote, scenario
        self._home = folder / "home"
        self._home.mkdir()
        self._log = self._home / "sanfen.db"
        if template is not None and not scenario.fresh:
            shutil.copy(template, self._log)
        left = list(scenario.answers)
        self._workflow = Workflow(lambda _person: left.pop(0) if left else OK)
        self._ports = Ports(0, 0, 0)
        self._config = folder / "sanfen.yaml"
        self._process = 0
        self._acknowledged: set[str] = set()
        self._done: set[tuple[int, int]] = set()  # deliveries that need not be sent again
        self._start_ms = _CLOCK.now_ms() - AGO_MS
        self.deaths = 0

    async def run(self, point: int, how: int) -> list[str]:
        """Play the scenario through; what was wrong in the end."""
        await self._workflow.start()
        self._ports = Ports(free_port(here()), free_port(here()), self._workflow.port)
        self._set_up("60ms")
        acts = [*self._scenario.acts, Act()]
        try:
            while acts:
                try:
                    await self._play(acts, point, how)
                except Died:
                    code = await self._zygote.end(self._process)
                    self._process = 0
                    if code != -signal.SIGKILL:
                        return [
                            f"it ended with {code}: {(self._folder / 'serve.log').read_text(encoding='utf-8')[-500:]}"
                        ]
                    self.deaths += 1
                point = 0  # the first service only
            return self._looked()
        except TimeoutError as error:
            return [str(error)]
        finally:
            if self._process:
                os.kill(self._process, signal.SIGKILL)
                await self._zygote.end(self._process)
            await self._workflow.stop()

    async def _play(self, acts: list[Act], point: int, how: int) -> None:
        await self._begin(point, how)
        while acts:
            act = acts[0]
            client = Client(self._ports.hooks)
            try:
                for number, sent in enumerate(self._scenario.sends(act, self._start_ms)):
                    if (len(acts), number) not in self._done:
                        await self._send(client, sent)
                        self._done.add((len(acts), number))
            finally:
                client.close()
            if act.told:
                await self._until(partial(self._heard, act.told))
            if act.anew or len(acts) == 1:
                await self._until(self._quiet)
                await self._end()
            acts.pop(0)
            if act.anew:
                self._set_up(act.anew)
                await self._begin(0, BEFORE)

    def _set_up(self, deadline: str) -> None:
        words = {"storage": "home/sanfen.db", "deadline": deadline, "first": "15ms", "second": "40ms"}
        configure(self._folder, self._ports, **words)

    async def _begin(self, point: int, how: int) -> None:
        self._process = self._zygote.start(Run(self._config, self._home, 0, point, how))

        async def ready() -> bool:
            return await is_ready(self._ports.board)

        for _ in range(2000):
            if await ready():
                return
            self._look()
            await asyncio.sleep(0.003)  # until the port answers; bounded
        raise TimeoutError("the service did not start")

    def _look(self) -> None:
        if self._zygote.ended(self._process):
            raise Died

    async def _send(self, client: Client, sent: Sent) -> None:
        status = await client.post(sent.path, sent.name, sent.event, _CLOCK.now_ms())
        if 200 <= status < 300:
            self._acknowledged.add(sent.name)
            return
        if status:
            raise TimeoutError(f"a delivery was answered with {status}")
        await self._gone()

    async def _gone(self) -> None:
        """Nobody answered: then nobody is there."""
        for _ in range(1000):
            self._look()
            await asyncio.sleep(0.003)  # until it is gone; bounded
        raise TimeoutError("a delivery was not answered by a living service")

    async def _until(self, done: Callable[[], bool]) -> None:
        for _ in range(4000):
            if done():
                return
            self._look()
            await asyncio.sleep(0.003)  # until it is done; bounded
        raise TimeoutError("what was to happen did not: " + self._scenario.name)

    async def _end(self) -> None:
        os.kill(self._process, signal.SIGTERM)
        code = await self._zygote.end(self._process)
        self._process = 0
        if code == -signal.SIGKILL:
            self.deaths += 1
            await self._begin(0, BEFORE)
            await self._until(self._quiet)
            await self._end()
        elif code:
            raise TimeoutError(f"a clean stop ended with {code}")

    def _heard(self, person: str) -> bool:
        """Told; or given up on in a way that everybody sees, which two attempts of unknown outcome come to."""
        if any(pair[1] == person for pair in self._workflow.notices):
            return True
        query = "SELECT count(*) FROM outbox WHERE person = ? AND state IN ('unsure', 'failed')"
        with closing(checks.read_only(self._log)) as connection:
            return bool(connection.execute(query, (person,)).fetchone()[0])

    def _quiet(self) -> bool:
        query = (
            "SELECT (SELECT count(*) FROM outbox WHERE state = 'sending' OR (state = 'waiting' AND next_try_ms < ?)) + "
            "(SELECT count(*) FROM round_rows WHERE next_ms < ?)"
        )
        until_ms = _CLOCK.now_ms() + 10_000
        with closing(checks.read_only(self._log)) as connection:
            return not connection.execute(query, (until_ms, until_ms)).fetchone()[0]

    def _looked(self) -> list[str]:
        with closing(checks.read_only(self._log)) as connection:
            state = checks.state_of(connection)
            problems = [*state.problems, *checks.refold(connection, loaded(self._config))]
            query = (
                "SELECT customer, status, because FROM round_rows WHERE policy = 'ours' ORDER BY customer, opened_ms"
            )
            rounds = tuple(tuple(row) for row in connection.execute(query))
            told = connection.execute("SELECT round, person, state, unknown FROM outbox").fetchall()
        if rounds != self._scenario.rounds:
            problems.append(f"rounds {rounds}")
        lost = {one for one in self._acknowledged if not one.startswith("poison")} - state.events
        if lost:
            problems.append(f"acknowledged and not stored: {sorted(lost)}")
        problems += checks.told(self._workflow.notices, told)
        problems += [f"{person} was not told" for person in self._scenario.told if not self._heard(person)]
        return problems


def prepared(folder: Path, zygote: Zygote) -> Path:
    """A log that is there already, migrated and empty."""
    scenario = Scenario("nothing", (Act(),), (), fresh=True)
    place = folder / "template"
    place.mkdir()
    problems = asyncio.run(Points(place, zygote, scenario, None).run(0, BEFORE))
    if problems:
        raise RuntimeError(problems[0])
    return place / "home" / "sanfen.db"


def every_point(number: int, every: int, halves: int) -> tuple[str, int, list[str]]:
    """A scenario at each so many points, before and in the middle (0: not at all); the kills, and what was wrong."""
    scenario, zygote = SCENARIOS[number], Zygote()
    kills, problems = 0, list[str]()
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="sanfen-points-") as temporary:
        try:
            template = prepared(Path(temporary), zygote)
            for how, step in ((BEFORE, every), (HALF, halves)):
                if not step:
                    continue
                point, alive = 1, 0
                while alive < 2:  # twice, as the number of points is not the same each time
                    place = Path(tempfile.mkdtemp(dir=temporary))
                    one = Points(place, zygote, SCENARIOS[number], template)
                    found = asyncio.run(one.run(point, how))
                    problems += [f"{scenario.name}, point {point}{', half' * how}: {text}" for text in found]
                    kills += one.deaths
                    alive = 0 if one.deaths else alive + 1
                    point += step
                    shutil.rmtree(place)
        finally:
            zygote.close()
    return scenario.name, kills, problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, help="before each so many points")
    parser.add_argument("--halves", type=int, default=1, help="in the middle of each so many; 0: never")
    asked = parser.parse_args()
    started, kills, wrong = time.monotonic(), 0, 0
    with ProcessPoolExecutor(asked.workers) as pool:
        every, halves = ([count] * len(SCENARIOS) for count in (asked.every, asked.halves))
        for name, count, problems in pool.map(every_point, range(len(SCENARIOS)), every, halves):
            kills, wrong = kills + count, wrong + len(problems)
            print("\n".join([f"{count:>5} kills  {name}", *(f"       {one}" for one in problems[:5])]), flush=True)
    print(f"{len(SCENARIOS)} scenarios, {kills:,} kills, {wrong} wrong, {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
