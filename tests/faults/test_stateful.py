"""The engine on its real file against the second scorer, whatever is done to it, in whatever order.

Messages come late, twice, out of order and in batches; time goes on, jumps and jumps back; the process is killed between
two commits or stops and starts; the policy is changed. ``make stateful`` runs 20,000 lives of 50 steps
(``SANFEN_STATEFUL=20000``).
"""

import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from tests import oracle
from tests.engine.shop import Shop
from tests.faults.seed import SEED
from tests.faults.virtual import VirtualDatabase, VirtualLoop
from tests.properties.shops import Maker, Talk, changed, scoring_names

from sanfen.config import presets
from sanfen.core.days import NEVER
from sanfen.core.policy import Policy
from sanfen.engine.recover import recover
from sanfen.store.db import Database
from sanfen.store.journal import Delivery
from sanfen.testing import FakeClock
from sanfen.wire import read_event

LIVES = int(os.environ.get("SANFEN_STATEFUL", "8"))
STEPS = 50
AHEAD_MS = 300_000  # an event from further ahead gets the time of its receipt
MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of its own in it

names = st.sampled_from(scoring_names())
seeds = st.integers(0, 2**32)
steps_run = 0


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="sanfen-life-", dir=MEMORY if MEMORY.is_dir() else None))


@cache
def _empty() -> bytes:
    """A log that is migrated and holds nothing: making it anew for each life was a fifth of the time."""
    folder = _folder()
    Database.open(folder / "log.db").close()
    made = (folder / "log.db").read_bytes()
    shutil.rmtree(folder)
    return made


class Service(RuleBasedStateMachine):
    """One shop's life."""

    @initialize(name=names, seed=seeds)
    def begin(self, name: str, seed: int) -> None:
        self.dice = Random(seed)
        self.folder, self.files = _folder(), 0
        log = self.folder / "log0.db"
        log.touch(mode=0o600)
        log.write_bytes(_empty())
        self.loop = VirtualLoop()
        self.maker = Maker(self.dice, presets.tree(name))
        case = self.maker.case()
        self.zone, self.holidays = case.zone, case.holidays
        self.clock = FakeClock(case.log[0]["at"])
        self.furthest_ms = self.clock.now_ms()
        self.marks: list[int] = []
        self.talks = [Talk(self.dice, number) for number in range(3)]
        self.log: list[dict[str, Any]] = []  # in order of arrival
        self.held: list[dict[str, Any]] = []
        self.versions: list[tuple[int, dict[str, Any]]] = [(-NEVER, self.maker.keys)]
        self._open()

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            try:
                self.compare()
            finally:
                self.shop.db.close()
                self.loop.close()
                shutil.rmtree(self.folder)

    # --- what happens

    @rule(
        count=st.sampled_from([1, 1, 1, 2, 4]),
        ago_ms=st.sampled_from([0, 0, 0, 1, 1000, 90_000, 7_200_000, 90_000_000]),
    )
    def messages(self, count: int, ago_ms: int) -> None:
        """One delivery: as it happens, or of some time ago."""
        self._deliver([self._event(max(1, self.clock.now_ms() - ago_ms)) for _ in range(count)])

    @rule()
    def message_held_up(self) -> None:
        """It happens now and comes later."""
        self.held.append(self._event(self.clock.now_ms()))

    @precondition(lambda self: self.held)
    @rule()
    def held_up_arrive(self) -> None:
        self.dice.shuffle(self.held)
        self._deliver(self.held)
        self.held = []

    @precondition(lambda self: self.log)
    @rule(count=st.integers(1, 3))
    def duplicates(self, count: int) -> None:
        self._run(self._send(self.dice.choices(self.log, k=count)))

    @rule(far=st.booleans())
    def time_passes(self, far: bool) -> None:
        """To where the policy decides something, or nearly; everything due is served."""
        self._now(self.maker.next(self.clock.now_ms(), self.marks) + (self.dice.choice(self.maker.spans) if far else 0))
        self._run(self._serve())

    @rule(step_ms=st.sampled_from([-3_660_000, -60_000, -1, 60_000, 3_600_000]))
    def clock_jumps(self, step_ms: int) -> None:
        self._now(max(1, self.clock.now_ms() + step_ms))

    @rule()
    def restart(self) -> None:
        self.shop.db.close()
        self._open()

    @rule()
    def crash(self) -> None:
        """The files as they lie on the disk now are all that is left."""
        before, self.files = self.folder / f"log{self.files}.db", self.files + 1
        after = self.folder / f"log{self.files}.db"
        for ending in ("", "-wal"):
            shutil.copy(f"{before}{ending}", f"{after}{ending}")
        shutil.move(f"{before}.reserve", f"{after}.reserve")
        self.shop.db.close()
        self._open()

    @precondition(lambda self: len(self.versions) < 4)
    @rule(name=names)
    def policy_changes(self, name: str) -> None:
        """At a restart; rounds keep the policy they were opened under."""
        self._catch_up()
        self._now(self.clock.now_ms() + 1)
        self.versions.append((self.clock.now_ms(), changed(self.dice, name)))
        self.restart()

    @rule()
    def compare(self) -> None:
        """The rows are what the rules say, each round by the policy it was opened under."""
        self._catch_up()
        wanted = []
        ends = [since_ms for since_ms, _ in self.versions[1:]] + [NEVER]
        for (since_ms, keys), until_ms in zip(self.versions, ends, strict=True):
            found = oracle.score(
                keys, self.log, shop_tz=self.zone, holidays=self.holidays, as_of=self.clock.now_ms()
            )  # fmt: skip
            wanted += [row for row in found.rounds if since_ms <= row.opened_ms < until_ms]
        query = (
            "SELECT conversation, opened_ms, status, reason, wait_ms, messages, agent, due_ms, evidence FROM round_rows"
        )
        rows = [oracle.Row._make((*row[:-1], tuple(json.loads(row[-1])))) for row in self.shop.rows(query)]

        assert set(rows) == set(wanted), self._story(set(rows), set(wanted))
        assert self.shop.engine.failed == 0

    def _story(self, rows: set[oracle.Row], wanted: set[oracle.Row]) -> str:
        told = ("sources", "title", "status", "schema", "id")
        lines = [f"the service alone: {row}" for row in rows - wanted] + [
            f"the rules alone: {row}" for row in wanted - rows
        ]
        lines += [
            f"from {at_ms}: { {k: v for k, v in keys.items() if k not in told} }" for at_ms, keys in self.versions
        ]
        return "\n".join([*lines, f"zone {self.zone}, holidays {sorted(self.holidays)}", *map(str, self.log)])

    # --- how

    def _policy(self) -> Policy:
        keys = self.versions[-1][1] | {"id": "ours"}
        return presets.scoring(presets.validate(keys, "made"), tz=self.zone, holidays=self.holidays)

    def _open(self) -> None:
        self.shop = Shop(
            VirtualDatabase.on(self.loop, self.folder / f"log{self.files}.db"), self.clock, (self._policy(),)
        )
        self._run(self.shop.engine.adopt())
        self._run(recover(self.shop.db, self.shop.ticker))

    def _event(self, at_ms: int) -> dict[str, Any]:
        number = len(self.log) + len(self.held) + self.dice.randrange(10**9)
        return {"id": f"e{number}", "at": at_ms} | self.dice.choice(self.talks).event(self.versions[-1][1])

    def _deliver(self, fields: list[dict[str, Any]]) -> None:
        for one in fields:
            if one["at"] > self.clock.now_ms() + AHEAD_MS:  # the clock was set back meanwhile
                one["at"] = self.clock.now_ms()
            self.log.append(one)
            self.marks.append(one["at"])
            self.furthest_ms = max(self.furthest_ms, one["at"])
        self._run(self._send(fields))

    async def _send(self, fields: list[dict[str, Any]]) -> None:
        events = [read_event(one) for one in fields]
        await self.shop.engine.submit(Delivery(self.clock.now_ms(), "default", "in", "POST", "", b""), events)

    async def _serve(self) -> None:
        while keys := self.shop.ticker.due(self.clock.now_ms()):
            await self.shop.engine.tick(keys)

    def _catch_up(self) -> None:
        self._now(self.furthest_ms)
        self._run(self._serve())

    def _now(self, now_ms: int) -> None:
        self.clock._now_ms = now_ms
        self.furthest_ms = max(self.furthest_ms, now_ms)

    def _run(self, work: Any) -> None:
        global steps_run  # noqa: PLW0603  # the long run says how many
        steps_run += 1
        self.loop.run_until_complete(work)


def test_whatever_is_done_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = settings(max_examples=LIVES, stateful_step_count=STEPS, deadline=None, database=None)
    run_state_machine_as_test(seed(SEED)(Service), settings=chosen)
    with capsys.disabled():
        print(f"\n{LIVES} lives, {steps_run} calls of the engine")  # noqa: T201  # the figure of the long run
