"""What Prometheus asks for. Names end in their units; labels are channels, policies and words from closed lists."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from sanfen import __version__
from sanfen.board.api.service import Asks
from sanfen.board.pages import Pages
from sanfen.board.screens.desk import Trouble
from sanfen.clock import Clock
from sanfen.meters import Meters
from sanfen.store import onward, queries
from sanfen.store.projection import LIVE

__all__ = ["Measured", "Metrics"]

_REFUSED = "refused_"
_ENDS = ("received", "journaled", "aside", "gap", "late", "forwarded", "undelivered", "poison")
_NOTICES = ("waiting", "sending", "told", "inhibited", "failed", "unsure")
_ONWARD = ("waiting", "sending", "passed", "refused", "failed", "unsure")
_OPEN = (
    "SELECT count(*), min(clock_ms) FROM round_rows WHERE score_set = ? AND policy = ? AND next_ms IS NOT NULL "
    "AND status = 'pending'"
)


class Measured(Asks, Protocol):
    """What the metrics need of the service."""

    @property
    def deliveries(self) -> Mapping[tuple[str, str], int]:
        """What has become of deliveries since the start, by channel and name; refusals as ``refused_REASON``."""

    @property
    def secrets(self) -> Mapping[tuple[str, str], int]:
        """How many deliveries each secret has signed since the start, by channel and the secret's name."""

    @property
    def meters(self) -> Meters:
        """What its parts counted."""


class _Found(NamedTuple):
    """What the log says."""

    outcomes: Mapping[str, int]
    open: int
    oldest_ms: int | None
    notices: Mapping[str, int]
    onward: Mapping[str, int]


class Metrics:
    """The handler."""

    def __init__(self, service: Measured, pages: Pages, clock: Clock) -> None:
        self._service = service
        self._pages = pages
        self._clock = clock
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    async def answer(self, request: web.Request) -> web.Response:
        """All of them, in the form that is asked for."""
        policy = self._service.policy
        found = None if self._service.db is None else await self._pages.ask(lambda c: _look(c, policy))
        families = [
            *self._service.meters.registry.collect(), *self._process.collect(), *self._here(), *self._traffic(),
            *(() if found is None else self._log(found)),
        ]  # fmt: skip
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(_Collected(families)), headers={"Content-Type": kind})

    def _here(self) -> Iterator[Metric]:
        """The service itself."""
        service = self._service
        trouble = service.trouble or Trouble(None, 0, 0, 0)
        wal = Path(f"{service.loaded.settings.storage}-wal")
        yield _gauge("sanfen_info", "Its version", 1, version=__version__)
        for name, says, value in (
            ("ready", "1 while the log can be written", service.db is not None and not service.is_standby),
            ("standby", "1 while another instance writes", service.is_standby),
            ("degraded", "1 while deliveries are kept aside", trouble.cause is not None),
            ("aside", "Deliveries kept aside that are not in the journal yet", trouble.kept),
            ("lost", "Deliveries lost that are not written down in the journal yet", trouble.lost),
            ("under_way", "Deliveries neither journaled nor kept aside yet", service.front.under_way),
            ("last_reload_ok", "0 if the last reload changed nothing", service.not_adopted is None),
            ("clock_off_seconds", "How far the machine's clock is ahead of the time gone by, since it was set", self._clock.off_ms() / 1000),
            ("loop_lag_seconds", "By how much the event loop was late, at the worst in fifteen seconds", service.meters.lag_s),
            ("wal_bytes", "Size of the write-ahead log", wal.stat().st_size if wal.exists() else 0),
        ):  # fmt: skip
            yield _gauge(f"sanfen_{name}", says, value)

    def _traffic(self) -> Iterator[Metric]:
        """Deliveries, by channel."""
        ended = CounterMetricFamily(
            "sanfen_deliveries", "Deliveries since the start: received = journaled + aside + gap", labels=["channel", "what"]
        )  # fmt: skip
        refused = CounterMetricFamily(
            "sanfen_refused", "Deliveries that were not authentic, by reason", labels=["channel", "reason"]
        )
        counted = self._service.deliveries
        channels = {*self._service.loaded.settings.channels, *(channel for channel, _ in counted)}
        nothing = {
            (channel, what): 0 for channel in channels for what in _ENDS
        }  # so that a first one is seen as a change
        for (channel, what), count in sorted({**nothing, **counted}.items()):
            if what.startswith(_REFUSED):
                refused.add_metric([channel, what.removeprefix(_REFUSED)], count)
            else:
                ended.add_metric([channel, what], count)
        signed = CounterMetricFamily(
            "sanfen_signed", "Deliveries by the secret that signed them", labels=["channel", "secret"]
        )
        for which, count in self._service.secrets.items():
            signed.add_metric(list(which), count)
        yield from (ended, refused, signed)

    def _log(self, found: _Found) -> Iterator[Metric]:
        """Rounds and what waits."""
        policy, now_ms = self._service.policy, self._clock.now_ms()
        rounds = GaugeMetricFamily("sanfen_rounds", "Rounds by outcome", labels=["policy", "outcome"])
        for outcome, count in found.outcomes.items():
            rounds.add_metric([policy, outcome], count)
        yield rounds
        yield _gauge("sanfen_open_rounds", "Rounds that can still be met", found.open, policy=policy)
        waited_s = 0 if found.oldest_ms is None else max(0, now_ms - found.oldest_ms) / 1000
        yield _gauge("sanfen_oldest_open_seconds", "How long the oldest of them has waited", waited_s, policy=policy)
        for name, says, known, states in (
            ("notices", "Notices by state", _NOTICES, found.notices),
            ("onward", "Stored deliveries by state", _ONWARD, found.onward),
        ):
            family = GaugeMetricFamily(f"sanfen_{name}", says, labels=["state"])
            for state, count in (dict.fromkeys(known, 0) | dict(states)).items():
                family.add_metric([state], count)
            yield family


class _Collected:
    """What was found, as the encoder wants it."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """It."""
        return self._families


def _gauge(name: str, says: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(name, says, labels=list(labels))
    family.add_metric(list(labels.values()), float(value))
    return family


def _look(connection: sqlite3.Connection, policy: str) -> _Found:
    count, oldest_ms = connection.execute(_OPEN, (LIVE, policy)).fetchone()
    notices: dict[str, Any] = {
        str(state): int(n) for state, n in connection.execute("SELECT state, count(*) FROM outbox GROUP BY state")
    }
    outcomes = queries.outcomes(connection, score_set=LIVE, policy=policy)
    return _Found(outcomes, int(count), oldest_ms, notices, onward.states(connection))
