"""A week, and everybody who was to be told was told, or a row says why not. ``make test-week`` runs all of it.

``SANFEN_WEEK_HOURS``: how many hours, all from Monday's first; here two, with a rush, a robot that mutes, and the service's death.
"""

import json
import os
import time
from pathlib import Path

import structlog
from tests.faults.seed import SEED
from tests.faults.virtual import VirtualLoop
from tests.faults.week import Week

WHOLE = int(os.environ.get("SANFEN_WEEK_HOURS", "0"))


def test_every_step_is_told_or_explained(folder: Path) -> None:
    loop = VirtualLoop()
    began = time.perf_counter()
    week = Week(folder, loop, SEED, lambda line: print(line, flush=True))  # noqa: T201
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))  # planted faults are no news
    try:
        loop.run_until_complete(week.run(range(WHOLE) if WHOLE else range(9, 11)))
    finally:
        loop.close()
        structlog.reset_defaults()
    facts = {"took_s": round(time.perf_counter() - began)} | week.counts | week.phones.counts
    print(json.dumps(dict(sorted(facts.items())), indent=1))  # noqa: T201  # the figures of the long run

    assert week.talks == {}
    assert week.counts["steps told"] > week.counts["rounds"]
    assert week.counts["steps lost, and said so"] * 100 < week.counts["steps due"]
