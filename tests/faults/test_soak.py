"""Days of custom in virtual time: memory stays flat, no step is missed, every score is what the rules say.

``make test-long`` runs 72 hours (``SANFEN_SOAK_HOURS=72``), ``make soak-year`` 8,760 with a new log every week.
"""

import json
import os
import time
from pathlib import Path

import structlog
from tests.faults.seed import SEED
from tests.faults.soak import Soak
from tests.faults.virtual import VirtualLoop

HOURS = float(os.environ.get("SANFEN_SOAK_HOURS", "0.5"))
ROTATE = int(os.environ.get("SANFEN_SOAK_ROTATE", "0")) or None
DAY = 24
FLAT_KIB = 10 * 1024


def test_a_shop_for_days(folder: Path) -> None:
    loop = VirtualLoop()
    began = time.perf_counter()
    soak = Soak(folder, loop, SEED, rotate_days=ROTATE, say=lambda line: print(line, flush=True))  # noqa: T201
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))  # planted faults are no news
    try:
        loop.run_until_complete(soak.run(HOURS))
    finally:
        loop.close()
        structlog.reset_defaults()
    after = soak.rss_kib[DAY:]
    took_s = round(time.perf_counter() - began)
    grown = max(after, default=0) - min(after, default=0)
    facts = {"hours": HOURS, "took_s": took_s, "latest_step_ms": soak.latest_ms, "rss_spread_kib": grown} | soak.counts
    print(json.dumps(facts, indent=1))  # noqa: T201  # the figures of the long run

    assert soak.counts["rounds"] > HOURS * 3600
    assert soak.counts["steps"] > 0
    assert soak.counts["refused"] * 200 > soak.counts["deliveries"], "the planted faults did not reach deliveries"
    assert soak.talks == {}
    assert grown <= FLAT_KIB, soak.rss_kib
